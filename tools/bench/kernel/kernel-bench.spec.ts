// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { bound } from '../measurement.ts';
import { pssOf, ticksOf } from '../process-figures.ts';
import { renderSvg } from '../report.ts';
import { parseListenEvent } from './listen-events.ts';
import { compareWithBest } from './probe-lines.ts';
import { parseProbeOutput, pickFigures } from './probe-output.ts';

describe('output of a measuring program', () => {
  it('is one figure a line', () => {
    expect([...parseProbeOutput('getppid 7.1\npipe_read_600 36\nbig 1.5E9\n')]).toEqual([
      ['getppid', 7.1],
      ['pipe_read_600', 36],
      ['big', 1.5e9],
    ]);
  });

  it.each(['getppid', 'getppid fast', 'getppid 7 ns', 'panic: x'])('is refused with a line like "%s"', (line) => {
    expect(() => parseProbeOutput(`clock 5\n${line}\n`)).toThrow('not a measurement');
  });

  it('is refused when a figure is missing', () => {
    expect(pickFigures(new Map([['a', 1]]), ['a'])).toEqual([1]);
    expect(() => pickFigures(new Map([['a', 1]]), ['a', 'b'])).toThrow('measured no b');
  });
});

describe('comparison of a probe line', () => {
  it('is with the best of the settings in which Linux ran, ratio per round', () => {
    const result = compareWithBest(
      'fork',
      'ns',
      [
        { contestant: 'junction-one-core', values: [15, 150, 16] },
        { contestant: 'linux', values: [12, 130, 12] },
        { contestant: 'linux-one-core', values: [10, 100, 10] },
      ],
      1.5,
    );
    expect(result).toMatchObject({ name: 'fork / linux-one-core', ours: 16, reference: 10, ratio: 1.5, holds: true });
  });

  it('holds a target of nothing at all only for nothing at all', () => {
    expect(bound('ticks', 'ticks', 'lower', [0], 0).holds).toBe(true);
    expect(bound('ticks', 'ticks', 'lower', [1], 0).holds).toBe(false);
    expect(renderSvg('idle', [bound('ticks', 'ticks', 'lower', [0], 0)])).toContain('width="0.0"');
    expect(renderSvg('idle', [bound('ticks', 'ticks', 'lower', [1], 0)])).not.toMatch(/NaN|Infinity/);
  });
});

describe('figures of a process', () => {
  it('come from behind its name, which may hold anything', () => {
    const stat = '42 (a ) R 1) S 1 42 42 0 -1 4194560 100 0 0 0 7 5 0 0 20 0 1 0 100 1 1';
    expect(ticksOf(stat)).toBe(12);
    expect(ticksOf('')).toBe(0);
  });

  it('count proportional memory', () => {
    expect(pssOf('70000000-7fff [rollup]\nRss:  900 kB\nPss:                 123 kB\nPss_Dirty: 1 kB\n')).toBe(
      123 * 1024,
    );
    expect(pssOf('')).toBe(0);
  });
});

describe('events of junction_run', () => {
  it('tell the port of a listener and nothing else', () => {
    const event = { id: 'x', event: 'listening', monitorPid: 7, guestPort: 8080, hostPort: 40000, protocol: 'tcp' };
    expect(parseListenEvent(JSON.stringify(event))).toEqual({ monitorPid: 7, hostPort: 40000 });
    expect(parseListenEvent(JSON.stringify({ ...event, event: 'closed' }))).toBeUndefined();
  });
});
