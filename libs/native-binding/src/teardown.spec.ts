// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from '@jest/globals';
import { runProgram, testAddonFile } from './addon.fixture.js';
import { resolveIngressOptions } from './ingress-options.js';

const options = JSON.stringify(
  resolveIngressOptions({ host: '127.0.0.1', port: 0, apiSocketPath: '/nonexistent', workers: 2 }),
);

/** Starts an ingress with a function at zero and holds a request there, so that threads are busy with reports. */
const busyIngress = `
  const ingress = new addon.Ingress(${options}, () => undefined);
  ingress.serve();
  ingress.applyRoutes({ snapshot: true, version: 1n, removes: [], upserts: [
    { functionName: 'f.openfaas-fn', replicas: [], timeoutMs: 0, maxInflight: 0, startsFromZero: true } ] });
  fetch('http://127.0.0.1:' + ingress.port + '/function/f').catch(() => undefined);
  const whenHeld = (then) => (ingress.metrics().held > 0 ? then() : setTimeout(whenHeld, 1, then));
  const waiting = addon.spawnDetached(
    { file: '/bin/sleep', argv: ['sleep', '1'], env: [], cwd: '', stdoutFile: '', stderrFile: '' });
  waiting.exited();
`;

/** The same in a worker thread, whose code may not name the file by itself. */
function startWorker(body: string): Worker {
  const code = `const addon = require(require('node:worker_threads').workerData);\n${body}`;
  return new Worker(code, { eval: true, workerData: testAddonFile() });
}

describe('the addon', () => {
  it('ends with a program that returns from its loop after a stop', async () => {
    const { code, output } = await runProgram(
      `${busyIngress} whenHeld(() => { ingress.stop(); console.log('stopped'); });`,
    );
    expect({ code, output }).toEqual({ code: 0, output: 'stopped\n' });
  });

  it('ends with a program that exits while it serves', async () => {
    const { code, output } = await runProgram(`${busyIngress} whenHeld(() => process.exit(7));`);
    expect({ code, output }).toEqual({ code: 7, output: '' });
  });

  it('ends with a program that fails while it serves', async () => {
    const { code, output } = await runProgram(`${busyIngress} whenHeld(() => { throw new Error('as it should'); });`);
    expect(code).toBe(1);
    expect(output).toContain('as it should');
  });

  it('keeps a program alive until it is stopped', async () => {
    const { code, output } = await runProgram(`
      const ingress = new addon.Ingress(${options}, () => undefined);
      setTimeout(() => { console.log('still here'); ingress.stop(); }, 50);`);
    expect({ code, output }).toEqual({ code: 0, output: 'still here\n' });
  });

  it('does not keep a program alive that only waits for a process', async () => {
    const { code } = await runProgram(`
      addon.openProcess(${process.pid}, 0n).exited();`);
    expect(code).toBe(0);
  });

  it('works in several worker threads at once, and leaves when they are ended', async () => {
    const body = `${busyIngress}
      whenHeld(() => require('node:worker_threads').parentPort.postMessage(ingress.port));`;
    const workers = Array.from({ length: 3 }, () => startWorker(body));
    const ports = await Promise.all(workers.map(async (worker) => ((await once(worker, 'message')) as [number])[0]));
    expect(new Set(ports).size).toBe(3);
    expect(await Promise.all(workers.map((worker) => worker.terminate()))).toEqual([1, 1, 1]);
  });

  it('works in a worker thread that is ended while it starts', async () => {
    for (let i = 0; i < 5; ++i) {
      const worker = startWorker(busyIngress);
      await once(worker, 'online');
      await worker.terminate();
    }
  });

  it('refuses arguments of wrong types instead of crashing', async () => {
    const { code, output } = await runProgram(`
      const faults = [
        () => new addon.Ingress(), () => new addon.Ingress({}, () => undefined), () => new addon.Ingress(null, () => undefined),
        () => new addon.ControlBlock(5), () => addon.openProcess('1'), () => addon.spawnDetached({}), () => addon.spawnDetached(),
        () => addon.Ingress.prototype.stop.call({}),
      ];
      const codes = faults.map((fault) => { try { fault(); return 'nothing'; } catch (error) { return error.code ?? error.name; } });
      const ingress = new addon.Ingress(${options}, () => undefined);
      for (const update of [undefined, {}, { snapshot: true, version: 1, upserts: [], removes: [] },
                            { snapshot: true, version: 1n, upserts: [{}], removes: [] },
                            { snapshot: true, version: 1n, upserts: [], removes: [1] }]) {
        try { ingress.applyRoutes(update); codes.push('nothing'); } catch (error) { codes.push(error.code); }
      }
      try { ingress.drain('soon'); } catch (error) { codes.push(error.code); }
      ingress.stop();
      console.log([...new Set(codes)].join(' '));`);
    expect({ code, output }).toEqual({ code: 0, output: 'ERR_NATIVE_OPTION TypeError\n' });
  });
});
