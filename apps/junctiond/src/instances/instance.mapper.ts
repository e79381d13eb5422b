// SPDX-License-Identifier: Apache-2.0
// Between the API's messages and instance-model's types.
import { instanceV1 } from '@junctiond/contracts';
import type { Instance, InstanceExit, InstanceRequest, InstanceSpec, InstanceState } from '@junctiond/instance-model';

import { JunctiondError } from '../junctiond.error.js';
import type { LogLine } from '../logs/log-line.js';
import type { InstanceChange } from './instance-watch.js';

const STATES: Readonly<Record<InstanceState, instanceV1.InstanceState>> = {
  created: instanceV1.InstanceState.INSTANCE_STATE_CREATED,
  starting: instanceV1.InstanceState.INSTANCE_STATE_STARTING,
  ready: instanceV1.InstanceState.INSTANCE_STATE_READY,
  stopping: instanceV1.InstanceState.INSTANCE_STATE_STOPPING,
  backingOff: instanceV1.InstanceState.INSTANCE_STATE_BACKING_OFF,
  exited: instanceV1.InstanceState.INSTANCE_STATE_EXITED,
  failed: instanceV1.InstanceState.INSTANCE_STATE_FAILED,
};

/** Throws invalid_argument for what has no meaning at all; the rules for values are instance-model's. */
export function toRequest(spec: instanceV1.InstanceSpec | undefined): InstanceRequest {
  if (spec === undefined) {
    throw new JunctiondError('invalid_argument', 'spec is missing');
  }
  // A caller of a later version may send what is not in this version's enumeration.
  const runtime: number = spec.runtime;
  if (runtime !== instanceV1.Runtime.RUNTIME_UNSPECIFIED && runtime !== instanceV1.Runtime.RUNTIME_NATIVE) {
    throw new JunctiondError('invalid_argument', `runtime ${runtime} is not known here`);
  }
  const { uproc, restart, runtime: _only, ...same } = spec;
  return {
    ...same,
    uproc: uproc ?? { args: [], env: {}, cwd: '', user: '' },
    restart: restart === instanceV1.RestartPolicy.RESTART_POLICY_NEVER ? 'never' : 'always',
  };
}

export function toMessage(instance: Instance, usage?: instanceV1.Usage): instanceV1.Instance {
  const { spec, state, reason, imageDigest, network, ports, pid, restarts, lastExit, lastFailure } = instance;
  return {
    spec: toSpecMessage(spec),
    state: STATES[state],
    reason,
    imageDigest,
    ports: ports.map((port) => ({ ...port })),
    ...network,
    pid,
    restarts,
    lastExit: lastExit === undefined ? undefined : toExitMessage(lastExit),
    lastFailure: lastFailure === undefined ? undefined : { ...lastFailure },
    createdAt: instance.createdAt,
    startedAt: instance.startedAt,
    readyAt: instance.readyAt,
    usage,
  };
}

export function toEventMessage(change: InstanceChange): instanceV1.InstanceEvent {
  switch (change.kind) {
    case 'snapshot':
      return {
        type: instanceV1.InstanceEvent_Type.TYPE_SNAPSHOT,
        instances: change.instances.map((each) => toMessage(each)),
      };
    case 'changed':
      return { type: instanceV1.InstanceEvent_Type.TYPE_CHANGED, instances: [toMessage(change.instance)] };
    case 'deleted':
      return { type: instanceV1.InstanceEvent_Type.TYPE_DELETED, instances: [toMessage(change.instance)] };
  }
}

export function toLogMessage(instanceId: string, line: LogLine): instanceV1.LogLine {
  return { instanceId, at: new Date(line.atMs), stderr: line.isStderr, text: line.text };
}

function toSpecMessage(spec: InstanceSpec): instanceV1.InstanceSpec {
  const { uproc, restart } = spec;
  return {
    ...spec,
    uproc: { args: [...uproc.args], env: { ...uproc.env }, cwd: uproc.cwd, user: uproc.user },
    labels: { ...spec.labels },
    hosts: { ...spec.hosts },
    allow: spec.allow.map((rule) => ({ ...rule })),
    secrets: {},
    runtime: instanceV1.Runtime.RUNTIME_NATIVE,
    restart:
      restart === 'never'
        ? instanceV1.RestartPolicy.RESTART_POLICY_NEVER
        : instanceV1.RestartPolicy.RESTART_POLICY_ALWAYS,
  };
}

function toExitMessage(exit: InstanceExit): instanceV1.ExitStatus {
  return { code: exit.code, signal: exit.signal, outOfMemory: exit.outOfMemory, at: exit.at };
}
