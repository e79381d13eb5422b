// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { type FunctionDeployment, type FunctionResources } from './openfaas-api.js';

/** A function of a stack.yml, with the names used there. */
interface StackFunction {
  readonly image: string;
  readonly namespace?: string;
  readonly fprocess?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly constraints?: readonly string[];
  readonly limits?: FunctionResources;
  readonly requests?: FunctionResources;
  readonly readonly_root_filesystem?: boolean;
}

/** Reads a stack.yml as faas-cli does: `${NAME}` and `${NAME:-default}` come from `variables`. */
export function readStackFile(path: string, variables: Readonly<Record<string, string>>): FunctionDeployment[] {
  const text = readFileSync(path, 'utf8').replaceAll(
    /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
    (_, name: string, fallback: string | undefined) => variables[name] ?? fallback ?? '',
  );
  const { functions } = parse(text) as { functions: Readonly<Record<string, StackFunction>> };
  return Object.entries(functions).map(([name, settings]) => deploymentOf(name, settings));
}

function deploymentOf(name: string, settings: StackFunction): FunctionDeployment {
  return {
    service: name,
    image: settings.image,
    ...(settings.namespace === undefined ? {} : { namespace: settings.namespace }),
    ...(settings.fprocess === undefined ? {} : { envProcess: settings.fprocess }),
    ...(settings.environment === undefined ? {} : { envVars: settings.environment }),
    ...(settings.constraints === undefined ? {} : { constraints: settings.constraints }),
    ...(settings.secrets === undefined ? {} : { secrets: settings.secrets }),
    ...(settings.labels === undefined ? {} : { labels: settings.labels }),
    ...(settings.annotations === undefined ? {} : { annotations: settings.annotations }),
    ...(settings.limits === undefined ? {} : { limits: settings.limits }),
    ...(settings.requests === undefined ? {} : { requests: settings.requests }),
    ...(settings.readonly_root_filesystem === undefined
      ? {}
      : { readOnlyRootFilesystem: settings.readonly_root_filesystem }),
  };
}
