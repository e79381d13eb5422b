// SPDX-License-Identifier: Apache-2.0
// Makes libs/contracts/src/generated from proto/: message types and service definitions by ts-proto, and the
// descriptor set (for gRPC reflection) as one string. Run by `nx run contracts:generate` in the workspace root.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const outDir = 'libs/contracts/src/generated';
const buf = 'node_modules/@bufbuild/buf/bin/buf';

function run(args: string[]): void {
  execFileSync(process.execPath, [buf, ...args], { stdio: 'inherit' });
}

rmSync(outDir, { recursive: true, force: true });
mkdirSync(outDir, { recursive: true });
run(['generate', '--template', 'libs/contracts/buf.gen.yaml']);

const scratch = mkdtempSync(join(tmpdir(), 'contracts-'));
try {
  const file = join(scratch, 'descriptors.binpb');
  run(['build', '-o', file]);
  const base64 = readFileSync(file).toString('base64');
  writeFileSync(
    join(outDir, 'descriptor-set.ts'),
    `/** The FileDescriptorSet of all of proto/, base64; for gRPC reflection. */\nexport const descriptorSetBase64 =\n  '${base64}';\n`,
  );
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
