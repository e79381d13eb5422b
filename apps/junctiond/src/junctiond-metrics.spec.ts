// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { startTelemetry, type Telemetry } from '@junctiond/telemetry';

import { createMetrics } from './junctiond-metrics.js';

let telemetry: Telemetry;

beforeEach(async () => {
  telemetry = await startTelemetry({
    app: 'junctiond',
    version: '0',
    metricsHost: '127.0.0.1',
    metricsPort: 0,
    onError: (error) => {
      throw error;
    },
  });
});

afterEach(() => telemetry.close());

describe('createMetrics', () => {
  it('counts starts, restarts and images, and shows instances by state', async () => {
    const metrics = createMetrics(telemetry, {
      states: () => ['ready', 'ready', 'failed'],
      images: () => ({ count: 2, bytes: 4096 }),
    });
    metrics.launched(false);
    metrics.launched(true);
    metrics.ready(7);
    metrics.imageBrought('ok', 1500, 1000);
    metrics.imageBrought('failed', 10, 0);
    const text = await telemetry.scrape();
    for (const line of [
      'junctiond_instances{state="ready"} 2',
      'junctiond_instances{state="failed"} 1',
      'junctiond_instances{state="created"} 0',
      'junctiond_instance_starts_total 2',
      'junctiond_instance_restarts_total 1',
      'junctiond_instance_start_seconds_bucket{le="0.006"} 0',
      'junctiond_instance_start_seconds_bucket{le="0.008"} 1',
      'junctiond_image_pulls_total{result="ok"} 1',
      'junctiond_image_pulls_total{result="failed"} 1',
      'junctiond_image_pull_bytes_total 1000',
      'junctiond_images 2',
      'junctiond_image_bytes 4096',
    ]) {
      expect(text).toContain(line);
    }
  });
});
