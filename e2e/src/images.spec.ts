// SPDX-License-Identifier: Apache-2.0
// Images from a registry, from an archive and from a layout folder.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exchange, until } from '@junctiond/testing';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encryptedHex } from './stack/aes.js';
import { builtImage, imagesFolder } from './stack/images.js';
import { Registry } from './stack/registry.js';
import { TestStack, stackTimeoutMs } from './stack/test-stack.js';

const scratch = mkdtempSync(join(tmpdir(), 'e2e-images-'));
const user = { name: 'puller', password: 'a password: of "all" kinds' };
let stack: TestStack;
let open: Registry;
let guarded: Registry;
let passing: Registry;

beforeAll(async () => {
  open = await Registry.start();
  guarded = await Registry.start(user);
  passing = await Registry.start();
  const authFile = join(scratch, 'registry-auth.json');
  const auth = Buffer.from(`${user.name}:${user.password}`).toString('base64');
  writeFileSync(authFile, JSON.stringify({ auths: { [guarded.address]: { auth } } }), { mode: 0o600 });
  stack = await TestStack.start({
    JUNCTION_JUNCTIOND_INSECURE_REGISTRIES: [open, guarded, passing].map(({ address }) => address).join(','),
    JUNCTION_JUNCTIOND_REGISTRY_AUTH_FILE: authFile,
  });
}, stackTimeoutMs);
afterAll(async () => {
  await stack.stop();
  await open.stop();
  await guarded.stop();
  rmSync(scratch, { recursive: true });
});

async function expectAes(name: string, image: string): Promise<void> {
  await stack.deploy({ service: name, image });
  const answer = await exchange(stack.functionUrl(name), { body: 'hello' });
  expect(answer.body.toString()).toBe(encryptedHex('hello'));
}

function copyTo(image: string, target: string): string {
  const result = spawnSync('skopeo', ['copy', '--quiet', image, target], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(result.stderr);
  return target;
}

describe('an image', () => {
  it('comes from a registry', async () => {
    await expectAes('pulled', open.push(builtImage('aes-cpp'), 'functions/aes:1.0'));
  });

  it('comes from a registry by its digest', async () => {
    const reference = open.push(builtImage('aes'), 'by-digest:latest');
    const inspected = spawnSync('skopeo', ['inspect', '--tls-verify=false', `docker://${reference}`], {
      encoding: 'utf8',
    });
    const { Digest: digest } = JSON.parse(inspected.stdout) as { Digest: string };
    await expectAes('by-digest', `${open.address}/by-digest@${digest}`);
  });

  it('comes from a registry that asks for a password', async () => {
    await expectAes('guarded', guarded.push(builtImage('aes'), 'aes:latest'));
  });

  it('is looked for anew at each deployment', async () => {
    const reference = open.push(builtImage('aes'), 'moving:latest');
    await expectAes('moving', reference);
    open.push(builtImage('probe'), 'moving:latest');
    await stack.deploy({ service: 'moving', image: reference, envVars: { ROUND: '2' } });
    await until('an answer of the new image', async () => {
      return (await exchange(stack.functionUrl('moving', '/echo'), { method: 'GET' })).status === 200;
    });
  });

  it('runs on when its registry is gone', async () => {
    const reference = passing.push(builtImage('aes'), 'passing:latest');
    await expectAes('passing', reference);
    await passing.stop();
    expect((await stack.api.scaleFunction('passing', 0)).status).toBe(202);
    await stack.untilAvailable('passing', 0);
    expect((await exchange(stack.functionUrl('passing'), { body: 'x' })).status).toBe(200);
  });

  it('comes from an OCI archive', async () => {
    await expectAes('archived', copyTo(builtImage('aes'), `oci-archive:${scratch}/aes.tar:latest`));
  });

  it('comes from a Docker archive', async () => {
    copyTo(builtImage('aes'), `docker-archive:${scratch}/docker.tar:aes:latest`);
    await expectAes('docker-archived', `docker-archive:${scratch}/docker.tar`);
  });

  it('comes from a layout folder named without more', async () => {
    await expectAes('plain-folder', `${imagesFolder}/aes`);
  });

  it('whose content is not what its digest says is refused', async () => {
    const folder = join(scratch, 'tampered');
    cpSync(`${imagesFolder}/fork-watchdog`, folder, { recursive: true });
    const blobs = join(folder, 'blobs/sha256');
    const files = readdirSync(blobs).map((name) => join(blobs, name));
    const layer = files.toSorted((a, b) => statSync(b).size - statSync(a).size)[0] ?? '';
    const bytes = readFileSync(layer);
    const middle = Math.floor(bytes.length / 2);
    bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
    writeFileSync(layer, bytes);
    const answer = await stack.api.createFunction({ service: 'tampered', image: `oci:${folder}:latest` });
    expect(answer.status).toBe(400);
    expect(answer.text).toMatch(/damaged|digest/i);
  });

  it('that is not in the registry is refused, by its name', async () => {
    const image = `${open.address}/no/such:image`;
    const answer = await stack.api.createFunction({ service: 'missing', image });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('no/such');
  });

  it('of a registry whose password is not known is refused, without telling secrets', async () => {
    const other = await Registry.start({ name: 'x', password: 'another password' });
    const image = other.push(builtImage('aes'), 'aes:latest');
    const answer = await stack.api.createFunction({ service: 'unknown-password', image });
    await other.stop();
    expect(answer.status).toBe(400);
    expect(answer.text).not.toContain('another password');
  });
});
