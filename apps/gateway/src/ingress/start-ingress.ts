// SPDX-License-Identifier: Apache-2.0
import { Ingress, useAddon } from '@junctiond/native-binding';
import type { GatewayConfig } from '../config.js';
import type { StartIngress } from './ingress-host.js';

/** How the native ingress is started: from the configured addon file, or the built one. */
export function nativeIngress({ addonPath }: GatewayConfig): StartIngress {
  return (options, events) => {
    if (addonPath !== undefined) useAddon(addonPath);
    return Ingress.start(options, events);
  };
}
