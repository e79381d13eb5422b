// SPDX-License-Identifier: Apache-2.0
// What an instance should be. `InstanceRequest` is what a caller asks for (zero and empty mean "the node's default"),
// `InstanceSpec` is what is left to no one's guess.
import type { NetworkRule } from './network-rule.js';

export type RestartPolicy = 'always' | 'never';

/** The first guest process: what the caller says on top of the image's own configuration. */
export interface UprocRequest {
  /** Program and arguments; empty = the image's ENTRYPOINT and CMD. */
  readonly args: readonly string[];
  /** On top of the image's ENV. */
  readonly env: Readonly<Record<string, string>>;
  /** Empty = the image's WORKDIR. */
  readonly cwd: string;
  /** `name`, `uid`, `uid:gid`; empty = the image's USER. */
  readonly user: string;
}

export interface InstanceRequest {
  readonly id: string;
  readonly image: string;
  /** Empty = the id. */
  readonly hostname: string;
  readonly uproc: UprocRequest;
  readonly coreLimit: number;
  readonly memoryLimitBytes: bigint;
  readonly pidsLimit: number;
  /** 0 = DEFAULT_SERVICE_PORT. */
  readonly servicePort: number;
  readonly readOnlyRoot: boolean;
  /** File name to content; never logged, never answered. */
  readonly secrets: Readonly<Record<string, Uint8Array>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly listenDeadlineMs: number;
  readonly gracePeriodMs: number;
  /** 0 = coreLimit * 1000. */
  readonly cpuLimitMillicores: bigint;
  readonly restart: RestartPolicy;
  /** Extra names for /etc/hosts; NODE_HOST stands for the node's own address as the instance reaches it. */
  readonly hosts: Readonly<Record<string, string>>;
  /** What it may reach besides the outside. */
  readonly allow: readonly NetworkRule[];
}

/** A request with every default filled in and every rule of validateInstanceRequest met. Secrets are kept elsewhere. */
export type InstanceSpec = Omit<InstanceRequest, 'secrets'>;

/** The node's defaults and limits. */
export interface InstanceLimits {
  readonly defaultCoreLimit: number;
  /** The node's cores: a higher limit is lowered to it. */
  readonly maxCoreLimit: number;
  readonly defaultMemoryBytes: bigint;
  readonly defaultPids: number;
  readonly defaultListenDeadlineMs: number;
  readonly defaultGracePeriodMs: number;
}

export const DEFAULT_SERVICE_PORT = 8080;
/** In `hosts`: the node, whichever address that is where the instance runs. */
export const NODE_HOST = 'host';

/** Fills in the defaults of a valid request. */
export function resolveInstanceSpec(request: InstanceRequest, limits: InstanceLimits): InstanceSpec {
  const { secrets: _kept, ...rest } = request;
  return {
    ...rest,
    hostname: request.hostname === '' ? request.id : request.hostname,
    coreLimit: clampCoreLimit(request.coreLimit, limits),
    memoryLimitBytes: request.memoryLimitBytes === 0n ? limits.defaultMemoryBytes : request.memoryLimitBytes,
    pidsLimit: orDefault(request.pidsLimit, limits.defaultPids),
    servicePort: orDefault(request.servicePort, DEFAULT_SERVICE_PORT),
    listenDeadlineMs: orDefault(request.listenDeadlineMs, limits.defaultListenDeadlineMs),
    gracePeriodMs: orDefault(request.gracePeriodMs, limits.defaultGracePeriodMs),
  };
}

/** The core limit that a wish comes to on this node; 0 = the default. */
export function clampCoreLimit(wish: number, limits: InstanceLimits): number {
  return Math.min(orDefault(wish, limits.defaultCoreLimit), limits.maxCoreLimit);
}

/** The bandwidth of an instance's cgroup. Follows the core limit where the caller named none. */
export function cpuQuotaMillicores(spec: Pick<InstanceSpec, 'cpuLimitMillicores' | 'coreLimit'>): bigint {
  return spec.cpuLimitMillicores === 0n ? BigInt(spec.coreLimit) * 1000n : spec.cpuLimitMillicores;
}

/** One queue pair per core that the instance may use. */
export function queuePairsOf(spec: Pick<InstanceSpec, 'coreLimit'>): number {
  return spec.coreLimit;
}

function orDefault(value: number, fallback: number): number {
  return value === 0 ? fallback : value;
}
