// SPDX-License-Identifier: Apache-2.0
// The rules for a FunctionSpec that follow from the spec alone. Whether its namespace, secrets and image exist is asked
// elsewhere. All faults are found at once, so that a user can mend them in one go.
import type { functionV1 } from '@junctiond/contracts';
import { parseCpuMillicores, parseMemoryBytes, parseQuantity } from '@junctiond/instance-model';
import { type FieldFault, readFunctionSettings } from './function-settings.js';
import { imageReferenceFault } from './image-reference.js';
import { nameFault, namespaceFault, secretNameFault } from './names.js';

/** A label or annotation beyond these is a mistake; the whole spec must fit into one gRPC message. */
const MAX_ENTRIES = 1_024;
const MAX_KEY_LENGTH = 1_024;
const MAX_VALUE_BYTES = 131_071; // Linux's MAX_ARG_STRLEN less the end mark: values become environment variables
const MAX_SPEC_BYTES = 1_048_576;
/** junctiond's minima: less does not hold the Junction kernel, or is refused by the host's CPU controller. */
const MIN_MEMORY_BYTES = 4n * 1024n * 1024n;
const MIN_CPU_MILLICORES = 10n;
const MAX_MEMORY_BYTES = 1n << 50n;
const MAX_CPU_MILLICORES = 1_000_000n;

/** Every broken rule; empty when the spec is valid. */
export function validateFunctionSpec(spec: functionV1.FunctionSpec): FieldFault[] {
  const faults: FieldFault[] = [];
  const check = (field: string, fault: string | undefined): void => {
    if (fault !== undefined) {
      faults.push({ field, message: fault });
    }
  };
  check('service', nameFault(spec.name));
  check('namespace', namespaceFault(spec.namespace));
  check('image', imageReferenceFault(spec.image));
  check('envProcess', textFault(spec.envProcess ?? ''));
  checkEntries('envVars', spec.envVars?.entries, environmentNameFault, check);
  checkEntries('labels', spec.labels?.entries, keyFault, check);
  checkEntries('annotations', spec.annotations?.entries, keyFault, check);
  checkQuantities('limits', spec.limits, true, check);
  checkQuantities('requests', spec.requests, false, check);
  checkItems('constraints', spec.constraints?.items, textFault, check);
  checkItems('secrets', spec.secrets?.items, secretNameFault, check);
  readFunctionSettings(spec, faults);
  if (faults.length === 0 && JSON.stringify(spec).length > MAX_SPEC_BYTES) {
    faults.push({ field: 'spec', message: `has more than ${MAX_SPEC_BYTES} characters` });
  }
  return faults;
}

/** For the user, one fault a line: `image is missing`. */
export function describeFaults(faults: readonly FieldFault[]): string {
  return faults.map(({ field, message }) => `${field} ${message}`).join('\n');
}

type Check = (field: string, fault: string | undefined) => void;

function checkEntries(
  field: string,
  entries: Readonly<Record<string, string>> = {},
  nameRule: (name: string) => string | undefined,
  check: Check,
): void {
  const pairs = Object.entries(entries);
  check(field, pairs.length > MAX_ENTRIES ? `has more than ${MAX_ENTRIES} entries` : undefined);
  for (const [name, value] of pairs.slice(0, MAX_ENTRIES)) {
    check(field, nameRule(name));
    check(`${field}.${shorten(name)}`, textFault(value));
  }
}

function checkItems(
  field: string,
  items: readonly string[] = [],
  rule: (item: string) => string | undefined,
  check: Check,
): void {
  check(field, items.length > MAX_ENTRIES ? `has more than ${MAX_ENTRIES} entries` : undefined);
  for (const item of items.slice(0, MAX_ENTRIES)) {
    check(field, rule(item));
  }
}

function checkQuantities(
  field: string,
  resources: functionV1.Resources | undefined,
  isLimit: boolean,
  check: Check,
): void {
  for (const [name, text] of Object.entries(resources?.quantities ?? {})) {
    check(`${field}.${shorten(name)}`, quantityFault(name, text, isLimit));
  }
}

/** Kinds other than memory and cpu (GPUs, say) must parse, and are otherwise kept for whoever places functions. */
function quantityFault(name: string, text: string, isLimit: boolean): string | undefined {
  if (name === 'memory') {
    const bytes = parseMemoryBytes(text);
    if (!bytes.ok) {
      return bytes.error;
    }
    return isLimit && (bytes.value < MIN_MEMORY_BYTES || bytes.value > MAX_MEMORY_BYTES)
      ? `is ${text}, expected 4Mi to 1Pi`
      : undefined;
  }
  if (name === 'cpu') {
    const millicores = parseCpuMillicores(text);
    if (!millicores.ok) {
      return millicores.error;
    }
    return isLimit && (millicores.value < MIN_CPU_MILLICORES || millicores.value > MAX_CPU_MILLICORES)
      ? `is ${text}, expected 10m to 1000`
      : undefined;
  }
  const quantity = parseQuantity(text);
  if (!quantity.ok) {
    return quantity.error;
  }
  return quantity.value.nanos < 0n ? `is negative: ${text}` : undefined;
}

/** POSIX environ(7) forbids only `=` and NUL; an empty name cannot be set. */
function environmentNameFault(name: string): string | undefined {
  return name === '' || /[=\0]/.test(name) || name.length > MAX_KEY_LENGTH
    ? `has a name that no environment variable can have: ${JSON.stringify(shorten(name))}`
    : undefined;
}

function keyFault(name: string): string | undefined {
  return name === '' || name.includes('\0') || name.length > MAX_KEY_LENGTH
    ? `has a bad key: ${JSON.stringify(shorten(name))}`
    : undefined;
}

function textFault(text: string): string | undefined {
  if (text.includes('\0')) {
    return 'holds a NUL character';
  }
  return Buffer.byteLength(text) > MAX_VALUE_BYTES ? `has more than ${MAX_VALUE_BYTES} bytes` : undefined;
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
