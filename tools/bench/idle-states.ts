// SPDX-License-Identifier: Apache-2.0
import { open, type FileHandle } from 'node:fs/promises';

export type IdleStates = 'stock' | 'shallow';

/**
 * Holds the machine's idle states shallow for every contestant alike while open: a zero written to
 * /dev/cpu_dma_latency counts until the descriptor is closed (Linux Documentation/power/pm_qos_interface.rst).
 */
export async function holdShallow(): Promise<FileHandle> {
  const device = await open('/dev/cpu_dma_latency', 'w');
  await device.write(Buffer.alloc(4));
  return device;
}
