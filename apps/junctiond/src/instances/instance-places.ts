// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';

import { INSTANCE_ID } from '@junctiond/instance-model';

/** Folders and files of one instance. */
export interface InstancePlaces {
  /** On disk: what outlives junctiond and a reboot. */
  readonly instanceDir: string;
  readonly recordFile: string;
  readonly secretsFile: string;
  /** Written by junction_run. */
  readonly statusFile: string;
  /** What junction_run itself says. */
  readonly monitorLogFile: string;
  /** In the folder of sockets: what lives as long as the instance runs. */
  readonly runDir: string;
  readonly configFile: string;
  readonly envFile: string;
  readonly resolvConfFile: string;
  readonly controlFile: string;
}

/** `instancesDir` on disk and `runDir` of the stack. Throws on what is no id: these places get removed. */
export function placesOf(
  id: string,
  stack: { readonly instancesDir: string; readonly runDir: string },
): InstancePlaces {
  if (!INSTANCE_ID.test(id)) throw new RangeError(`not an instance id: ${JSON.stringify(id)}`);
  const instanceDir = join(stack.instancesDir, id);
  const runDir = join(stack.runDir, 'instances', id);
  return {
    instanceDir,
    recordFile: join(instanceDir, 'spec.json'),
    secretsFile: join(instanceDir, 'secrets.json'),
    statusFile: join(instanceDir, 'status.json'),
    monitorLogFile: join(instanceDir, 'junction_run.log'),
    runDir,
    configFile: join(runDir, 'config'),
    envFile: join(runDir, 'env'),
    resolvConfFile: join(runDir, 'resolv.conf'),
    controlFile: join(runDir, 'control'),
  };
}
