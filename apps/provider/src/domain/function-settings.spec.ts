// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { functionV1 } from '@junctiond/contracts';
import { type FieldFault, type FunctionSettings, readFunctionSettings } from './function-settings.js';

const DEFAULTS: FunctionSettings = {
  timeoutMs: 60_000,
  maxInflight: 0,
  scaleMin: 1,
  scaleMax: 20,
  scaleTarget: 50,
  port: 8080,
  gracePeriodMs: 30_000,
  readyPath: '/_/ready',
  allow: [],
};

function settingsOf(more: Partial<functionV1.FunctionSpec>): { settings: FunctionSettings; faults: FieldFault[] } {
  const faults: FieldFault[] = [];
  const settings = readFunctionSettings({ ...functionV1.FunctionSpec.create(), ...more }, faults);
  return { settings, faults };
}

describe('readFunctionSettings', () => {
  it('has the defaults of the contract', () => {
    expect(settingsOf({})).toEqual({ settings: DEFAULTS, faults: [] });
  });

  it.each([
    ['com.openfaas.timeout', '2m', { timeoutMs: 120_000 }],
    ['com.openfaas.timeout', '15', { timeoutMs: 15_000 }],
    ['com.openfaas.scale.min', '3', { scaleMin: 3 }],
    ['com.openfaas.scale.min', '0', { scaleMin: 0 }],
    ['com.openfaas.scale.min', '25', { scaleMin: 25, scaleMax: 25 }],
    ['com.openfaas.scale.max', '4', { scaleMax: 4 }],
    ['com.openfaas.scale.target', '12.6', { scaleTarget: 13 }],
    ['com.openfaas.max_inflight', '7', { maxInflight: 7 }],
    ['com.openfaas.port', '9000', { port: 9_000 }],
    ['com.openfaas.ready.http.path', '/ready?x=1', { readyPath: '/ready?x=1' }],
    ['com.openfaas.ready.http.path', '', { readyPath: '' }],
    [
      'com.junctiond.network.allow',
      '10.0.0.0/8:443, fd00::1',
      {
        allow: [
          { to: '10.0.0.0/8', port: 443 },
          { to: 'fd00::1/128', port: 0 },
        ],
      },
    ],
  ])('reads %s: %s as a label and as an annotation', (name, text, expected) => {
    const wanted = { settings: { ...DEFAULTS, ...expected }, faults: [] };
    expect(settingsOf({ labels: { entries: { [name]: text } } })).toEqual(wanted);
    expect(settingsOf({ annotations: { entries: { [name]: text } } })).toEqual(wanted);
  });

  it('takes the label where both are there', () => {
    const { settings } = settingsOf({
      labels: { entries: { 'com.openfaas.timeout': '1s' } },
      annotations: { entries: { 'com.openfaas.timeout': '2s' } },
    });
    expect(settings.timeoutMs).toBe(1_000);
  });

  it('takes the grace period from the environment', () => {
    expect(settingsOf({ envVars: { entries: { grace_period: '90s' } } }).settings.gracePeriodMs).toBe(90_000);
  });

  it('names each faulty destination', () => {
    const annotations = { entries: { 'com.junctiond.network.allow': '10.0.0.1/8,10.0.0.0/8,gateway:80' } };
    const { faults } = settingsOf({ annotations });
    expect(faults.map(({ field }) => field)).toEqual([
      'annotations.com.junctiond.network.allow',
      'annotations.com.junctiond.network.allow',
    ]);
    expect(faults.map(({ message }) => message)).toEqual([
      expect.stringContaining('"10.0.0.1/8": has host bits set'),
      expect.stringContaining('"gateway:80": is no address'),
    ]);
  });

  it('keeps the default for what is faulty, and says what is wrong', () => {
    const { settings, faults } = settingsOf({
      labels: { entries: { 'com.openfaas.timeout': 'x', 'com.openfaas.port': '0' } },
    });
    expect(settings).toEqual(DEFAULTS);
    expect(faults).toEqual([
      { field: 'labels.com.openfaas.timeout', message: expect.stringContaining('is "x", expected a duration') },
      { field: 'labels.com.openfaas.port', message: 'is "0", expected a whole number from 1 to 65535' },
    ]);
  });
});
