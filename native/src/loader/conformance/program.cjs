// SPDX-License-Identifier: Apache-2.0
// HTTP with JIT-compiled code, worker threads, child processes, zlib and crypto in Node.js.
'use strict';
const http = require('node:http');
const { execFileSync, spawn, fork } = require('node:child_process');
const { createHash } = require('node:crypto');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const zlib = require('node:zlib');
const path = require('node:path');

const sha = (body) => createHash('sha256').update(body).digest('hex');

function post(port, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', method: 'POST' }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve(text));
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function serve() {
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => response.end(sha(Buffer.concat(chunks))));
  });
  await new Promise((resolve) => server.listen(0, resolve));
  let right = 0;
  for (let i = 0; i < 200; i += 1) {
    const body = Buffer.alloc(600, i);
    right += (await post(server.address().port, body)) === sha(body) ? 1 : 0;
  }
  server.close();
  console.log('right answers', right);
}

function hot(limit) {
  let sum = 0;
  for (let i = 0; i < limit; i += 1) sum = (sum * 31 + i) % 1000003;
  return sum;
}

async function main() {
  if (process.argv[2] === 'child') {
    process.send({ hot: hot(1000) });
    process.disconnect();
    return;
  }
  console.log(path.basename(process.execPath));
  await serve();
  console.log('hot', hot(3e6));
  console.log(execFileSync('/bin/sh', ['-c', 'cat | tr a b'], { input: 'banana' }).toString());
  const child = spawn('/bin/sh', ['-c', 'kill -TERM $$']);
  console.log('child ended by', await new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal))));
  const forked = fork(__filename, ['child']);
  console.log('forked', await new Promise((resolve) => forked.on('message', resolve)));
  const worker = new Worker(__filename);
  console.log('worker', await new Promise((resolve) => worker.on('message', resolve)));
  console.log('zlib', zlib.gunzipSync(zlib.gzipSync(Buffer.alloc(100000, 'x'))).length);
  process.exitCode = 6;
}

if (isMainThread) main();
else parentPort.postMessage(hot(1e6));
