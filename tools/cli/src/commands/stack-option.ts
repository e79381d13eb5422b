// SPDX-License-Identifier: Apache-2.0
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';

/** Reads a whole number in a range. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}`);
    }
    return value;
  };
}

/** Adds the options by which a command knows its stack. */
export function withStackOptions(command: Command): Command {
  return command
    .addOption(new Option('--stack <name>', 'the stack; its places and ports derive from it (JUNCTION_STACK)'))
    .addOption(
      new Option(
        '--port-base <port>',
        'first of the five ports of the stack (JUNCTION_PORT_BASE; default 8080)',
      ).argParser(wholeNumber(1, 65_531)),
    );
}
