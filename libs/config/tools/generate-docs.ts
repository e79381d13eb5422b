// SPDX-License-Identifier: Apache-2.0
// Writes docs/configuration.md and docs/examples/<app>.env from the schemas in apps/*/src/config.ts; with --check it
// only compares them. Apps are imported by their paths at run time: no project depends on an app.
// node --conditions=@junctiond/source --import ./tools/workspace/register-source.ts libs/config/tools/generate-docs.ts
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { describeConfig, describeCommon, exampleEnvironment } from '../src/describe.js';
import type { ConfigSchema, Fields } from '../src/schema.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const pageFile = join(root, 'docs/configuration.md');

const introduction = `# Configuration

Made from the schemas in \`apps/*/src/config.ts\` by \`./junction nx run config:docs\`; do not edit. Every app reads its
settings from environment variables when it starts, reports all faults at once and exits with 78 (EX_CONFIG). An empty
variable counts as unset. Durations are written as \`500ms\`, \`10s\`, \`1m30s\`; sizes as \`65536\`, \`64Ki\`, \`8Mi\`. Each app
has an example file in \`docs/examples\`.
`;

async function schemas(): Promise<ConfigSchema<Fields>[]> {
  const files = readdirSync(join(root, 'apps'))
    .sort()
    .map((app) => join(root, 'apps', app, 'src/config.ts'))
    .filter((file) => existsSync(file));
  const modules = await Promise.all(
    files.map(async (file) => (await import(pathToFileURL(file).href)) as Record<string, unknown>),
  );
  return modules.flatMap((module) =>
    Object.values(module).filter(
      (value): value is ConfigSchema<Fields> =>
        typeof value === 'object' && value !== null && 'envPrefix' in value && 'fields' in value,
    ),
  );
}

async function documents(): Promise<Map<string, string>> {
  const all = await schemas();
  const page = [introduction, describeCommon(), ...all.map(describeConfig)].join('\n');
  const options = await resolveConfig(pageFile);
  const files = new Map([[pageFile, await format(page, { ...options, parser: 'markdown' })]]);
  for (const schema of all) files.set(join(root, 'docs/examples', `${schema.app}.env`), exampleEnvironment(schema));
  return files;
}

const files = await documents();
if (process.argv.includes('--check')) {
  const stale = [...files].filter(([file, text]) => !existsSync(file) || readFileSync(file, 'utf8') !== text);
  for (const [file] of stale) console.error(`${file} is not what the schemas say: run ./junction nx run config:docs`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  for (const [file, text] of files) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
