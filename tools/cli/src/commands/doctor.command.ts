// SPDX-License-Identifier: Apache-2.0
import { probeHost } from '../doctor/host-probes.ts';
import { probeStack } from '../doctor/stack-probes.ts';
import type { ProbeResult } from '../doctor/probe.ts';
import { exitCode } from '../exit-code.ts';
import type { StackSettings } from '../stack/stack-settings.ts';

function render(probe: ProbeResult): string {
  const mark = { ok: 'ok     ', worse: 'worse  ', missing: 'MISSING' }[probe.state];
  const fix = probe.fix === '' ? '' : `\n                                fix: ${probe.fix}`;
  return `${mark} ${probe.name.padEnd(23)} ${probe.found}${fix}`;
}

/** Shows what the machine offers; answers the exit code: 0 unless something is missing without which nothing works. */
export async function doctor(options: { readonly json?: boolean }, settings: StackSettings): Promise<number> {
  const probes = [...probeHost(), ...(await probeStack(settings))];
  const text = options.json === true ? JSON.stringify({ probes }) : probes.map(render).join('\n');
  process.stdout.write(`${text}\n`);
  return probes.some((probe) => probe.state === 'missing') ? exitCode.no : exitCode.ok;
}
