// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { parseNotifyEvent } from './notify-event.js';
import { parseStatus } from './status-file.js';

describe('parseNotifyEvent', () => {
  it.each([
    [
      '{"id":"a","event":"started","pid":12,"startTimeTicks":"345","monitorPid":11}',
      { kind: 'started', id: 'a', guest: { pid: 12, startTimeTicks: 345n }, monitorPid: 11 },
    ],
    [
      '{"id":"a","event":"listening","guestPort":8080,"hostPort":40123,"protocol":"tcp"}',
      { kind: 'listening', id: 'a', guestPort: 8080, hostPort: 40123 },
    ],
    ['{"id":"a","event":"closed","guestPort":8080}', { kind: 'closed', id: 'a', guestPort: 8080 }],
    [
      '{"id":"a","event":"uprocStarted","pid":7,"monitorPid":6,"startTimeTicks":"1"}',
      { kind: 'uprocStarted', id: 'a', monitorPid: 6, pid: 7 },
    ],
    [
      '{"id":"a","event":"uprocExited","monitorPid":6,"exitCode":3,"signal":0,"oomKilled":false}',
      { kind: 'uprocExited', id: 'a', monitorPid: 6, exitCode: 3 },
    ],
    [
      '{"id":"a","event":"uprocExited","monitorPid":6,"exitCode":127,"error":"/x: not there"}',
      { kind: 'uprocExited', id: 'a', monitorPid: 6, exitCode: 127, error: '/x: not there' },
    ],
  ])('reads %s', (line, expected) => {
    expect(parseNotifyEvent(line)).toEqual(expected);
  });

  it.each([
    '',
    'x',
    'null',
    '{"event":"started"}',
    '{"id":"a","event":"exited","exitCode":0}',
    '{"id":"a","event":"started","pid":0,"startTimeTicks":"1"}',
    '{"id":"a","event":"started","pid":1,"startTimeTicks":"x"}',
    '{"id":"a","event":"listening","guestPort":8080,"hostPort":0}',
    '{"id":"a","event":"listening","guestPort":65536,"hostPort":1}',
    '{"id":"a","event":"listening","guestPort":1.5,"hostPort":1}',
    '{"id":"a","event":"listening","guestPort":53,"hostPort":5353,"protocol":"udp"}',
    '{"id":"a","event":"closed","guestPort":"8080"}',
    '{"id":"a","event":"uprocStarted","pid":7}',
    '{"id":"a","event":"uprocStarted","pid":0,"monitorPid":6}',
    '{"id":"a","event":"uprocExited","monitorPid":6}',
  ])('leaves out %j', (line) => {
    expect(parseNotifyEvent(line)).toBeUndefined();
  });
});

describe('parseStatus', () => {
  it('reads a running instance', () => {
    const text = '{"state":"running","pid":5,"startTimeTicks":"77","monitorPid":4,"monitorStartTimeTicks":"76"}';
    expect(parseStatus(text)).toEqual({
      guest: { pid: 5, startTimeTicks: 77n },
      monitor: { pid: 4, startTimeTicks: 76n },
    });
  });

  it('reads an exit', () => {
    const text =
      '{"state":"exited","pid":5,"startTimeTicks":"77","exitedAtNs":"1700000000123456789","exitCode":137,"signal":9,"oomKilled":true,"error":"no such file"}';
    expect(parseStatus(text)).toEqual({
      guest: { pid: 5, startTimeTicks: 77n },
      exit: { code: 0, signal: 9, outOfMemory: true, at: new Date(1_700_000_000_123) },
      error: 'no such file',
    });
  });

  it.each(['', '{', '[]', '{"state":"other"}', '{}'])('has nothing from %j', (text) => {
    expect(parseStatus(text)).toBeUndefined();
  });
});
