// SPDX-License-Identifier: Apache-2.0
// What the stack is measured against: the same binary called directly, and nginx in front of it at its best.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A reference that answers invocations at `url`. */
export interface Reference {
  readonly name: string;
  readonly url: string;
  stop(): Promise<void>;
}

/** A TCP port of 127.0.0.1 that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

/** Waits until somebody listens on the port; an error if `child` has ended or 10 s have passed. */
export async function waitUntilAccepts(port: number, child: ChildProcess, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`${what} does not listen on port ${port.toString()}`);
    }
    await delay(20);
  }
}

/** What ends `child` and waits for that. */
export function stopper(child: ChildProcess): () => Promise<void> {
  return async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      await closed;
    }
  };
}

/** Starts the function's binary on the host; `maxProcs` limits the Go runtime, undefined leaves its default. */
export async function startDirect(binary: string, maxProcs?: number): Promise<Reference> {
  const port = await freePort();
  const limit = maxProcs === undefined ? {} : { GOMAXPROCS: maxProcs.toString() };
  const child = spawn(binary, [], {
    env: { PATH: '/usr/bin:/bin', PORT: port.toString(), ...limit },
    stdio: 'ignore',
  });
  await waitUntilAccepts(port, child, binary);
  return {
    name: maxProcs === undefined ? 'direct' : `direct-procs${maxProcs.toString()}`,
    url: `http://127.0.0.1:${port.toString()}/`,
    stop: stopper(child),
  };
}

/** Starts nginx with keep-alive to the upstream, HTTP/1.1 and no access log in front of a direct reference. */
export async function startNginx(folder: string, upstream: Reference, workers: number): Promise<Reference> {
  const port = await freePort();
  const name = `nginx${workers.toString()}-${upstream.name}`;
  const prefix = join(folder, name);
  await mkdir(prefix, { recursive: true });
  const config = `
daemon off;
user root;
worker_processes ${workers.toString()};
pid ${prefix}/nginx.pid;
error_log ${prefix}/error.log;
events { worker_connections 1024; multi_accept on; }
http {
  access_log off;
  keepalive_requests 1000000000;
  tcp_nodelay on;
  client_body_temp_path ${prefix}/body;
  proxy_temp_path ${prefix}/proxy;
  fastcgi_temp_path ${prefix}/fastcgi;
  uwsgi_temp_path ${prefix}/uwsgi;
  scgi_temp_path ${prefix}/scgi;
  upstream function { server ${new URL(upstream.url).host}; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port.toString()};
    location / { proxy_pass http://function; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`;
  const configFile = join(prefix, 'nginx.conf');
  await writeFile(configFile, config);
  const child = spawn('/usr/sbin/nginx', ['-p', prefix, '-c', configFile], { stdio: 'ignore' });
  await waitUntilAccepts(port, child, 'nginx');
  return { name, url: `http://127.0.0.1:${port.toString()}/`, stop: stopper(child) };
}
