// SPDX-License-Identifier: Apache-2.0
import type { StackPaths } from './stack-paths.js';
import type { StackPorts } from './stack-ports.js';

/** What a default may derive from. */
export interface StackPlaces {
  readonly paths: StackPaths;
  readonly ports: StackPorts;
}

/** A parsed value, or one sentence that says what is wrong with the text. */
export type Parsed<T> = { readonly value: T } | { readonly fault: string };

/** A default: the value itself, or how it follows from the stack's name. */
export type Default<T> = T | ((places: StackPlaces) => T);

/** One setting: how its environment variable is read, and what the documents say about it. */
export interface Field<T> {
  readonly env: string;
  /** One sentence for the documents. */
  readonly doc: string;
  /** The kind of value, for the documents: `port`, `duration`, … */
  readonly type: string;
  /** Allowed values, for the documents; empty = any. */
  readonly range: string;
  /** The environment holds the secret itself: neither documents nor faults show a value. */
  readonly isSecret: boolean;
  readonly parse: (text: string) => Parsed<T>;
  /** The text that parses to `value`. */
  readonly format: (value: T) => string;
  /** Absent: the setting must be given. */
  readonly fallback?: { readonly of: Default<T> };
}

/** A field whose value does not matter to the reader; `any` because Field is invariant in its value. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyField = Field<any>;

/** The value a field yields. */
export type ValueOf<F> = F extends Field<infer T> ? T : never;

/** Evaluates a default for a stack. */
export function defaultOf<T>(fallback: { readonly of: Default<T> }, places: StackPlaces): T {
  return typeof fallback.of === 'function' ? (fallback.of as (places: StackPlaces) => T)(places) : fallback.of;
}
