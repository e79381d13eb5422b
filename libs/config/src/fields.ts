// SPDX-License-Identifier: Apache-2.0
// The kinds of settings. A kind is a function that makes a Field; an app's schema is a record of them.
import { isAbsolute } from 'node:path';
import { formatAddress, parseAddress, type Address } from './address.js';
import { formatBytes, parseBytes } from './bytes.js';
import { formatDuration, parseDuration } from './duration.js';
import type { Default, Field, Parsed } from './field.js';
import { Secret } from './secret.js';

/** What every kind takes. Without a default the setting must be given. */
export interface FieldOptions<T> {
  readonly env: string;
  readonly doc: string;
  readonly default?: Default<T>;
}

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

function field<T>(
  options: FieldOptions<T>,
  kind: Pick<Field<T>, 'type' | 'range' | 'parse' | 'format'> & { isSecret?: boolean },
): Field<T> {
  return {
    env: options.env,
    doc: options.doc,
    type: kind.type,
    range: kind.range,
    isSecret: kind.isSecret ?? false,
    parse: kind.parse,
    format: kind.format,
    ...(options.default === undefined ? {} : { fallback: { of: options.default } }),
  };
}

/** Makes a setting that may stay unset; its value is then undefined. */
export function optional<T>(inner: Field<T>): Field<T | undefined> {
  return {
    ...inner,
    format: (value) => (value === undefined ? '' : inner.format(value)),
    fallback: { of: undefined },
  };
}

/** Any text; `pattern` limits it and `shape` says so in words. */
export function text(options: FieldOptions<string> & { pattern?: RegExp; shape?: string }): Field<string> {
  const { pattern, shape = '' } = options;
  return field(options, {
    type: 'text',
    range: shape,
    format: (value) => value,
    parse: (raw) =>
      pattern === undefined || pattern.test(raw)
        ? { value: raw }
        : { fault: `is ${JSON.stringify(raw)}, expected ${shape || String(pattern)}` },
  });
}

/** A whole number in decimal. */
export function integer(options: FieldOptions<number> & Bounds): Field<number> {
  return field(options, {
    type: 'integer',
    range: rangeText(options, String),
    format: String,
    parse: (raw) =>
      /^-?\d{1,15}$/.test(raw)
        ? withinBounds(Number(raw), options, String)
        : { fault: `is ${JSON.stringify(raw)}, expected a whole number` },
  });
}

/** A TCP port; 0 lets the host choose one. */
export function port(options: FieldOptions<number>): Field<number> {
  return { ...integer({ ...options, min: 0, max: 65535 }), type: 'port' };
}

/** A length of time such as `500ms`, `10s`, `1m30s`; the value is in milliseconds. */
export function duration(options: FieldOptions<number> & Bounds): Field<number> {
  return field(options, {
    type: 'duration',
    range: rangeText(options, formatDuration),
    format: formatDuration,
    parse: (raw) => {
      const ms = parseDuration(raw);
      if (ms === undefined)
        return { fault: `is ${JSON.stringify(raw)}, expected a duration such as 500ms, 10s or 1m30s` };
      return withinBounds(ms, options, formatDuration);
    },
  });
}

/** An amount of memory or data such as `65536`, `64Ki`, `8Mi`; the value is in bytes. */
export function bytes(options: FieldOptions<number> & Bounds): Field<number> {
  return field(options, {
    type: 'bytes',
    range: rangeText(options, formatBytes),
    format: formatBytes,
    parse: (raw) => {
      const size = parseBytes(raw);
      if (size === undefined) return { fault: `is ${JSON.stringify(raw)}, expected bytes such as 65536, 64Ki or 8Mi` };
      return withinBounds(size, options, formatBytes);
    },
  });
}

/** `true` or `false`. */
export function flag(options: FieldOptions<boolean>): Field<boolean> {
  return field(options, {
    type: 'flag',
    range: 'true, false',
    format: String,
    parse: (raw) =>
      raw === 'true' || raw === 'false'
        ? { value: raw === 'true' }
        : { fault: `is ${JSON.stringify(raw)}, expected true or false` },
  });
}

/** One of a few words. */
export function choice<const W extends string>(options: FieldOptions<W> & { of: readonly W[] }): Field<W> {
  return field(options, {
    type: 'choice',
    range: options.of.join(', '),
    format: (value) => value,
    parse: (raw) => {
      const word = options.of.find((each) => each === raw);
      return word === undefined
        ? { fault: `is ${JSON.stringify(raw)}, expected one of ${options.of.join(', ')}` }
        : { value: word };
    },
  });
}

/** An absolute path of the host. */
export function path(options: FieldOptions<string>): Field<string> {
  return field(options, {
    type: 'path',
    range: 'absolute',
    format: (value) => value,
    parse: (raw) =>
      isAbsolute(raw) ? { value: raw } : { fault: `is ${JSON.stringify(raw)}, expected an absolute path` },
  });
}

/** Words separated by commas; empty items are dropped. */
export function list(options: FieldOptions<readonly string[]>): Field<readonly string[]> {
  return field(options, {
    type: 'list',
    range: 'comma-separated',
    format: (value) => value.join(','),
    parse: (raw) => ({
      value: raw
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    }),
  });
}

/** Where a gRPC server listens: `unix:/path` or `host:port`. */
export function address(options: FieldOptions<Address>): Field<Address> {
  return field(options, {
    type: 'address',
    range: 'unix:/path or host:port',
    format: formatAddress,
    parse: (raw) => {
      const parsed = parseAddress(raw);
      return typeof parsed === 'string' ? { fault: parsed } : { value: parsed };
    },
  });
}

/** An absolute URL of one of the given protocols (`http:`, …). */
export function url(options: FieldOptions<string> & { protocols: readonly string[] }): Field<string> {
  const expected = `a URL with ${options.protocols.join(' or ')}`;
  return field(options, {
    type: 'url',
    range: options.protocols.join(', '),
    format: (value) => value,
    // The text is not repeated in a fault: a URL may carry a password.
    parse: (raw) => {
      const parsed = URL.parse(raw);
      return parsed !== null && options.protocols.includes(parsed.protocol)
        ? { value: raw }
        : { fault: `is not ${expected}` };
    },
  });
}

/** A secret given in the environment itself. Prefer a file: other processes of the user can read an environment. */
export function secret(options: Omit<FieldOptions<Secret>, 'default'>): Field<Secret> {
  return field<Secret>(options, {
    type: 'secret',
    range: '',
    isSecret: true,
    format: String,
    parse: (raw) => ({ value: new Secret(raw) }),
  });
}

function rangeText({ min, max }: Bounds, format: (value: number) => string): string {
  if (min !== undefined && max !== undefined) return `${format(min)} to ${format(max)}`;
  if (min !== undefined) return `at least ${format(min)}`;
  if (max !== undefined) return `at most ${format(max)}`;
  return '';
}

function withinBounds(value: number, bounds: Bounds, format: (value: number) => string): Parsed<number> {
  const isBelow = bounds.min !== undefined && value < bounds.min;
  const isAbove = bounds.max !== undefined && value > bounds.max;
  return isBelow || isAbove ? { fault: `is ${format(value)}, expected ${rangeText(bounds, format)}` } : { value };
}
