// SPDX-License-Identifier: Apache-2.0
// What an image says about running it (OCI image specification, "Image Configuration"). Outside input: checked for form.
import { fail, ok, type Result } from '@junctiond/instance-model';

export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** `user`, `uid`, `user:group`, `uid:gid`; empty = root. */
  readonly user: string;
  /** Empty = `/`. */
  readonly workingDir: string;
  /** As written: `8080/tcp`. */
  readonly exposedPorts: readonly string[];
}

/** Reads the `config` part of an image configuration document. Unknown fields are left alone, wrong types refused. */
export function parseImageConfig(document: unknown): Result<ImageConfig> {
  if (!isRecord(document)) {
    return fail('the image configuration is not a JSON object');
  }
  const config = document['config'] ?? {};
  if (!isRecord(config)) {
    return fail('the image configuration has no object "config"');
  }
  const entrypoint = strings(config['Entrypoint']);
  const cmd = strings(config['Cmd']);
  const env = strings(config['Env']);
  const user = config['User'] ?? '';
  const workingDir = config['WorkingDir'] ?? '';
  const ports = config['ExposedPorts'] ?? {};
  if (entrypoint === undefined || cmd === undefined || env === undefined) {
    return fail('the image configuration has an Entrypoint, Cmd or Env that is not a list of texts');
  }
  if (typeof user !== 'string' || typeof workingDir !== 'string' || !isRecord(ports)) {
    return fail('the image configuration has a User, WorkingDir or ExposedPorts of the wrong type');
  }
  if ([...entrypoint, ...cmd, ...env, user, workingDir].some((text) => text.includes('\0'))) {
    return fail('the image configuration holds a NUL character');
  }
  return ok({ entrypoint, cmd, env: environment(env), user, workingDir, exposedPorts: Object.keys(ports) });
}

function environment(entries: readonly string[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const entry of entries) {
    const equals = entry.indexOf('=');
    if (equals > 0) {
      env[entry.slice(0, equals)] = entry.slice(equals + 1);
    }
  }
  return env;
}

/** A list of texts; absent and null mean an empty one; undefined when it is something else. */
function strings(value: unknown): string[] | undefined {
  if (value === undefined || value === null) {
    return [];
  }
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
