// SPDX-License-Identifier: Apache-2.0
// The commands of ./junction (which brings Node.js and the packages, then runs this).
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';

import { Argument, Command, InvalidArgumentError, Option } from 'commander';

import { doctor } from './commands/doctor.command.ts';
import { down } from './commands/down.command.ts';
import type { DownOptions } from './commands/down.command.ts';
import { logs } from './commands/logs.command.ts';
import type { LogsOptions } from './commands/logs.command.ts';
import { wholeNumber, withStackOptions } from './commands/stack-option.ts';
import { status } from './commands/status.command.ts';
import { test } from './commands/test.command.ts';
import type { TestOptions } from './commands/test.command.ts';
import { up } from './commands/up.command.ts';
import type { UpOptions } from './commands/up.command.ts';
import { CommandError, exitCode } from './exit-code.ts';
import { loadStackSettings } from './stack/stack-settings.ts';
import type { StackOptions, StackSettings } from './stack/stack-settings.ts';
import { CommandFailed, tell } from './terminal/progress.ts';
import { testParts } from './testing/test-plan.ts';
import type { TestPart } from './testing/test-plan.ts';

const root = process.env['JUNCTION_ROOT'] ?? process.cwd();

function settingsOf(options: StackOptions): StackSettings {
  return loadStackSettings(options, process.env);
}

function parseParts(text: string): TestPart[] {
  return text.split(',').map((word) => {
    const part = testParts.find((name) => name === word);
    if (part === undefined) throw new InvalidArgumentError(`the parts are ${testParts.join(', ')}`);
    return part;
  });
}

/** Runs a program in the foreground and answers its exit code. */
async function passThrough(command: string, args: readonly string[]): Promise<number> {
  const child = spawn(command, args, { stdio: 'inherit', cwd: root });
  const forward = (name: NodeJS.Signals): void => void child.kill(name);
  process.on('SIGINT', () => undefined); // the terminal sends it to the child as well
  process.on('SIGTERM', forward);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, name) => resolve(name === null ? (code ?? 1) : 128 + constants.signals[name]));
  });
}

const program = new Command('junction')
  .description('Functions in Junction instances: one command for everything.')
  .enablePositionalOptions()
  .showHelpAfterError('(--help shows what there is)')
  .addHelpText(
    'after',
    '\nExit codes: 0 done, 1 failed, 2 wrong arguments, 3 the answer is no (down, missed, missing).\n' +
      'Places and ports derive from the stack name (JUNCTION_STACK) and JUNCTION_PORT_BASE; see docs/configuration.md.',
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? exitCode.ok : exitCode.usage));

withStackOptions(program.command('up'))
  .description(
    'install what is missing, build, start the stack, deploy and invoke the AES function; again: only what changed',
  )
  .option('--no-build', 'start what is built (JUNCTION_NO_BUILD=1)')
  .option('--no-example', 'do not deploy and invoke the AES function')
  .option('--at-boot', 'start it at every boot too (where systemd is process 1 that is always so)')
  .option('--json', 'print the result as JSON')
  .action((options: UpOptions & StackOptions) =>
    up(
      { ...options, build: options.build && process.env['JUNCTION_NO_BUILD'] !== '1' },
      settingsOf(options),
      process.env,
    ),
  );

withStackOptions(program.command('down'))
  .description('stop the stack; nothing of it stays on the host but its data on disk')
  .option('--purge', 'remove its data too: images, functions, secrets, credentials, logs')
  .option('--at-boot', 'still start it at the next boot')
  .option('--json', 'print the result as JSON')
  .action((options: DownOptions & StackOptions) => down(options, settingsOf(options)));

withStackOptions(program.command('status'))
  .description('what runs, its health, memory, functions and instances (exit code 3 unless all is well)')
  .option('--json', 'print it as JSON')
  .action(async (options: { json?: boolean } & StackOptions) => {
    process.exitCode = await status(options, settingsOf(options));
  });

withStackOptions(program.command('logs'))
  .description('logs of the apps (all unless named), or of a function')
  .argument('[app...]', 'gateway, provider, junctiond, scheduler-monitor, redis, supervisor')
  .option('--function <name>', 'the logs of a function instead')
  .option('-f, --follow', 'go on with what is written from now on')
  .addOption(new Option('-n, --lines <count>', 'how many lines').default(50).argParser(wholeNumber(0, 100_000)))
  .action((apps: string[], options: LogsOptions & StackOptions) => logs(apps, options, settingsOf(options)));

program
  .command('bench')
  .description('measure this system side by side with its references (exit code 3 if a target is missed)')
  .addArgument(new Argument('[bench]', 'which bench').choices(['main', 'kernel', 'network']).default('main'))
  .addOption(new Option('--rounds <count>', 'interleaved rounds').default(7).argParser(wholeNumber(1, 1000)))
  .option('--quick', 'short measurements: shows that the bench works, not what the system can do')
  .option('--json', 'print the results as JSON')
  .option('--out <folder>', 'folder for plots and raw samples', join(root, 'docs/bench'))
  .action(async (bench: string, options: { rounds: number; quick?: boolean; json?: boolean; out: string }) => {
    // Loaded only here: the other commands start faster without it.
    const { runBenchCommand } = await import('../../bench/bench-command.ts');
    process.exitCode = await runBenchCommand({
      root,
      bench,
      rounds: options.rounds,
      quick: options.quick === true,
      json: options.json === true,
      out: options.out,
      environment: process.env,
    });
  });

withStackOptions(program.command('doctor'))
  .description('what the machine offers, what is missing, and the fix (exit code 3 if something is missing)')
  .option('--json', 'print it as JSON')
  .action(async (options: { json?: boolean } & StackOptions) => {
    process.exitCode = await doctor(options, settingsOf(options));
  });

program
  .command('test')
  .description('everything that must pass before a change lands; ends with the line "N passed, M failed"')
  .addOption(new Option('--only <parts>', `only these of ${testParts.join(',')}`).argParser(parseParts))
  .addOption(new Option('--skip <parts>', 'all but these').argParser(parseParts))
  .option('--no-cache', 'run also what nx knows to be unchanged')
  .action(async (options: TestOptions) => {
    process.exitCode = await test(options, root);
  });

program
  .command('nx')
  .description('run nx: ./junction nx serve gateway, ./junction nx test provider')
  .argument('[args...]', 'passed to nx as they are')
  .helpOption(false)
  .allowUnknownOption()
  .passThroughOptions()
  .action(async (args: string[]) => {
    process.exitCode = await passThrough(process.execPath, [join(root, 'node_modules/nx/dist/bin/nx.js'), ...args]);
  });

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommandFailed) tell(error.output);
  tell(`junction: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = error instanceof CommandError ? error.code : exitCode.failed;
}
