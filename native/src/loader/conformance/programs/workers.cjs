// SPDX-License-Identifier: Apache-2.0
// Node.js: worker threads that share memory, child processes with pipes and channels, streams through zlib and crypto, express.
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { exec, execFile, spawn, fork } = require('node:child_process');
const { once } = require('node:events');
const { pipeline } = require('node:stream/promises');
const { promisify } = require('node:util');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const zlib = require('node:zlib');

function work({ shared, turns }) {
  const words = new Int32Array(shared);
  let hash = 0;
  for (let i = 0; i < turns; i += 1) {
    Atomics.add(words, 0, 1);
    hash = (hash * 33 + i) | 0;
    if (i % 1000 === 0) crypto.createHash('sha1').update(Buffer.alloc(1000, i)).digest();
  }
  Atomics.add(words, 1, 1);
  Atomics.notify(words, 1);
  return hash;
}

async function useWorkers() {
  const shared = new SharedArrayBuffer(8);
  const workers = Array.from({ length: 4 }, () => new Worker(__filename, { workerData: { shared, turns: 20000 } }));
  const hashes = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]));
  await Promise.all(workers.map((worker) => worker.terminate()));
  console.log('workers', Atomics.load(new Int32Array(shared), 0), new Set(hashes).size);
}

async function useChildren() {
  const results = await Promise.all(
    Array.from({ length: 8 }, (_, i) => promisify(exec)(`echo $((${i} * 2)); echo err >&2`, { encoding: 'utf8' })),
  );
  console.log('children', results.map((result) => result.stdout.trim()).join());
  const sorter = spawn('/usr/bin/sort', ['-n'], { stdio: ['pipe', 'pipe', 'inherit'] });
  sorter.stdin.end(Array.from({ length: 20000 }, (_, i) => (i * 7919) % 20011).join('\n'));
  let lines = '';
  for await (const chunk of sorter.stdout) lines += chunk;
  console.log('sorted', lines.split('\n').slice(0, 3).join());
  const child = fork(__filename, ['echo'], { serialization: 'advanced' });
  const sums = [];
  for (let i = 0; i < 20; i += 1) {
    child.send({ i, bytes: Buffer.alloc(1000, i) });
    sums.push((await once(child, 'message'))[0]);
  }
  child.disconnect();
  console.log('channel', sums.reduce((a, b) => a + b), (await once(child, 'exit'))[0]);
  await promisify(execFile)('/bin/sleep', ['60'], { timeout: 50 }).catch((error) => console.log('timeout', error.killed, error.signal));
}

async function useStreams(folder) {
  const file = path.join(folder, 'stream');
  const random = crypto.createHash('sha512').update('seed').digest();
  const source = async function* () {
    for (let i = 0; i < 200; i += 1) yield Buffer.concat(Array(50).fill(random));
  };
  await pipeline(source, zlib.createGzip(), crypto.createCipheriv('aes-128-ctr', random.subarray(0, 16), random.subarray(16, 32)), fs.createWriteStream(file));
  const hash = crypto.createHash('sha256');
  await pipeline(
    fs.createReadStream(file),
    crypto.createDecipheriv('aes-128-ctr', random.subarray(0, 16), random.subarray(16, 32)),
    zlib.createGunzip(),
    hash,
  );
  console.log('streams', hash.digest('hex'));
  const keys = await Promise.all(Array.from({ length: 8 }, (_, i) => promisify(crypto.scrypt)('secret', `salt ${i}`, 16)));
  console.log('scrypt', keys[7].toString('hex'));
  const changed = fs.promises.watch ? fs.watch(folder) : null;
  const event = once(changed, 'change');
  fs.writeFileSync(path.join(folder, 'new'), '');
  await event;
  changed.close();
  console.log('watched');
}

async function ask(port, target, body) {
  const request = http.request({ port, host: '127.0.0.1', path: target, method: 'POST', headers: { 'content-type': 'application/json' } });
  request.end(JSON.stringify(body));
  const [response] = await once(request, 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

async function useExpress() {
  const express = require('express');
  const app = express();
  app.use(express.json());
  app.post('/double/:name', (request, response) => response.json({ [request.params.name]: request.body.value * 2 }));
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => ask(server.address().port, `/double/n${i}`, { value: i })));
  console.log('express', answers.filter((answer, i) => answer === `{"n${i}":${i * 2}}`).length);
  server.close();
}

async function useSockets(folder) {
  const name = path.join(folder, 'socket');
  const server = net.createServer((socket) => socket.pipe(socket)).listen(name);
  await once(server, 'listening');
  const client = net.connect(name);
  client.end(Buffer.alloc(300000, 'x'));
  let size = 0;
  for await (const chunk of client) size += chunk.length;
  server.close();
  console.log('unix', size);
}

async function main() {
  const folder = process.argv[2];
  await useWorkers();
  await useChildren();
  await useStreams(folder);
  await useSockets(folder);
  await useExpress();
  process.on('SIGUSR2', () => console.log('signal'));
  process.kill(process.pid, 'SIGUSR2');
  await new Promise((resolve) => setTimeout(resolve, 20));
  console.log('cpus', os.cpus().length > 0);
}

if (!isMainThread) parentPort.postMessage(work(workerData));
else if (process.argv[2] === 'echo') process.on('message', ({ i, bytes }) => process.send(i + bytes[0]));
else main();
