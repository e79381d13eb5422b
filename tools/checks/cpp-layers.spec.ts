// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { layerFaults } from './cpp-layers.ts';

describe('layerFaults', () => {
  it('lets a layer include itself, lower layers and the system', () => {
    const text = '#include <vector>\n#include "kernel/file.h"\n#include "base/error.h"\n#include <sys/mman.h>\n';
    expect(layerFaults('kernel/sys_file.cc', text)).toEqual([]);
  });

  it('refuses a higher layer', () => {
    expect(layerFaults('base/clock.cc', '#include "kernel/file.h"\n')).toEqual([
      'base/clock.cc:1: base must not include kernel/file.h',
    ]);
  });

  it('refuses a layer beside', () => {
    expect(layerFaults('scheduler/main.cc', '\n  #  include "ingress/proxy.h"')).toHaveLength(1);
  });

  it('refuses napi.h outside the addon', () => {
    expect(layerFaults('ingress/proxy.cc', '#include <napi.h>')).toHaveLength(1);
    expect(layerFaults('addon/addon.cc', '#include <napi.h>')).toEqual([]);
  });

  it('refuses a path that climbs', () => {
    expect(layerFaults('run/main.cc', '#include "../base/error.h"')).toHaveLength(1);
  });

  it('refuses a folder that is no layer', () => {
    expect(layerFaults('misc/a.cc', '')).toHaveLength(1);
  });
});
