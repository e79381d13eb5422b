// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from './config-error.js';
import { defaultOf, type AnyField, type StackPlaces, type ValueOf } from './field.js';
import { loadStack, stackFields } from './stack-fields.js';
import type { StackPaths } from './stack-paths.js';

/** The settings of an app by the name that its code uses. */
export type Fields = Readonly<Record<string, AnyField>>;

/** The configuration that a schema's fields yield; `paths` are the names and places of the stack. */
export type ConfigOfFields<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> } & {
  readonly paths: StackPaths;
};

/** The configuration that a schema yields. */
export type ConfigOf<S> = S extends ConfigSchema<infer F> ? ConfigOfFields<F> : never;

/** One app's settings. */
export interface ConfigSchema<F extends Fields> {
  readonly app: string;
  /** Variables that start with it belong to this app alone, so that an unknown one is a fault. */
  readonly envPrefix: string;
  readonly fields: F;
  readonly checks: readonly ((config: ConfigOfFields<F>) => string | undefined)[];
}

/** Declares an app's settings. `checks` look at several values together and answer a fault or undefined. */
export function defineConfig<F extends Fields>(schema: {
  name: string;
  envPrefix?: string;
  fields: F;
  checks?: readonly ((config: ConfigOfFields<F>) => string | undefined)[];
}): ConfigSchema<F> {
  return {
    app: schema.name,
    envPrefix: schema.envPrefix ?? `JUNCTION_${schema.name.toUpperCase().replaceAll('-', '_')}_`,
    fields: schema.fields,
    checks: schema.checks ?? [],
  };
}

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads an app's configuration. An empty variable counts as unset.
 * @throws ConfigError with all faults at once; the app should print it and refuse to start.
 */
export function loadConfig<F extends Fields>(
  schema: ConfigSchema<F>,
  env: Environment = process.env,
): ConfigOfFields<F> {
  const faults: string[] = [];
  const places = loadStack(env, faults);
  const config: Record<string, unknown> = { paths: places.paths };
  for (const [name, field] of Object.entries(schema.fields)) {
    config[name] = readField(field, env, places, faults);
  }
  faults.push(...unknownVariables(schema, env));
  // Checks want whole values, so they wait until each setting is right by itself.
  if (faults.length === 0) {
    for (const check of schema.checks) {
      const fault = check(config as ConfigOfFields<F>);
      if (fault !== undefined) faults.push(fault);
    }
  }
  if (faults.length > 0) throw new ConfigError(schema.app, faults);
  return config as ConfigOfFields<F>;
}

/** One setting's value; a fault is appended and the value is then undefined. */
function readField(field: AnyField, env: Environment, places: StackPlaces, faults: string[]): unknown {
  const text = env[field.env];
  if (text === undefined || text === '') {
    if (field.fallback !== undefined) return defaultOf(field.fallback, places);
    faults.push(`${field.env} is not set: ${field.doc}`);
    return undefined;
  }
  const parsed = field.parse(text);
  if ('value' in parsed) return parsed.value;
  faults.push(`${field.env} ${field.isSecret ? 'is not valid' : parsed.fault}`);
  return undefined;
}

function unknownVariables(schema: Omit<ConfigSchema<Fields>, 'checks'>, env: Environment): string[] {
  const known = new Set([...Object.values(schema.fields), ...Object.values(stackFields)].map((field) => field.env));
  return Object.keys(env)
    .filter((name) => name.startsWith(schema.envPrefix) && !known.has(name))
    .sort()
    .map((name) => `${name} is not a setting of ${schema.app}`);
}
