// SPDX-License-Identifier: Apache-2.0
// Node.js: what gRPC and WebSocket programs do with a connection: many HTTP/2 streams at once, both ways, and an upgraded connection with frames.
'use strict';
const http = require('node:http');
const http2 = require('node:http2');
const crypto = require('node:crypto');
const { once } = require('node:events');

const kStreams = 50;
const kMessages = 40;
const kGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455, section 1.3

// A gRPC message: a flag, its length, its bytes.
function frame(text) {
  const body = Buffer.from(text);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

function unframe(state, chunk, onMessage) {
  state.rest = Buffer.concat([state.rest, chunk]);
  while (state.rest.length >= 5 && state.rest.length >= 5 + state.rest.readUInt32BE(1)) {
    const size = state.rest.readUInt32BE(1);
    onMessage(state.rest.subarray(5, 5 + size).toString());
    state.rest = state.rest.subarray(5 + size);
  }
}

function serveStreams() {
  const server = http2.createServer();
  server.on('stream', (stream) => {
    const state = { rest: Buffer.alloc(0) };
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('data', (chunk) => unframe(state, chunk, (text) => stream.write(frame(text.toUpperCase()))));
    stream.on('end', () => stream.end());
  });
  return server;
}

// One call: a message is sent when the one before was answered.
function call(session, index) {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': '/echo.Echo/Stream', te: 'trailers' });
    const state = { rest: Buffer.alloc(0) };
    let count = 0;
    let status = 'none';
    const send = () => stream.write(frame(`stream ${index} message ${count} ${'x'.repeat((index * 97 + count) % 3000)}`));
    stream.on('trailers', (headers) => (status = headers['grpc-status']));
    stream.on('data', (chunk) =>
      unframe(state, chunk, (text) => {
        if (!text.startsWith(`STREAM ${index} MESSAGE ${count} `)) {
          reject(new Error(`wrong answer: ${text.slice(0, 30)}`));
        }
        count += 1;
        if (count === kMessages) {
          stream.end();
        } else {
          send();
        }
      }),
    );
    stream.on('error', reject);
    stream.on('close', () => resolve(`${count} ${status}`));
    send();
  });
}

async function streams(host) {
  const server = serveStreams();
  server.listen(0, host);
  await once(server, 'listening');
  const session = http2.connect(`http://${host.includes(':') ? `[${host}]` : host}:${server.address().port}`);
  const results = await Promise.all(Array.from({ length: kStreams }, (_, index) => call(session, index)));
  session.close();
  await once(session, 'close');
  server.close();
  console.log('streams over', host, results.length, new Set(results));
}

function serveSocket() {
  const server = http.createServer();
  server.on('upgrade', (request, socket) => {
    const accept = crypto.createHash('sha1').update(request.headers['sec-websocket-key'] + kGuid).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    // A masked text frame of less than 126 bytes comes back without the mask (RFC 6455, section 5.2).
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 6 && rest.length >= 6 + (rest[1] & 127)) {
        const size = rest[1] & 127;
        const body = Buffer.from(rest.subarray(6, 6 + size).map((byte, i) => byte ^ rest[2 + (i & 3)]));
        socket.write(Buffer.concat([Buffer.from([rest[0], size]), body]));
        rest = rest.subarray(6 + size);
      }
    });
    socket.on('end', () => socket.end());
  });
  return server;
}

async function webSocket() {
  const server = serveSocket();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const request = http.get({
    port: server.address().port,
    host: '127.0.0.1',
    headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' },
  });
  const [response, socket, head] = await once(request, 'upgrade');
  console.log(response.statusCode, response.headers['sec-websocket-accept'], head.length);
  let answers = Buffer.alloc(0);
  let expected = 0;
  socket.on('data', (chunk) => (answers = Buffer.concat([answers, chunk])));
  for (let i = 0; i < 200; i += 1) {
    const body = Buffer.from(`frame ${i}`);
    const mask = Buffer.from([i, i + 1, i + 2, i + 3].map((byte) => byte & 255));
    socket.write(Buffer.concat([Buffer.from([0x81, 128 | body.length]), mask, body.map((byte, j) => byte ^ mask[j & 3])]));
    expected += 2 + body.length;
    while (i % 10 === 9 && answers.length < expected) {
      await once(socket, 'data');
    }
  }
  console.log('frames', answers.length === expected, answers.subarray(2, 9).toString());
  socket.end();
  await once(socket, 'close');
  server.close();
}

async function main() {
  await streams('127.0.0.1');
  await streams('::1');
  await webSocket();
}

main().catch((error) => {
  console.log(error);
  process.exit(1);
});
