// SPDX-License-Identifier: Apache-2.0

// aes-node is a function: it answers a POST with the AES-128-CTR encryption of the body, in lowercase
// hex. Environment: AES_KEY (32 hex digits), PORT (8080).
import { createCipheriv } from 'node:crypto';
import { createServer } from 'node:http';

/** Bounds the memory of one request. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const COUNTER_BLOCK = Buffer.alloc(16);

const keyText = process.env.AES_KEY || '000102030405060708090a0b0c0d0e0f';
const port = Number(process.env.PORT || 8080);
if (!/^[0-9a-fA-F]{32}$/.test(keyText)) {
  fail('AES_KEY must be 32 hex digits (an AES-128 key)');
}
if (!Number.isInteger(port) || port < 1 || port > 65535) {
  fail(`PORT must be a port from 1 to 65535, not '${process.env.PORT}'`);
}
const key = Buffer.from(keyText, 'hex');

const server = createServer((request, response) => {
  if (request.url === '/_/health') {
    answer(response, 200, '');
  } else if (request.method !== 'POST') {
    response.setHeader('Allow', 'POST');
    answer(response, 405, 'only POST is allowed\n');
  } else {
    encryptBody(request, response);
  }
});
server.on('error', (error) => fail(error.message));
server.listen(port);

// close() takes no new connection, ends the idle ones and waits for the requests in flight.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => server.close(() => process.exit(0)));
}

function encryptBody(request, response) {
  const chunks = [];
  let sizeBytes = 0;
  request.on('data', (chunk) => {
    sizeBytes += chunk.length;
    if (sizeBytes <= MAX_BODY_BYTES) chunks.push(chunk);
    else chunks.length = 0;
  });
  request.on('end', () => {
    if (sizeBytes > MAX_BODY_BYTES) {
      answer(response, 413, `the body is larger than ${MAX_BODY_BYTES} bytes\n`);
      return;
    }
    const cipher = createCipheriv('aes-128-ctr', key, COUNTER_BLOCK);
    answer(response, 200, cipher.update(Buffer.concat(chunks)).toString('hex'));
  });
}

function answer(response, status, text) {
  response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': text.length });
  response.end(text);
}

function fail(message) {
  process.stderr.write(`aes-node: ${message}\n`);
  process.exit(1);
}
