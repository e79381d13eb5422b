// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { afterThisTest, testAddonFile, testFolder } from './addon.fixture.js';
import { ControlBlock } from './control-block.js';

// Offsets of native/src/base/control_block.h.
const VERSION = 3;
const CORE_LIMIT = 64;
const LISTEN_SEQ = 128;
const PORTS = 256;
const PORT_SIZE = 24;
const THREADS = 1024;
const THREAD_SIZE = 64;

function blankBlock(): Buffer {
  const block = Buffer.alloc(65_536);
  block.write('JCNTCTL1', 0, 'latin1');
  block.writeUInt32LE(VERSION, 8);
  block.writeUInt32LE(block.length, 12);
  block.writeUInt32LE(2, CORE_LIMIT);
  return block;
}

function writeBlock(block: Buffer): string {
  const path = join(testFolder(), 'control');
  writeFileSync(path, block);
  return path;
}

function open(path: string): ControlBlock {
  const block = ControlBlock.open(path);
  afterThisTest(() => block.close());
  return block;
}

function setPort(block: Buffer, index: number, guestPort: number, hostPort: number, protocol: number): void {
  const at = PORTS + index * PORT_SIZE;
  block.writeUInt16LE(guestPort, at);
  block.writeUInt16LE(hostPort, at + 2);
  block.writeUInt8(protocol, at + 4);
  block.writeUInt8(1, at + 5);
  block.writeBigUInt64LE(77n, at + 16);
}

describe('ControlBlock', () => {
  beforeAll(() => {
    testAddonFile();
  });

  it('reads ports and counters', () => {
    const bytes = blankBlock();
    bytes.writeUInt32LE(5, LISTEN_SEQ);
    setPort(bytes, 0, 8080, 40_123, 6);
    setPort(bytes, 7, 53, 40_124, 17);
    for (const [thread, calls] of [10n, 32n].entries()) {
      bytes.writeBigUInt64LE(calls, THREADS + thread * THREAD_SIZE);
      bytes.writeUInt32LE(100 + thread, THREADS + thread * THREAD_SIZE + 8);
    }
    expect(open(writeBlock(bytes)).snapshot()).toEqual({
      coreLimit: 2,
      listenSeq: 5,
      threads: 2,
      guestSyscalls: 42n,
      processesStarted: 0n,
      ports: [
        { guestPort: 8080, hostPort: 40_123, protocol: 'tcp', listening: true, inode: 77n },
        { guestPort: 53, hostPort: 40_124, protocol: 'udp', listening: true, inode: 77n },
      ],
    });
  });

  it('leaves out port entries that make no sense', () => {
    const bytes = blankBlock();
    setPort(bytes, 0, 8080, 0, 6);
    setPort(bytes, 1, 8080, 40_123, 99);
    expect(open(writeBlock(bytes)).snapshot().ports).toEqual([]);
  });

  it('writes the core limit where the instance reads it', () => {
    const path = writeBlock(blankBlock());
    const block = open(path);
    block.setCoreLimit(7);
    expect(block.snapshot().coreLimit).toBe(7);
    expect(readFileSync(path).readUInt32LE(CORE_LIMIT)).toBe(7);
    expect(() => block.setCoreLimit(0)).toThrow(expect.objectContaining({ code: 'ERR_NATIVE_OPTION' }));
  });

  it('survives an instance that cuts the file short', () => {
    const path = writeBlock(blankBlock());
    const block = open(path);
    truncateSync(path, 100);
    expect(() => block.snapshot()).toThrow(expect.objectContaining({ code: 'ERR_NATIVE_FORMAT' }));
    truncateSync(path, 0);
    expect(() => block.snapshot()).toThrow(expect.objectContaining({ code: 'ERR_NATIVE_FORMAT' }));
  });

  it('refuses what is no control block', () => {
    const wrongMagic = blankBlock();
    wrongMagic.writeUInt8(0, 0);
    const wrongVersion = blankBlock();
    wrongVersion.writeUInt32LE(VERSION + 1, 8);
    for (const bytes of [wrongMagic, wrongVersion, Buffer.alloc(10), Buffer.alloc(0)]) {
      expect(() => open(writeBlock(bytes))).toThrow(expect.objectContaining({ code: 'ERR_NATIVE_FORMAT' }));
    }
    const folder = testFolder();
    mkdirSync(join(folder, 'dir'));
    expect(() => open(join(folder, 'dir'))).toThrow(expect.objectContaining({ code: 'EISDIR' }));
    expect(() => open(join(folder, 'none'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });

  it('does not follow a link', () => {
    const path = writeBlock(blankBlock());
    const link = join(testFolder(), 'link');
    symlinkSync(path, link);
    expect(() => open(link)).toThrow(expect.objectContaining({ code: 'ELOOP' }));
  });

  it('refuses to be used once closed', () => {
    const block = open(writeBlock(blankBlock()));
    block.close();
    block.close();
    expect(() => block.snapshot()).toThrow(expect.objectContaining({ code: 'ERR_NATIVE_CLOSED' }));
  });
});
