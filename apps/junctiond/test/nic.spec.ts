// SPDX-License-Identifier: Apache-2.0
// junctiond as a process, with instances that have NICs. A program of the test's own stands in for junction_run: what is tested is what
// junctiond asks for, tells the scheduler, answers its callers and cleans up.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { instanceV1 } from '@junctiond/contracts';
import { until } from '@junctiond/testing';

import { buildGuestImage, specOf, TestJunctiond } from './junctiond.fixture.js';

/**
 * Leaves its arguments, its socket and its status, says that its guest runs and listens (again and again, since it has no control block in
 * which the next junctiond could look that up), and waits to be told to end.
 */
const standIn = `
const fs = require('node:fs');
const net = require('node:net');
const args = process.argv.slice(2);
const of = (name) => args[args.indexOf(name) + 1];
const stat = fs.readFileSync('/proc/self/stat', 'utf8');
const startTimeTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
const { pid } = process;
const status = { state: 'running', pid, startTimeTicks, monitorPid: pid, monitorStartTimeTicks: startTimeTicks };
fs.writeFileSync(of('--instance_dir') + '/arguments', JSON.stringify(args));
fs.writeFileSync(of('--instance_dir') + '/status.json', JSON.stringify(status));
const tell = (event) => {
  const line = JSON.stringify({ id: of('--name'), monitorPid: pid, ...event }) + '\\n';
  net.connect(of('--notify')).on('error', () => {}).end(line);
};
net.createServer().listen(of('--links_path'), () => {
  tell({ event: 'started', pid, startTimeTicks });
  setInterval(tell, 50, { event: 'listening', guestPort: 8080, hostPort: 8080, protocol: 'tcp' });
});
process.on('SIGTERM', () => process.exit(0));
`;

/** Runs the stand-in under the name by which junctiond finds its instances again. */
function makeRunBinary(): string {
  const [script, source, program] = ['stand-in.cjs', 'junction_run.c', 'junction_run'].map((name) =>
    join(folder, name),
  );
  writeFileSync(script ?? '', standIn);
  writeFileSync(
    source ?? '',
    `#include <string.h>
#include <unistd.h>
int main(int argc, char** argv) {
  char* args[argc + 2];
  args[0] = "junction_run";
  args[1] = "${script}";
  memcpy(args + 2, argv + 1, argc * sizeof(char*));
  return execv("${process.execPath}", args);
}
`,
  );
  execFileSync('gcc', ['-o', program ?? '', source ?? '']);
  return program ?? '';
}

let folder: string;
let image: string;
let node: TestJunctiond;
let scheduler: Server;
/** What the scheduler was told, a line each. */
let lines: Record<string, unknown>[];

function argumentsOf(id: string): string[] {
  return JSON.parse(readFileSync(join(node.instancesDir, id, 'arguments'), 'utf8')) as string[];
}

async function create(id: string, change: Partial<instanceV1.InstanceSpec> = {}): Promise<instanceV1.Instance> {
  await node.instances.createInstance({ spec: specOf({ id, image: `oci:${image}`, ...change }), leaveStopped: false });
  return node.waitReady(id);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nic-spec-'));
  image = await buildGuestImage(folder);
  const runBinary = makeRunBinary();
  // Its planner stands beside it.
  writeFileSync(join(folder, 'junction_plan'), '#!/bin/sh\nexit 0\n');
  chmodSync(join(folder, 'junction_plan'), 0o755);
  node = await TestJunctiond.create({
    JUNCTION_RUN_BINARY: runBinary,
    JUNCTION_JUNCTIOND_NETWORK: 'nic',
    JUNCTION_JUNCTIOND_INSTANCE_NETWORK: '10.99.0.0/24',
    JUNCTION_JUNCTIOND_INSTANCE_NETWORK6: 'fd99::/64',
    JUNCTION_JUNCTIOND_LINKS: '3',
  });
  lines = [];
  scheduler = createServer((socket) => {
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      const parts = (text + data.toString()).split('\n');
      text = parts.pop() ?? '';
      lines.push(...parts.map((line) => JSON.parse(line) as Record<string, unknown>));
    });
  });
  await new Promise<void>((resolve) => scheduler.listen(join(node.runDir, 'scheduler.sock'), resolve));
  await node.start();
});
afterAll(async () => {
  await node.destroy();
  scheduler.close();
  rmSync(folder, { recursive: true });
});

