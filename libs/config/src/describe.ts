// SPDX-License-Identifier: Apache-2.0
// The documents of the configuration, made from the schemas: docs/configuration.md and the example files.
import { defaultOf, type AnyField, type StackPlaces } from './field.js';
import type { ConfigSchema, Fields } from './schema.js';
import { rpcFields, telemetryFields } from './shared-fields.js';
import { stackFields } from './stack-fields.js';
import { stackPaths } from './stack-paths.js';
import { stackPorts } from './stack-ports.js';

/** What the documents need of a schema. */
type Described = Pick<ConfigSchema<Fields>, 'app' | 'fields'>;

/** Places as the documents name them. */
const placesInDocs: StackPlaces = {
  paths: stackPaths('<stack>', { runDir: '/run/junctiond/<stack>', stateDir: '/var/lib/junctiond/<stack>' }),
  ports: stackPorts(8080),
};

/** Settings that every app has. */
const commonFields: readonly AnyField[] = [
  ...Object.values(stackFields),
  ...Object.values(telemetryFields),
  ...Object.values(rpcFields),
];

/** The Markdown table of the settings that an app has beyond those of every app, with its heading. */
export function describeConfig(schema: Described): string {
  const common = new Set(commonFields.map(({ env }) => env));
  return table(
    schema.app,
    Object.values(schema.fields).filter(({ env }) => !common.has(env)),
  );
}

/** The Markdown table of the settings that every app has. */
export function describeCommon(): string {
  return table('All apps', commonFields);
}

/** An environment file that names every setting of an app with its default, commented out. */
export function exampleEnvironment(schema: Described): string {
  const fields: AnyField[] = [...Object.values(stackFields), ...Object.values(schema.fields)];
  return fields
    .map(
      (field) =>
        `# ${field.doc}${field.range === '' ? '' : ` (${field.type}: ${field.range})`}\n#${field.env}=${defaultText(field)}\n`,
    )
    .join('\n');
}

function table(title: string, fields: readonly AnyField[]): string {
  const rows = fields.map((field) => {
    const value = defaultText(field);
    return `| \`${field.env}\` | ${field.type} | ${value === '' ? (field.fallback === undefined ? 'must be set' : '') : `\`${value}\``} | ${field.range} | ${field.doc.replaceAll('<', '\\<')} |`;
  });
  return [
    `## ${title}`,
    '',
    '| variable | type | default | range | what it is |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function defaultText(field: AnyField): string {
  if (field.fallback === undefined || field.isSecret) return '';
  return field.format(defaultOf(field.fallback, placesInDocs));
}
