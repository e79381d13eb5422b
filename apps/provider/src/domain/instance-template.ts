// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import type { FunctionRecord } from '@junctiond/function-state';
import { parseCpuMillicores, parseMemoryBytes } from '@junctiond/instance-model';
import type { FunctionSettings } from './function-settings.js';
import { pinImage } from './image-reference.js';

/** Labels by which the provider knows its instances again. */
export const INSTANCE_LABELS = {
  managedBy: 'managed-by',
  namespace: 'namespace',
  name: 'function',
  generation: 'generation',
} as const;
export const MANAGED_BY = 'provider';

/** What differs between the replicas of one generation. */
export interface InstanceDetails {
  readonly id: string;
  /** File name to content. */
  readonly secrets: Readonly<Record<string, Uint8Array>>;
  /** Extra names for the instance's /etc/hosts. */
  readonly hosts: Readonly<Record<string, string>>;
}

/** The instance that serves a function. */
export function instanceSpecOf(
  record: FunctionRecord,
  settings: FunctionSettings,
  details: InstanceDetails,
): instanceV1.InstanceSpec {
  const { spec } = record;
  const millicores = cpuMillicores(spec.limits?.quantities['cpu']);
  return instanceV1.InstanceSpec.create({
    id: details.id,
    image: pinImage(spec.image, record.imageDigest),
    hostname: hostName(record.name),
    uproc: instanceV1.Uproc.create({ env: environmentOf(record) }),
    // An instance sees as many CPUs as it may use, so half a core is one CPU with a bandwidth of 50 %.
    coreLimit: Number((millicores + 999n) / 1000n),
    cpuLimitMillicores: millicores,
    memoryLimitBytes: memoryBytes(spec.limits?.quantities['memory']),
    servicePort: settings.port,
    readOnlyRoot: spec.readOnlyRootFilesystem ?? false,
    gracePeriodMs: settings.gracePeriodMs,
    secrets: details.secrets,
    hosts: details.hosts,
    allow: settings.allow.map((rule) => ({ ...rule })),
    restart: instanceV1.RestartPolicy.RESTART_POLICY_ALWAYS,
    labels: {
      [INSTANCE_LABELS.managedBy]: MANAGED_BY,
      [INSTANCE_LABELS.namespace]: record.namespace,
      [INSTANCE_LABELS.name]: record.name,
      [INSTANCE_LABELS.generation]: String(record.generation),
    },
  });
}

function environmentOf({ spec, name, namespace }: FunctionRecord): Record<string, string> {
  return {
    ...spec.envVars?.entries,
    // An empty envProcess is what clients send that have none: the image's own stays.
    ...(spec.envProcess === undefined || spec.envProcess === '' ? {} : { fprocess: spec.envProcess }),
    OPENFAAS_NAME: name,
    OPENFAAS_NAMESPACE: namespace,
  };
}

/** A host name ends with a letter or digit; function names may not. */
function hostName(name: string): string {
  return name.replace(/[-_.]+$/, '');
}

/** 0 = no limit; the spec has been validated. */
function cpuMillicores(text: string | undefined): bigint {
  const parsed = text === undefined ? undefined : parseCpuMillicores(text);
  return parsed?.ok === true ? parsed.value : 0n;
}

function memoryBytes(text: string | undefined): bigint {
  const parsed = text === undefined ? undefined : parseMemoryBytes(text);
  return parsed?.ok === true ? parsed.value : 0n;
}
