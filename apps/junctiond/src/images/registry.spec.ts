// SPDX-License-Identifier: Apache-2.0
// Pulls from a real registry, with the real skopeo and umoci.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { type CommandOptions, runCommand } from '../command.js';
import { ImageCache } from './image-cache.js';
import { ImageIndex } from './image-index.js';
import { ImageService } from './image.service.js';
import { addToLayout } from './oci-layout.fixture.js';
import { REGISTRY_PASSWORD, REGISTRY_USER, TestRegistry } from './registry.fixture.js';
import { Skopeo } from './skopeo.js';
import { Umoci } from './umoci.js';

const run = promisify(execFile);

let folder: string;
let open: TestRegistry;
let closed: TestRegistry;
let commands: CommandOptions[];
const services: ImageService[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-'));
  open = await TestRegistry.start(join(folder, 'open'), { isPrivate: false });
  closed = await TestRegistry.start(join(folder, 'closed'), { isPrivate: true });
});

afterAll(async () => {
  await Promise.all(services.map((service) => service.close()));
  await Promise.all([open.stop(), closed.stop()]);
  await rm(folder, { recursive: true });
});

let layout: string;
let images: string;

beforeEach(async () => {
  layout = await mkdtemp(join(folder, 'layout-'));
  images = await mkdtemp(join(folder, 'images-'));
  commands = [];
});

async function openService(options: { authFile?: string; insecure?: string[] } = {}): Promise<ImageService> {
  const execute = (command: CommandOptions): ReturnType<typeof runCommand> => {
    commands.push(command);
    return runCommand(command);
  };
  const cache = new ImageCache(join(images, 'cache'), 'boot-1', execute);
  const service = new ImageService({
    cache,
    index: new ImageIndex(join(images, 'references.json')),
    skopeo: new Skopeo(
      {
        file: 'skopeo',
        insecureRegistries: options.insecure ?? [open.host, closed.host],
        timeoutMs: 60_000,
        tmpDir: cache.tmpDir,
        ...(options.authFile === undefined ? {} : { authFile: options.authFile }),
      },
      execute,
    ),
    umoci: new Umoci({ file: 'umoci', timeoutMs: 60_000 }, execute),
    planner: { stamp: () => Promise.resolve(undefined), plan: () => Promise.resolve() },
    observer: { imageBrought: () => undefined, imageTrouble: () => undefined },
    now: Date.now,
  });
  services.push(service);
  await service.open();
  return service;
}

async function authFile(password: string): Promise<string> {
  const file = join(images, 'auth.json');
  const auth = Buffer.from(`${REGISTRY_USER}:${password}`).toString('base64');
  await writeFile(file, JSON.stringify({ auths: { [closed.host]: { auth } } }), { mode: 0o600 });
  return file;
}

describe('images of a registry', () => {
  it('are pulled once and known by the digest that the registry shows', async () => {
    const digest = await addToLayout(layout, { tag: 'v1', layers: [[{ name: 'a' }]] });
    await open.push(`oci:${layout}:v1`, 'team/app:v1');
    const service = await openService();
    await expect(service.ensure(`${open.host}/team/app:v1`)).resolves.toMatchObject({ digest });
    await expect(service.ensure(`${open.host}/team/app:v1`)).resolves.toMatchObject({ digest });
    await expect(service.ensure(`${open.host}/team/app@${digest}`)).resolves.toMatchObject({ digest });
    await expect(service.ensure(`${open.host}/team/app:other@${digest}`)).resolves.toMatchObject({ digest });
    expect(commands.filter(({ file }) => file === 'umoci')).toHaveLength(1);
    const lease = await service.acquire(`${open.host}/team/app:v1`);
    await expect(readdir(lease.rootfsDir)).resolves.toEqual(['a']);
  });

  it('are resolved anew by ensure and not by acquire', async () => {
    const first = await addToLayout(layout, { tag: 'v1', layers: [[{ name: 'one' }]] });
    await open.push(`oci:${layout}:v1`, 'moving:latest');
    const service = await openService();
    await service.ensure(`${open.host}/moving`);
    const second = await addToLayout(layout, { tag: 'v1', layers: [[{ name: 'two' }]] });
    await open.push(`oci:${layout}:v1`, 'moving:latest');
    await expect(service.acquire(`${open.host}/moving`)).resolves.toMatchObject({ digest: first });
    await expect(service.ensure(`${open.host}/moving`)).resolves.toMatchObject({ digest: second });
    await expect(service.acquire(`${open.host}/moving`)).resolves.toMatchObject({ digest: second });
  });

  it('may be of docker’s older format, pinned by the digest the registry shows', async () => {
    await addToLayout(layout, { tag: 'v1', layers: [[{ name: 'a' }]] });
    const docker = join(images, 'docker');
    await run('skopeo', ['copy', '--quiet', '--format', 'v2s2', `oci:${layout}:v1`, `dir:${docker}`]);
    await open.push(`dir:${docker}`, 'older:v1');
    const shown = await fetch(`http://${open.host}/v2/older/manifests/v1`, {
      headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
    });
    const digest = shown.headers.get('docker-content-digest');
    const service = await openService();
    await expect(service.ensure(`${open.host}/older:v1`)).resolves.toMatchObject({ digest });
    await service.remove(digest ?? '');
    await expect(service.ensure(`${open.host}/older@${digest}`)).resolves.toMatchObject({ digest });
  });

  it.each([
    [() => `${open.host}/no/such:image`, 'not_found'],
    [() => `${open.host}/no/such@sha256:${'0'.repeat(64)}`, 'not_found'],
    [() => `${closed.host}/team/app:v1`, 'permission_denied'],
  ])('fail with a clear error where there is none or no access (%#)', async (reference, kind) => {
    await expect((await openService()).ensure(reference())).rejects.toMatchObject({ kind });
  });

  it('are not pulled over plain HTTP unless that is configured', async () => {
    const service = await openService({ insecure: [] });
    await expect(service.ensure(`${open.host}/team/app:v1`)).rejects.toMatchObject({
      kind: 'failed_precondition',
      message: expect.stringContaining('JUNCTION_JUNCTIOND_INSECURE_REGISTRIES'),
    });
  });

  it('are pulled with the credentials of the configured file, which nobody sees', async () => {
    const digest = await addToLayout(layout, { tag: 'v1', layers: [[{ name: 'a' }]] });
    await closed.push(`oci:${layout}:v1`, 'team/app:v1');
    const service = await openService({ authFile: await authFile(REGISTRY_PASSWORD) });
    await expect(service.ensure(`${closed.host}/team/app:v1`)).resolves.toMatchObject({ digest });
    const seen = JSON.stringify(commands.map(({ args, env }) => [args, env]));
    expect(seen).not.toContain(REGISTRY_PASSWORD);
    expect(seen).not.toContain(Buffer.from(`${REGISTRY_USER}:${REGISTRY_PASSWORD}`).toString('base64'));
  });

  it('are refused with wrong credentials, without showing them', async () => {
    const service = await openService({ authFile: await authFile('wrong-password') });
    const failure: unknown = await service.ensure(`${closed.host}/team/app:v1`).catch((error: unknown) => error);
    expect(failure).toMatchObject({ kind: 'permission_denied' });
    expect(String(failure)).not.toContain('wrong-password');
  });
});
