// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { afterThisTest, type Nic, runProgram, startNic, testAddonFile, testFolder } from './addon.fixture.js';
import { EventQueue } from './event-queue.js';
import { NicPort } from './nic-port.js';

async function attach(nic: Nic, kind: 'link' | 'uplink' = 'link'): Promise<NicPort> {
  const port = await NicPort.attach(nic.path, kind);
  afterThisTest(() => port.close());
  return port;
}

function frameOf(size: number, fill = 7): Buffer {
  return Buffer.alloc(size, fill);
}

describe('NicPort', () => {
  beforeAll(() => {
    testAddonFile();
  });

  it('leases a port and says whose it is', async () => {
    const nic = await startNic(2, 3);
    const first = await attach(nic);
    const second = await attach(nic);
    expect(first.info).toMatchObject({
      port: 1,
      portCount: 3,
      queuePairCount: 3,
      instanceMac: '02:00:0a:63:00:02',
      peerMac: '02:6a:75:6e:00:01',
      instanceIp4: '10.99.0.2',
      peerIp4: '169.254.254.1',
      instanceIp6: '::',
    });
    expect(second.info.port).toBe(2);
    expect((await attach(nic, 'uplink')).info.port).toBe(0);
    await expect(NicPort.attach(nic.path, 'link')).rejects.toMatchObject({ code: 'EBUSY' });
    first.close();
    // The monitor learns of the end by itself.
    for (;;) {
      try {
        expect((await attach(nic)).info.port).toBe(1);
        break;
      } catch (error) {
        expect(error).toMatchObject({ code: 'EBUSY' });
      }
    }
  });

  it('sends and receives frames of all sizes by each queue pair', async () => {
    const port = await attach(await startNic(1, 2));
    for (const queuePair of [0, 1]) {
      for (const size of [14, 1514, 65_549]) {
        const meta = { flags: 2, segmentBytes: 1448, checksumStart: 34, checksumOffset: 16 };
        const frame = frameOf(size, size % 251);
        expect(port.send(frame, queuePair, meta)).toBe(true);
        expect(await port.wait(30_000)).toBe(true);
        const answer = port.receive(queuePair);
        expect(answer).toMatchObject(meta);
        expect(answer?.data.equals(frame)).toBe(true);
        expect(port.receive(queuePair)).toBeUndefined();
      }
    }
    const [first, second] = port.counters().queuePairs;
    expect(first?.toInstance).toMatchObject({ frames: 3, bytes: 14 + 1514 + 65_549 });
    expect(second?.fromInstance).toMatchObject({ frames: 3 });
    expect(port.counters().generation % 2).toBe(1);
  });

  it('loses no frame and no wake-up when both sides sleep between frames', async () => {
    const port = await attach(await startNic());
    for (let i = 0; i < 2000; ++i) {
      port.send(frameOf(60, i % 256));
      expect(await port.wait(30_000)).toBe(true);
      expect(port.receive()?.data[0]).toBe(i % 256);
    }
  });

  it('says when there is no room, and goes on afterwards', async () => {
    const port = await attach(await startNic());
    let sent = 0;
    let received = 0;
    // The echo sends back what it takes, so that its ring fills up first, then ours.
    while (sent < 2000 && port.send(frameOf(9000))) ++sent;
    expect(sent).toBeGreaterThan(20);
    expect(await port.wait(30_000)).toBe(true);
    while (port.receive() !== undefined) ++received;
    expect(received).toBeGreaterThan(0);
  });

  it('tells that the instance is gone', async () => {
    const nic = await startNic();
    const port = await attach(nic);
    expect(port.isLost).toBe(false);
    const waiting = port.wait(30_000);
    await nic.kill();
    expect(await waiting).toBe(true);
    expect(port.isLost).toBe(true);
    expect(port.send(frameOf(60))).toBe(true); // nobody minds
    await expect(NicPort.attach(nic.path, 'link')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(NicPort.attach('/nonexistent', 'link')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('refuses what is out of range, and everything once closed', async () => {
    const port = await attach(await startNic());
    for (const fault of [
      () => port.send(frameOf(13)),
      () => port.send(frameOf(65_550)),
      () => port.send(frameOf(60), 1),
      () => port.send(frameOf(60), -1),
      () => port.receive(0.5 + 64),
      () => port.send('text' as unknown as Uint8Array),
    ]) {
      expect(fault).toThrow(expect.objectContaining({ code: 'ERR_NATIVE_OPTION' }));
    }
    await expect(port.wait(-1)).rejects.toMatchObject({ code: 'ERR_NATIVE_OPTION' });
    await expect(NicPort.attach('x', 'other' as 'link')).rejects.toMatchObject({ code: 'ERR_NATIVE_OPTION' });
    const waiting = port.wait(10);
    port.close();
    port.close();
    expect(await waiting).toBe(false); // the wait held on to what it needs
    for (const use of [() => port.info, () => port.send(frameOf(60)), () => port.receive(), () => port.counters()]) {
      expect(use).toThrow(expect.objectContaining({ code: 'ERR_NATIVE_CLOSED' }));
    }
    await expect(port.wait(1)).rejects.toMatchObject({ code: 'ERR_NATIVE_CLOSED' });
  });

  it('works in several worker threads at once, also in those that are ended in the midst of it', async () => {
    const nic = await startNic(3);
    const body = `const { parentPort, workerData } = require('node:worker_threads');
      const addon = require(workerData.file);
      (async () => {
        const port = await addon.attachNic(workerData.path, 'link', 1000);
        for (let i = 0; ; ++i) {
          if (i === 50) parentPort.postMessage(port.info().port);
          port.send(0, new Uint8Array(60));
          await port.wait(1000);
          port.receive(0);
        }
      })();`;
    const workerData = { file: testAddonFile(), path: nic.path };
    const workers = Array.from({ length: 3 }, () => new Worker(body, { eval: true, workerData }));
    const ports = await Promise.all(workers.map(async (worker) => ((await once(worker, 'message')) as [number])[0]));
    expect(new Set(ports).size).toBe(3);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });

  it('ends with a program that holds a port or waits for one', async () => {
    const nic = await startNic();
    const { code, output } = await runProgram(`
      addon.attachNic(${JSON.stringify(nic.path)}, 'link', 1000).then((port) => {
        port.wait(200);
        console.log('attached');
        setTimeout(() => process.exit(3), 1);
      });`);
    expect({ code, output }).toEqual({ code: 3, output: 'attached\n' });
  });
});

describe('EventQueue', () => {
  it('passes events from producers to the consumer', () => {
    const path = join(testFolder(), 'events');
    expect(() => EventQueue.open(path)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    using consumer = EventQueue.create(path);
    using first = EventQueue.open(path);
    using second = EventQueue.open(path);
    expect(consumer.take()).toBeUndefined();
    first.post({ instance: 5, queuePair: 1 });
    second.post({ instance: 2 ** 24 - 1, queuePair: 63 });
    expect(consumer.take()).toEqual({ instance: 5, queuePair: 1 });
    expect(consumer.take()).toEqual({ instance: 2 ** 24 - 1, queuePair: 63 });
    expect(consumer.take()).toBeUndefined();
    expect(() => first.post({ instance: 2 ** 24, queuePair: 0 })).toThrow(
      expect.objectContaining({ code: 'ERR_NATIVE_OPTION' }),
    );
    expect(() => first.take()).toThrow(expect.objectContaining({ code: 'ERR_NATIVE_OPTION' }));
  });

  it('counts what finds it full', () => {
    const path = join(testFolder(), 'events');
    using consumer = EventQueue.create(path);
    using producer = EventQueue.open(path);
    let posted = 0;
    while (producer.post({ instance: posted, queuePair: 0 })) ++posted;
    expect(posted).toBe(4096);
    expect(consumer.overflows).toBe(1);
    for (let i = 0; i < posted; ++i) expect(consumer.take()?.instance).toBe(i);
    expect(producer.post({ instance: 1, queuePair: 0 })).toBe(true);
    producer.close();
    expect(() => producer.post({ instance: 1, queuePair: 0 })).toThrow(
      expect.objectContaining({ code: 'ERR_NATIVE_CLOSED' }),
    );
  });
});
