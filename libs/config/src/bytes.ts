// SPDX-License-Identifier: Apache-2.0

const units = { '': 1, k: 1e3, M: 1e6, G: 1e9, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 } as const;
type Unit = keyof typeof units;

/** Bytes of an amount (`65536`, `64Ki`, `8Mi`, `1G`); undefined when it is none. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,15})(k|M|G|Ki|Mi|Gi)?$/.exec(text);
  if (match === null) return undefined;
  const size = Number(match[1]) * units[(match[2] ?? '') as Unit];
  return Number.isSafeInteger(size) ? size : undefined;
}

/** The shortest text with a binary unit that `parseBytes` reads as `size`. */
export function formatBytes(size: number): string {
  for (const unit of ['Gi', 'Mi', 'Ki'] as const) {
    if (size > 0 && size % units[unit] === 0) return `${size / units[unit]}${unit}`;
  }
  return String(size);
}
