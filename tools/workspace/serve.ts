// SPDX-License-Identifier: Apache-2.0
// Runs one app in the foreground from its sources and restarts it when they change:
// node tools/workspace/serve.ts <project root> [app options]. TypeScript is translated file by file as it is loaded
// (register-source.ts), so there is no build step to wait for.
import { spawn } from 'node:child_process';

const [projectRoot, ...rest] = process.argv.slice(2);
if (projectRoot === undefined) {
  console.error('usage: serve.ts <project root> [app options]');
  process.exit(2);
}
const child = spawn(
  process.execPath,
  [
    '--watch',
    '--watch-preserve-output',
    '--conditions=@junctiond/source',
    '--enable-source-maps',
    ...['--import', new URL('./register-source.ts', import.meta.url).href],
    `${projectRoot}/src/main.ts`,
    ...rest,
  ],
  { stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' || signal === 'SIGTERM' ? 0 : 1);
});
