// SPDX-License-Identifier: Apache-2.0
import { loadAddon, type NativeNicPort } from './addon.js';
import { native, NativeError, rethrowNative } from './native-error.js';

/** `uplink`: port 0, for one holder. `link`: any of the others that is free. */
export type NicPortKind = 'uplink' | 'link';

export interface NicPortInfo {
  port: number;
  portCount: number;
  queuePairCount: number;
  /** `02:00:…` */
  instanceMac: string;
  /** Ours. */
  peerMac: string;
  /** `0.0.0.0` and `::` = none. */
  instanceIp4: string;
  peerIp4: string;
  instanceIp6: string;
  peerIp6: string;
}

/** What goes with a frame besides its bytes (native/src/nic/frame.h); absent = 0. */
export interface FrameMeta {
  /** Bits: 1 checksum left blank, 2 checksum good, 4 and 8 TCP segments over IPv4 or IPv6 to be cut. */
  flags?: number;
  /** Payload of each piece of a frame to be cut. */
  segmentBytes?: number;
  checksumStart?: number;
  checksumOffset?: number;
}

/** A frame that came from the instance: hostile. */
export interface Frame extends Required<FrameMeta> {
  /** A copy, from the Ethernet header on. */
  data: Buffer;
}

export interface RingCounters {
  frames: number;
  bytes: number;
  /** Times that a frame found no room. */
  full: number;
}

/** Read from memory that the instance can write to: its word, no more. */
export interface NicCounters {
  /** Bumped each time that a peer of this port comes or goes; odd = there is one. */
  generation: number;
  activeQueuePairs: number;
  /** Times that a peer woke the instance. */
  instanceRings: number;
  /** Times that the instance woke this port's peer. */
  peerRings: number;
  instanceSleeps: boolean;
  queuePairs: { toInstance: RingCounters; fromInstance: RingCounters }[];
}

/**
 * A leased port of an instance's NIC: frames in and out, for tests and tools (the ingress has its own, in C++). Frames are copied: memory that
 * the instance changes, and that is unmapped when the lease ends, is not for JavaScript. An object belongs to the thread that made it.
 */
export class NicPort {
  readonly #native: NativeNicPort;
  #closed = false;

  private constructor(port: NativeNicPort) {
    this.#native = port;
  }

  /**
   * Leases a port of the instance that gives out links at `path`. It is the caller's until `close`, or until this object is collected.
   * Rejects with NativeError: `ENOENT` or `ECONNREFUSED` (no such instance any more), `EBUSY` (taken), `EPROTO` (another version), `ETIMEDOUT`.
   */
  static async attach(path: string, kind: NicPortKind, timeoutMs = 1000): Promise<NicPort> {
    if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > 60_000) {
      throw new NativeError('ERR_NATIVE_OPTION', `timeoutMs must be 1 to 60000, not ${timeoutMs}`);
    }
    const addon = loadAddon();
    try {
      return new NicPort(await addon.attachNic(path, kind, timeoutMs));
    } catch (error) {
      rethrowNative(error);
    }
  }

  get info(): NicPortInfo {
    return native(() => this.#native.info());
  }

  /**
   * Puts a frame of 14 to 65,549 bytes into a ring and wakes the instance if it sleeps. False: no room. Throws `ERR_NATIVE_FORMAT` once the
   * instance has broken the ring.
   */
  send(frame: Uint8Array, queuePair = 0, meta?: FrameMeta): boolean {
    return native(() => this.#native.send(queuePair, frame, meta));
  }

  /** Takes the next frame of a ring, if there is one. Throws `ERR_NATIVE_FORMAT` once the instance has broken the ring. */
  receive(queuePair = 0): Frame | undefined {
    return native(() => this.#native.receive(queuePair));
  }

  counters(): NicCounters {
    return native(() => this.#native.counters());
  }

  /**
   * Arms the doorbell and sleeps until there are frames or the lease is lost: true, or false after `timeoutMs` (at most a minute). It takes up a
   * thread of libuv's pool meanwhile.
   */
  async wait(timeoutMs: number): Promise<boolean> {
    if (!Number.isInteger(timeoutMs) || timeoutMs < 0 || timeoutMs > 60_000) {
      throw new NativeError('ERR_NATIVE_OPTION', `timeoutMs must be 0 to 60000, not ${timeoutMs}`);
    }
    const end = performance.now() + timeoutMs;
    for (;;) {
      const left = Math.max(0, Math.ceil(end - performance.now()));
      const rung = await native(() => this.#native.wait(left));
      if (this.#closed) return false;
      // A ring may be an old one, for frames that were received in the meantime.
      if (this.#native.hasFrames() || this.#native.isLost()) return true;
      if (!rung && performance.now() >= end) return false;
    }
  }

  /** Whether the instance is gone. */
  get isLost(): boolean {
    return native(() => this.#native.isLost());
  }

  /** Gives the port back, once waits that are under way are over. Any number of times; later calls of the others throw `ERR_NATIVE_CLOSED`. */
  close(): void {
    this.#closed = true;
    this.#native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
