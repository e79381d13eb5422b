// SPDX-License-Identifier: Apache-2.0
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { exchange, freePort, until } from '@junctiond/testing';
import { RunningProgram, builtProgram, functionsRoot } from './running-program.fixture.ts';

const running: RunningProgram[] = [];
const servers: Server[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((program) => program.kill()));
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function start(name: string, env: Record<string, string>): Promise<RunningProgram> {
  const port = await freePort();
  const program = new RunningProgram([builtProgram(name)], { ...env, port: String(port) }, port);
  running.push(program);
  return program;
}

async function startUpstream(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const port = await freePort();
  const server = createServer(answer).listen(port, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${port}`;
}

async function untilReady(program: RunningProgram): Promise<void> {
  await program.listening();
  await until('the child listens', async () => {
    const answer = await exchange(`${program.url}/_/ready`, { method: 'GET' });
    return answer.status === 200;
  });
}

describe('http-watchdog', () => {
  it('starts the child server and proxies to it', async () => {
    const childPort = String(await freePort());
    const watchdog = await start('http-watchdog', {
      fprocess: builtProgram('aes'),
      http_upstream_url: `http://127.0.0.1:${childPort}`,
      PORT: childPort,
    });
    await untilReady(watchdog);
    const answer = await exchange(watchdog.url, { body: Buffer.alloc(16) });
    expect(answer.body.toString()).toBe('c6a13b37878f5b826f4f8162a1c8d879');
    expect((await exchange(watchdog.url, { method: 'GET' })).status).toBe(405);
    expect((await exchange(`${watchdog.url}/_/health`, { method: 'GET' })).status).toBe(200);
  });

  it('is healthy but not ready while the child does not listen, and answers 502', async () => {
    const upstream = `http://127.0.0.1:${await freePort()}`;
    const watchdog = await start('http-watchdog', { fprocess: 'sleep 60', http_upstream_url: upstream });
    await watchdog.listening();
    expect((await exchange(`${watchdog.url}/_/health`, { method: 'GET' })).status).toBe(200);
    expect((await exchange(`${watchdog.url}/_/ready`, { method: 'GET' })).status).toBe(503);
    expect((await exchange(watchdog.url, { body: 'x' })).status).toBe(502);
  });

  it('ends with the child', async () => {
    const watchdog = await start('http-watchdog', { fprocess: 'false' });
    expect((await watchdog.exit).code).toBe(1);
    expect(watchdog.stderr).toContain('http-watchdog: the child has ended: exit status 1');
  });

  it('refuses to start without a command', async () => {
    const watchdog = await start('http-watchdog', {});
    expect((await watchdog.exit).code).toBe(1);
    expect(watchdog.stderr).toContain('fprocess must name the command');
  });

  it('on SIGTERM finishes what is in flight, then stops the child', async () => {
    let release: (() => void) | undefined;
    const arrived = Promise.withResolvers<undefined>();
    const upstream = await startUpstream((request, response) => {
      release = () => response.end('finished');
      request.resume();
      arrived.resolve(undefined);
    });
    const watchdog = await start('http-watchdog', {
      fprocess: join(functionsRoot, 'test/wait-for-term.sh'),
      http_upstream_url: upstream,
    });
    await untilReady(watchdog);
    await until('the child has started', () => watchdog.stdout.includes('child started'));
    const answer = exchange(watchdog.url, { body: 'x' });
    await arrived.promise;
    watchdog.signal('SIGTERM');
    await until('the watchdog takes no new connection', async () => !(await accepts(watchdog)));
    expect(watchdog.stdout).not.toContain('child got SIGTERM');
    release?.();
    expect((await answer).body.toString()).toBe('finished');
    expect(await watchdog.exit).toEqual({ code: 0, signal: null });
    expect(watchdog.stdout).toContain('child got SIGTERM');
  });
});

describe('fork-watchdog', () => {
  it('runs a process for each request: body in, standard output out', async () => {
    const watchdog = await (await start('fork-watchdog', { fprocess: 'tr a-z A-Z' })).listening();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => exchange(watchdog.url, { body: `hello ${i}` })),
    );
    expect(answers.map((answer) => answer.body.toString())).toEqual(Array.from({ length: 20 }, (_, i) => `HELLO ${i}`));
  });

  it('runs a script with pipelines', async () => {
    const script = join(functionsRoot, 'fixtures/fork-watchdog/word-count.sh');
    const watchdog = await (await start('fork-watchdog', { fprocess: script })).listening();
    const answer = await exchange(watchdog.url, { body: 'the fork and the process and the pipe' });
    expect(answer.body.toString()).toBe('3 the\n2 and\n1 fork\n1 pipe\n1 process\n');
  });

  it('answers 500 where the process fails, with its standard error in the log', async () => {
    const script = join(functionsRoot, 'fixtures/fork-watchdog/word-count.sh');
    const watchdog = await (await start('fork-watchdog', { fprocess: script })).listening();
    const answer = await exchange(watchdog.url, { body: 'please fail' });
    expect(answer.status).toBe(500);
    expect(answer.body.toString()).toContain('exit status 4');
    await until('the log line', () => watchdog.stderr.includes('stderr: word-count: asked to fail'));
  });

  it('tells the process about the request', async () => {
    const watchdog = await (await start('fork-watchdog', { fprocess: 'env', content_type: 'text/x-env' })).listening();
    const answer = await exchange(`${watchdog.url}/a/b?c=d`, { body: 'x', headers: { 'x-my-header': 'mine' } });
    const lines = answer.body.toString().split('\n');
    expect(lines).toEqual(expect.arrayContaining(['Http_Method=POST', 'Http_Path=/a/b', 'Http_Query=c=d']));
    expect(lines).toContain('Http_X_My_Header=mine');
    expect(answer.headers['content-type']).toBe('text/x-env');
  });
});

async function accepts(program: RunningProgram): Promise<boolean> {
  try {
    await exchange(`${program.url}/_/health`, { method: 'GET' });
    return true;
  } catch {
    return false;
  }
}
