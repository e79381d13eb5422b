// SPDX-License-Identifier: Apache-2.0
import { loadAddon, type NativeControlBlock } from './addon.js';
import { native, NativeError } from './native-error.js';

export interface InstancePort {
  guestPort: number;
  /** On 127.0.0.1. */
  hostPort: number;
  protocol: 'tcp' | 'udp';
  /** True from listen() on; TCP only. */
  listening: boolean;
  /** Of the host socket: tells a re-bound port from the old one. */
  inode: bigint;
}

/** What an instance says of itself, copied and checked for form. It is still only the instance's word. */
export interface InstanceSnapshot {
  coreLimit: number;
  /** Bumped by the instance after each change of `ports`. */
  listenSeq: number;
  ports: InstancePort[];
  guestSyscalls: bigint;
  threads: number;
  processesStarted: bigint;
}

/** One instance's control block (native/src/base/control_block.h), read and written by descriptor. */
export class ControlBlock {
  readonly #native: NativeControlBlock;

  private constructor(block: NativeControlBlock) {
    this.#native = block;
  }

  /** Throws NativeError: an errno, or `ERR_NATIVE_FORMAT` when size, magic or version are not those of a control block. */
  static open(path: string): ControlBlock {
    const addon = loadAddon();
    return new ControlBlock(native(() => new addon.ControlBlock(path)));
  }

  snapshot(): InstanceSnapshot {
    return native(() => this.#native.snapshot());
  }

  /** Writes the settings field `core_limit`; the Junction kernel takes it up by itself. */
  setCoreLimit(cores: number): void {
    if (!Number.isInteger(cores) || cores < 1 || cores > 4096) {
      throw new NativeError('ERR_NATIVE_OPTION', `cores must be 1 to 4096, not ${cores}`);
    }
    native(() => {
      this.#native.setCoreLimit(cores);
    });
  }

  /** Closes the file. Any number of times; later calls of the others throw `ERR_NATIVE_CLOSED`. */
  close(): void {
    this.#native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