describe('an instance with a NIC', () => {
  it('gets addresses, links, a namespace and resolvers, and is reached by its own address', async () => {
    const instance = await create('one', { hosts: { gateway: 'host' }, allow: [{ to: '10.0.0.0/8', port: 443 }] });
    const linksPath = join(node.runDir, 'links', 'one');
    expect(instance.ip).toMatch(/^10\.99\.0\.\d+$/);
    const last = Number(instance.ip.split('.')[3]);
    expect(instance).toMatchObject({
      ip6: `fd99::${last.toString(16)}`,
      mac: `02:6a:0a:63:00:${last.toString(16).padStart(2, '0')}`,
      linksPath,
      ports: [{ guestPort: 8080, host: instance.ip, hostPort: 8080 }],
    });

    const args = argumentsOf('one').join(' ');
    expect(args).toContain(`--host gateway=10.99.0.1 --links 3 --links_path ${linksPath} `);
    expect(args).toContain(`--netns ${join(node.runDir, 'netns')} `);
    const resolvConf = join(node.runDir, 'instances', 'one', 'resolv.conf');
    expect(args).toContain(`--resolv_conf ${resolvConf} `);
    expect(readFileSync(resolvConf, 'utf8')).toMatch(/^nameserver (?!127\.)/);
    expect(statSync(join(node.runDir, 'netns')).ino).not.toBe(statSync('/proc/self/ns/net').ino);
    expect(readFileSync(join(node.runDir, 'instances', 'one', 'config'), 'utf8')).toContain(
      `host_addr6 ${instance.ip6}\nhost_prefix6 64\nhost_gateway6 fd99::1\nhost_mac ${instance.mac}\n`,
    );
  });

  it('is registered with the scheduler with all that its uplink needs', async () => {
    const { instances } = await node.instances.listInstances({ labels: {}, usage: false });
    const [one] = instances;
    const added = await until('the registration', () => lines.find(({ op, id }) => op === 'add' && id === 'one'));
    expect(added).toMatchObject({
      linksPath: one?.linksPath,
      ip: one?.ip,
      ip6: one?.ip6,
      mac: one?.mac,
      number: one?.number,
      allow: [{ to: '10.0.0.0/8', port: 443 }],
    });
  });

  it('keeps all of it over kill -9 of junctiond, which tells the scheduler again', async () => {
    const before = (await node.instances.getInstance({ id: 'one', usage: false })).instance;
    const namespace = statSync(join(node.runDir, 'netns')).ino;
    lines.length = 0;
    await node.end('SIGKILL');
    await node.start();
    const after = await node.waitReady('one');
    expect(after).toMatchObject({ pid: before?.pid, restarts: 0, ip: before?.ip, ip6: before?.ip6 });
    expect(after.linksPath).toBe(before?.linksPath);
    const sync = await until('the whole set', () => lines.find(({ op }) => op === 'sync'));
    expect(sync['instances']).toEqual([
      expect.objectContaining({ id: 'one', linksPath: before?.linksPath, ip: before?.ip, allow: expect.any(Array) }),
    ]);
    expect(statSync(join(node.runDir, 'netns')).ino).toBe(namespace);
  });

  it('has an address that was not in use before, also by the next junctiond', async () => {
    const one = (await node.instances.getInstance({ id: 'one', usage: false })).instance;
    const two = await create('two');
    await node.instances.deleteInstance({ id: 'two', force: true, gracePeriodMs: 1000 });
    await node.end('SIGTERM');
    await node.start();
    const three = await create('three');
    expect(new Set([one?.ip, two.ip, three.ip]).size).toBe(3);
  });

  it('leaves no socket when it is deleted', async () => {
    const path = join(node.runDir, 'links', 'three');
    expect(existsSync(path)).toBe(true);
    await node.instances.deleteInstance({ id: 'three', force: true, gracePeriodMs: 1000 });
    expect(existsSync(path)).toBe(false);
  });

  it('is refused with all faults of what it is to reach', async () => {
    const allow = [
      { to: '10.0.0.1/8', port: 0 },
      { to: 'example.com', port: 70_000 },
    ];
    const spec = specOf({ id: 'bad', image: `oci:${image}`, allow });
    const refused = node.instances.createInstance({ spec, leaveStopped: false });
    await expect(refused).rejects.toMatchObject({ kind: 'invalid_argument' });
    await expect(refused).rejects.toThrow(/10\.0\.0\.1\/8.*example\.com.*70000/);
  });
});
