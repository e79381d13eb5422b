// SPDX-License-Identifier: Apache-2.0
import type { Result } from './measurement.ts';
import { present } from './present.ts';

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3);
}

/** The results as a table for people; one line each. */
export function renderTable(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.name,
    figure(result.ours),
    result.reference === null ? '-' : figure(result.reference),
    result.unit,
    result.ratio === null ? '-' : result.ratio.toFixed(2),
    `${(result.spread * 100).toFixed(0)} %`,
    `${result.better === 'lower' ? '<=' : '>='} ${result.target.toString()}`,
    result.holds ? 'holds' : 'MISSED',
  ]);
  const header = ['target', 'ours', 'reference', 'unit', 'ratio', 'spread', 'wanted', ''];
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => present(row[column], title).length)),
  );
  return [header, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(present(widths[column], 'a column')))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const barHeight = 18;
const labelWidth = 430;
const plotWidth = 420;

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** 1 = just met; where the target is nothing at all, any value is off the scale. */
function shareOfTarget(result: Result): number {
  const value = result.ratio ?? result.ours;
  if (result.target !== 0) {
    return value / result.target;
  }
  return value === 0 ? 0 : Infinity;
}

/**
 * A bar chart of how each target was met: the bar is the ratio to the target's bound, the line at 1 is the bound itself.
 * A bar that must stay left of the line is green when it does.
 */
export function renderSvg(title: string, results: readonly Result[]): string {
  const height = 40 + results.length * (barHeight + 6) + 20;
  const scale = plotWidth / 2;
  const bars = results.map((result, row) => {
    const share = shareOfTarget(result);
    const width = Math.min(share, 2) * scale;
    const y = 40 + row * (barHeight + 6);
    const value = `${figure(result.ours)} ${result.unit}${result.reference === null ? '' : ` against ${figure(result.reference)}`}`;
    return [
      `<text x="${labelWidth - 8}" y="${y + 13}" text-anchor="end">${escapeXml(result.name)}</text>`,
      `<rect x="${labelWidth}" y="${y}" width="${width.toFixed(1)}" height="${barHeight}" fill="${result.holds ? '#3a8f5c' : '#c2543d'}"/>`,
      `<text x="${labelWidth + width + 6}" y="${y + 13}">${escapeXml(value)}</text>`,
    ].join('\n');
  });
  const bound = labelWidth + scale;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${labelWidth + plotWidth + 230}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="12" y="22" font-size="15">${escapeXml(title)}: value as a share of its target (line = target)</text>`,
    ...bars,
    `<line x1="${bound}" y1="32" x2="${bound}" y2="${height - 14}" stroke="#333333" stroke-dasharray="4 3"/>`,
    '</svg>',
    '',
  ].join('\n');
}
