// SPDX-License-Identifier: Apache-2.0

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
type Unit = keyof typeof unitsMs;

/** Milliseconds of a duration as Go writes it (`500ms`, `1m30s`, `0.5s`, `0`); undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(?:\d{1,12}(?:\.\d{1,6})?(?:ms|s|m|h))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    totalMs += Number(amount) * unitsMs[unit as Unit];
  }
  return Math.round(totalMs);
}

/** The shortest text that `parseDuration` reads as `ms`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0';
  let rest = ms;
  let out = '';
  for (const unit of ['h', 'm', 's', 'ms'] as const) {
    const amount = Math.floor(rest / unitsMs[unit]);
    if (amount > 0) out += `${amount}${unit}`;
    rest -= amount * unitsMs[unit];
  }
  return out;
}
