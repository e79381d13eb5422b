// SPDX-License-Identifier: Apache-2.0
import { get } from 'node:http';

/** Whether /healthz on this port of the host answers 200 within 2 s. */
export async function isHealthy(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = get({ host: '127.0.0.1', port, path: '/healthz', timeout: 2_000, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(false));
  });
}
