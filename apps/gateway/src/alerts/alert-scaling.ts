// SPDX-License-Identifier: Apache-2.0

/** A function's bounds, from its labels. */
export interface ScaleBounds {
  readonly min: number;
  readonly max: number;
  /** Percentage of `max` by which one alert scales. */
  readonly factor: number;
}

/** Reads the labels com.openfaas.scale.min, .max and .factor; what is absent or no number has the usual default. */
export function toScaleBounds(labels: Readonly<Record<string, string>>): ScaleBounds {
  const read = (key: string, otherwise: number): number => {
    const value = Number(labels[`com.openfaas.scale.${key}`] ?? NaN);
    return Number.isInteger(value) && value >= 0 ? value : otherwise;
  };
  return { min: read('min', 1), max: read('max', 20), factor: Math.min(100, read('factor', 20)) };
}

/** The replicas that an alert asks for: a step up to the maximum when it fires, else the minimum. */
export function replicasAfterAlert(current: number, isFiring: boolean, { min, max, factor }: ScaleBounds): number {
  // Equal bounds turn scaling off.
  if (min === max) return current;
  if (!isFiring) return min;
  const step = Math.ceil((max * factor) / 100);
  return Math.min(max, current + step);
}
