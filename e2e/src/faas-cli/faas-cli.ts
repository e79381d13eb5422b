// SPDX-License-Identifier: Apache-2.0
import { type Credentials } from './openfaas-api.js';

/** The commands of faas-cli that the user's story needs. Each throws where faas-cli would exit with an error. */
export interface FaasCli {
  readonly name: string;
  login(credentials: Credentials): Promise<void>;
  /** `deploy -f`, with `variables` in the environment. */
  deploy(stackFile: string, variables: Readonly<Record<string, string>>): Promise<void>;
  /** `list -v`: name and image of each function; a long image may be cut. */
  list(): Promise<{ name: string; image: string }[]>;
  /** `describe`: text for people. */
  describe(name: string): Promise<string>;
  ready(name: string): Promise<boolean>;
  invoke(name: string, body: Buffer, options?: { query?: string; header?: string; method?: string }): Promise<Buffer>;
  /** `logs --tail=false`: the texts. */
  logs(name: string): Promise<string>;
  remove(name: string): Promise<void>;
  createSecret(name: string, value: string): Promise<void>;
  updateSecret(name: string, value: string): Promise<void>;
  listSecrets(): Promise<string[]>;
  removeSecret(name: string): Promise<void>;
  namespaces(): Promise<string[]>;
}
