// SPDX-License-Identifier: Apache-2.0
import type { Environment } from './schema.js';
import type { Field, StackPlaces } from './field.js';
import { integer, optional, path, text } from './fields.js';
import { stackNamePattern, stackPaths } from './stack-paths.js';
import { portsPerStack, stackPorts } from './stack-ports.js';

/** The settings from which a stack's names, places and ports follow; every app has them. */
export const stackFields = {
  stack: text({
    env: 'JUNCTION_STACK',
    default: 'junction',
    pattern: stackNamePattern,
    shape: 'a-z, then up to 15 of a-z 0-9 -',
    doc: 'Name of the stack; its folders, sockets, cgroups and devices are named after it.',
  }),
  runDir: optional(
    path({ env: 'JUNCTION_RUN_DIR', doc: 'Folder of sockets and control blocks, /run/junctiond/<stack> unless set.' }),
  ),
  stateDir: optional(
    path({
      env: 'JUNCTION_STATE_DIR',
      doc: 'Folder of what outlives a reboot, /var/lib/junctiond/<stack> unless set.',
    }),
  ),
  portBase: integer({
    env: 'JUNCTION_PORT_BASE',
    default: 8080,
    min: 0,
    max: 65536 - portsPerStack,
    doc: 'First of the five ports of the stack; 0 lets the host choose every port.',
  }),
};

/** Reads the stack's settings; faults are appended and replaced by defaults so that the rest can be checked too. */
export function loadStack(env: Environment, faults: string[]): StackPlaces {
  const read = <T>(field: Field<T>, otherwise: T): T => {
    const raw = env[field.env];
    if (raw === undefined || raw === '') return otherwise;
    const parsed = field.parse(raw);
    if ('value' in parsed) return parsed.value;
    faults.push(`${field.env} ${parsed.fault}`);
    return otherwise;
  };
  const stack = read(stackFields.stack, 'junction');
  const runDir = read(stackFields.runDir, undefined);
  const stateDir = read(stackFields.stateDir, undefined);
  return {
    paths: stackPaths(stack, {
      ...(runDir === undefined ? {} : { runDir }),
      ...(stateDir === undefined ? {} : { stateDir }),
    }),
    ports: stackPorts(read(stackFields.portBase, 8080)),
  };
}
