// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from '@jest/globals';
import { replica } from '../domain/plan.fixture.js';
import { InstanceCache } from './instance-cache.js';

describe('InstanceCache', () => {
  let cache: InstanceCache;
  let told: string[];

  beforeEach(() => {
    cache = new InstanceCache();
    told = [];
    cache.onChange((name) => told.push(name));
  });

  const ids = (name: string): string[] => cache.of(name).map(({ id }) => id);

  it('knows replicas by function and by id', () => {
    cache.put(replica('a'));
    cache.put(replica('b', { function: { namespace: 'ns', name: 'g' } }));
    expect(ids('f.ns')).toEqual(['a']);
    expect(cache.get('b')?.function.name).toBe('g');
    expect(cache.names()).toEqual(['f.ns', 'g.ns']);
    expect(told).toEqual(['f.ns', 'g.ns']);
  });

  it('forgets what is removed', () => {
    cache.put(replica('a'));
    cache.remove('a');
    cache.remove('a');
    expect(cache.get('a')).toBeUndefined();
    expect(cache.names()).toEqual([]);
    expect(told).toEqual(['f.ns', 'f.ns']);
  });

  it('takes the answer to a creation only where nothing newer is known', () => {
    cache.put(replica('a'));
    cache.expect(replica('a', { phase: 'starting' }));
    expect(cache.get('a')?.phase).toBe('ready');
    cache.remove('a');
    cache.expect(replica('a', { phase: 'starting' }));
    expect(cache.get('a')).toBeUndefined();
    cache.expect(replica('b', { phase: 'starting' }));
    expect(cache.get('b')?.phase).toBe('starting');
  });

  it('takes over a snapshot and tells everyone concerned', () => {
    cache.put(replica('a'));
    cache.put(replica('b', { function: { namespace: 'ns', name: 'g' } }));
    told.length = 0;
    cache.replace([replica('c'), replica('d', { function: { namespace: 'ns', name: 'h' } })]);
    expect(ids('f.ns')).toEqual(['c']);
    expect(cache.get('b')).toBeUndefined();
    expect(told.sort()).toEqual(['f.ns', 'g.ns', 'h.ns']);
  });

  it('does not grow with what it forgot', () => {
    for (let index = 0; index < 10_000; index += 1) {
      cache.remove(`gone-${index}`);
    }
    cache.expect(replica('gone-0'));
    cache.expect(replica('gone-9999'));
    expect(ids('f.ns')).toEqual(['gone-0']);
  });
});
