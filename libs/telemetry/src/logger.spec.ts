// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { createLogger, type LogLevel } from './logger.js';

const linesOf = (level: LogLevel, write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] => {
  const lines: Record<string, unknown>[] = [];
  const stream = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  write(createLogger('test', level, stream));
  return lines;
};

describe('the logger', () => {
  it('writes JSON lines with app, level as a word and an RFC 3339 time', () => {
    const [line] = linesOf('info', (log) => log.info({ functionName: 'a.b' }, 'text'));
    expect(line).toEqual({
      app: 'test',
      pid: process.pid,
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      functionName: 'a.b',
      msg: 'text',
    });
  });

  it('leaves out what is below its level', () => {
    expect(linesOf('warn', (log) => log.info('text'))).toEqual([]);
  });

  it('hides secrets wherever they sit', () => {
    const lines = linesOf('info', (log) => {
      log.info(
        { password: 'hunter2', config: { token: 'hunter2' }, request: { headers: { authorization: 'hunter2' } } },
        'x',
      );
      log.info({ body: { rawValue: 'hunter2', secrets: { a: 'hunter2' } } }, 'x');
    });
    expect(JSON.stringify(lines)).not.toContain('hunter2');
    expect(lines[0]).toMatchObject({ password: '[secret]', config: { token: '[secret]' } });
  });

  it('writes expected failures in short', () => {
    const error = Object.assign(new Error('no connection'), { kind: 'unavailable' });
    expect(linesOf('info', (log) => log.warn({ error }, 'x'))[0]).toMatchObject({
      error: { type: 'Error', kind: 'unavailable', message: 'no connection' },
    });
    expect(linesOf('info', (log) => log.warn({ error }, 'x'))[0]).not.toHaveProperty('error.stack');
  });

  it('writes errors with their causes', () => {
    const [line] = linesOf('info', (log) =>
      log.error({ error: new Error('outer', { cause: new Error('inner') }) }, 'x'),
    );
    expect(line).toMatchObject({ error: { message: 'outer', cause: { message: 'inner' }, stack: expect.any(String) } });
  });
});
