// SPDX-License-Identifier: Apache-2.0
// Sentences that tell a person why an instance is not there. They end up in `faas-cli describe`.
import { describeExit, type InstanceExit } from '@junctiond/instance-model';

const MAX_LINES = 5;
const MAX_LINE_LENGTH = 200;

/** How many lines of output a reason shows. */
export const REASON_LINES = MAX_LINES;

/** An end that nobody asked for. */
export function endedReason(exit: InstanceExit | undefined, uptimeMs: number, output: readonly string[]): string {
  if (exit === undefined) {
    return withOutput('its processes are gone: the host was restarted or they were killed', output);
  }
  return withOutput(`${describeExit(exit)} ${seconds(uptimeMs)} after its start`, output);
}

/** junction_run could not start the guest. */
export function notStartedReason(detail: string, output: readonly string[] = []): string {
  return withOutput(`could not be started: ${shorten(detail)}`, output);
}

export function notListeningReason(
  port: number,
  deadlineMs: number,
  others: readonly number[],
  output: readonly string[],
): string {
  const elsewhere = others.length === 0 ? '' : ` (it listens on ${others.join(', ')})`;
  return withOutput(`did not listen on port ${port} within ${seconds(deadlineMs)}${elsewhere}`, output);
}

/** What comes next, put in front of the output. */
export function withRestart(reason: string, failures: number, delayMs: number): string {
  const next = `; restarts in ${seconds(delayMs)}${failures > 1 ? ` (ended ${failures} times in a row)` : ''}`;
  const at = reason.indexOf(OUTPUT);
  return at === -1 ? reason + next : reason.slice(0, at) + next + reason.slice(at);
}

const OUTPUT = '; last output: ';

function withOutput(reason: string, output: readonly string[]): string {
  const lines = output
    .slice(-MAX_LINES)
    .map(shorten)
    .filter((line) => line !== '');
  return lines.length === 0 ? reason : `${reason}${OUTPUT}${lines.join(' | ')}`;
}

/** One line of printable text. */
function shorten(line: string): string {
  const clean = line.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return clean.length > MAX_LINE_LENGTH ? `${clean.slice(0, MAX_LINE_LENGTH)}…` : clean;
}

/** Two decimals below ten seconds, none above. */
function seconds(ms: number): string {
  const value = Math.max(0, ms) / 1000;
  return `${value < 10 ? Number(value.toFixed(2)) : Math.round(value)} s`;
}
