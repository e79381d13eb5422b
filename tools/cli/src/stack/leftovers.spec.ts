// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { mountsBelow } from './leftovers.ts';

const line = (point: string): string => `36 35 98:0 / ${point} rw,noatime master:1 - ext4 /dev/root rw`;

describe('mountsBelow', () => {
  it('answers the mounts of a folder, innermost first', () => {
    const info = [line('/run'), line('/run/junctiond/a/x'), line('/run/junctiond/a/x/y')].join('\n');
    expect(mountsBelow('/run/junctiond/a', info)).toEqual(['/run/junctiond/a/x/y', '/run/junctiond/a/x']);
  });

  it('does not take a neighbour whose name begins alike', () => {
    expect(mountsBelow('/run/junctiond/a', line('/run/junctiond/ab/x'))).toEqual([]);
  });

  it('reads octal escapes', () => {
    expect(mountsBelow('/var/lib/a', line('/var/lib/a/with\\040space'))).toEqual(['/var/lib/a/with space']);
  });
});
