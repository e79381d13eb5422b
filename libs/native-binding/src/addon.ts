// SPDX-License-Identifier: Apache-2.0
// The only place that loads the .node file, and what that file exports.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { InstanceSnapshot } from './control-block.js';
import type { NicEvent } from './event-queue.js';
import type { ResolvedIngressOptions } from './ingress-options.js';
import type { DrainResult, IngressMetrics, RouteUpdate } from './ingress.types.js';
import { NativeError } from './native-error.js';
import type { Frame, FrameMeta, NicCounters, NicPortInfo, NicPortKind } from './nic-port.js';
import type { ProcessExit } from './process-handle.js';

export interface NativeIngress {
  readonly port: number;
  serve(): void;
  applyRoutes(update: RouteUpdate): void;
  failHeld(functionName: string, status: number, message: string): void;
  busyReplicas(): string[];
  metrics(): IngressMetrics;
  drain(deadlineMs: number): Promise<DrainResult>;
  stop(): void;
}

export interface NativeControlBlock {
  snapshot(): InstanceSnapshot;
  setCoreLimit(cores: number): void;
  close(): void;
}

export interface NativeProcessHandle {
  readonly pid: number;
  readonly startTimeTicks: bigint;
  exited(): Promise<ProcessExit>;
  signal(signal: number): boolean;
  close(): void;
}

export interface NativeSpawn {
  file: string;
  argv: string[];
  env: string[];
  cwd: string;
  stdoutFile: string;
  stderrFile: string;
}

export interface NativeNicPort {
  info(): NicPortInfo;
  send(queuePair: number, frame: Uint8Array, meta?: FrameMeta): boolean;
  receive(queuePair: number): Frame | undefined;
  counters(): NicCounters;
  hasFrames(): boolean;
  wait(timeoutMs: number): Promise<boolean>;
  isLost(): boolean;
  close(): void;
}

export interface NativeEventQueue {
  post(instance: number, queuePair: number): boolean;
  take(): NicEvent | undefined;
  overflows(): number;
  close(): void;
}

export interface NativeAddon {
  Ingress: new (
    options: ResolvedIngressOptions,
    onEvent: (kind: 'coldStart' | 'replicaIdle' | 'error', text: string) => void,
  ) => NativeIngress;
  ControlBlock: new (path: string) => NativeControlBlock;
  EventQueue: new (path: string, isConsumer: boolean) => NativeEventQueue;
  attachNic(path: string, kind: NicPortKind, timeoutMs: number): Promise<NativeNicPort>;
  openProcess(pid: number, startTimeTicks: bigint): NativeProcessHandle | undefined;
  spawnDetached(spawn: NativeSpawn): NativeProcessHandle;
}

/** Seen from src/ and from dist/ alike. */
const DEFAULT_ADDON_PATH = fileURLToPath(new URL('../../../native/build/release/junction_addon.node', import.meta.url));

let addonPath = DEFAULT_ADDON_PATH;
let loaded: NativeAddon | undefined;

/** Names another addon file; call it before anything else of this library. Throws `ERR_NATIVE_LOAD` when one is loaded already. */
export function useAddon(path: string): void {
  if (loaded !== undefined && path !== addonPath) {
    throw new NativeError('ERR_NATIVE_LOAD', `${addonPath} is loaded already`);
  }
  addonPath = path;
}

/** The file that is, or would be, loaded. */
export function addonFile(): string {
  return addonPath;
}

/** Loads the addon once for this thread. Throws `ERR_NATIVE_LOAD` with what to do. */
export function loadAddon(): NativeAddon {
  if (loaded === undefined) {
    if (!existsSync(addonPath)) {
      throw new NativeError('ERR_NATIVE_LOAD', `${addonPath} is missing: build the native project first`);
    }
    try {
      loaded = createRequire(import.meta.url)(addonPath) as NativeAddon;
    } catch (cause) {
      throw new NativeError('ERR_NATIVE_LOAD', `${addonPath} does not load: ${String(cause)}`, { cause });
    }
  }
  return loaded;
}
