// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { LineSplitter, parseLogLine } from './log-line.js';

describe('parseLogLine', () => {
  it('reads time, stream and text', () => {
    expect(parseLogLine('{"t":1700000000123456789,"s":"err","m":"a\\u0000\\ufffd"}')).toEqual({
      atMs: 1_700_000_000_123,
      isStderr: true,
      text: 'a\u0000\ufffd',
    });
    expect(parseLogLine('{"t":5000000,"s":"out","m":""}')).toEqual({ atMs: 5, isStderr: false, text: '' });
  });

  it.each([
    '',
    '{',
    'null',
    '[]',
    '1',
    '{"t":"1","s":"out","m":""}',
    '{"t":1,"s":"out"}',
    '{"t":-1,"s":"out","m":"x"}',
    '{"t":1e999,"m":"x"}',
  ])('leaves out %j', (text) => {
    expect(parseLogLine(text)).toBeUndefined();
  });
});

describe('LineSplitter', () => {
  const split = (chunks: (string | Buffer)[], maxBytes = 20): string[] => {
    const splitter = new LineSplitter(maxBytes);
    return chunks.flatMap((chunk) => [...splitter.push(Buffer.from(chunk))]);
  };

  it('joins what comes in parts, in the middle of a character too', () => {
    const bytes = Buffer.from('añb\nc\n\nd');
    const parts = Array.from(bytes, (byte) => Buffer.from([byte]));
    expect(split(parts)).toEqual(['añb', 'c', '']);
    expect(split([bytes])).toEqual(['añb', 'c', '']);
  });

  it('drops a line that is too long, and only that', () => {
    expect(split(['x'.repeat(21) + '\nok\n'])).toEqual(['ok']);
    expect(split(['x'.repeat(15), 'x'.repeat(15), 'x', '\nok\n'])).toEqual(['ok']);
    expect(split(['x'.repeat(20) + '\n'])).toEqual(['x'.repeat(20)]);
  });

  it('does not keep the caller’s buffer', () => {
    const splitter = new LineSplitter(20);
    const buffer = Buffer.from('begin');
    expect([...splitter.push(buffer)]).toEqual([]);
    buffer.fill('x');
    expect([...splitter.push(Buffer.from('end\n'))]).toEqual(['beginend']);
  });

  it('forgets a begun line when told', () => {
    const splitter = new LineSplitter(20);
    expect([...splitter.push(Buffer.from('half'))]).toEqual([]);
    splitter.reset();
    expect([...splitter.push(Buffer.from('whole\n'))]).toEqual(['whole']);
  });
});
