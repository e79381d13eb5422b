// SPDX-License-Identifier: Apache-2.0

/**
 * What a measuring program printed (native/src/bench/programs): one line `name number` a measurement. Throws for a line of another
 * form, since a figure that is silently missing would pass for measured.
 */
export function parseProbeOutput(text: string): Map<string, number> {
  const figures = new Map<string, number>();
  for (const line of text.split('\n').filter((entry) => entry.trim() !== '')) {
    const match = /^([a-z0-9_]+) (\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.exec(line.trim());
    if (match?.[1] === undefined) {
      throw new Error(`not a measurement: ${line}`);
    }
    figures.set(match[1], Number(match[2]));
  }
  return figures;
}

/** The figures in the order of `names`; throws if one is missing. */
export function pickFigures(figures: ReadonlyMap<string, number>, names: readonly string[]): number[] {
  return names.map((name) => {
    const figure = figures.get(name);
    if (figure === undefined) {
      throw new Error(`the program measured no ${name}`);
    }
    return figure;
  });
}
