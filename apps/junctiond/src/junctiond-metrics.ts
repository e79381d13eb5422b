// SPDX-License-Identifier: Apache-2.0
import { INSTANCE_STATES, type InstanceState } from '@junctiond/instance-model';
import type { Telemetry } from '@junctiond/telemetry';

/** Seconds. From the few milliseconds of a static program to the default listen deadline. */
const START_BOUNDS = [
  0.002, 0.004, 0.006, 0.008, 0.012, 0.016, 0.024, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 4, 8, 16, 32, 64,
];
/** Seconds. From an image in a folder nearby to a large one from far away. */
const PULL_BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** What junctiond counts. */
export interface JunctiondMetrics {
  launched(isRestart: boolean): void;
  ready(afterMs: number): void;
  imageBrought(result: 'ok' | 'failed', durationMs: number, compressedBytes: number): void;
}

export interface CountedNow {
  readonly states: () => readonly InstanceState[];
  readonly images: () => { readonly count: number; readonly bytes: number };
}

/** Registers the metrics; `now` answers what is read when they are asked for. */
export function createMetrics(telemetry: Pick<Telemetry, 'meter' | 'addSource'>, now: CountedNow): JunctiondMetrics {
  const { meter } = telemetry;
  const starts = meter.createCounter('junctiond_instance_starts', {
    description: 'Processes of instances started, restarts included.',
  });
  const restarts = meter.createCounter('junctiond_instance_restarts', {
    description: 'Restarts of instances that had ended by themselves.',
  });
  const startSeconds = meter.createHistogram('junctiond_instance_start_seconds', {
    description: 'Time from the start of an instance until it listens on its service port.',
    advice: { explicitBucketBoundaries: START_BOUNDS },
  });
  const pulls = meter.createCounter('junctiond_image_pulls', { description: 'Images brought to this node.' });
  const pulledBytes = meter.createCounter('junctiond_image_pull_bytes', {
    description: 'Compressed bytes of the images brought.',
  });
  const pullSeconds = meter.createHistogram('junctiond_image_pull_seconds', {
    description: 'Time to bring and unpack an image.',
    advice: { explicitBucketBoundaries: PULL_BOUNDS },
  });
  telemetry.addSource(() => {
    const states = now.states();
    const images = now.images();
    return [
      {
        kind: 'gauge',
        name: 'junctiond_instances',
        help: 'Instances by state.',
        samples: INSTANCE_STATES.map((state) => ({
          labels: { state },
          value: states.filter((each) => each === state).length,
        })),
      },
      {
        kind: 'gauge',
        name: 'junctiond_images',
        help: 'Images in the cache.',
        samples: [{ labels: {}, value: images.count }],
      },
      {
        kind: 'gauge',
        name: 'junctiond_image_bytes',
        help: 'Bytes on disk of the unpacked images.',
        samples: [{ labels: {}, value: images.bytes }],
      },
    ];
  });
  return {
    launched: (isRestart) => {
      starts.add(1);
      if (isRestart) restarts.add(1);
    },
    ready: (afterMs) => {
      startSeconds.record(afterMs / 1000);
    },
    imageBrought: (result, durationMs, compressedBytes) => {
      pulls.add(1, { result });
      pulledBytes.add(compressedBytes);
      pullSeconds.record(durationMs / 1000, { result });
    },
  };
}
