// SPDX-License-Identifier: Apache-2.0
// The forms in which a caller names an image:
//   [registry/]name[:tag][@digest]          a registry; without one it is docker.io, without a tag `latest`
//   oci:<folder>[:tag][@digest]             an OCI layout on this host; a plain absolute path means the same
//   oci-archive:<file>[:tag][@digest]       the same in a tar archive
//   docker-archive:<file>[@digest]          what `docker save` writes
// Read first: the OCI distribution and image layout specifications, and docker's reference grammar.
import { fail, ok, type Result } from '@junctiond/instance-model';

export type ImageReference = RegistryReference | LayoutReference | ArchiveReference;

export interface RegistryReference {
  readonly kind: 'registry';
  /** Host, with its port where one is named. */
  readonly registry: string;
  /** Path in the registry: `library/redis`. */
  readonly repository: string;
  readonly tag: string;
  readonly digest?: string;
}

export interface LayoutReference {
  readonly kind: 'oci';
  readonly path: string;
  /** Absent: the only image of the layout, or else `latest`. */
  readonly tag?: string;
  readonly digest?: string;
}

export interface ArchiveReference {
  readonly kind: 'oci-archive' | 'docker-archive';
  readonly path: string;
  readonly tag?: string;
  readonly digest?: string;
}

const MAX_REFERENCE_LENGTH = 4096;
/** The distribution specification's limit for a whole name. */
const MAX_NAME_LENGTH = 255;
const DIGEST = /@(sha256:[0-9a-f]{64})$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
/** A reference name of a layout may be more than a tag, `docker.io/library/redis:7` for example. */
const LAYOUT_TAG = /^[A-Za-z0-9_][A-Za-z0-9_.:/+-]{0,254}$/;
const REGISTRY = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*$/;
/** Without the colon that ends a path, and without control characters, since paths are shown to people. */

const PATH = /^\/[^:\u0000-\u001f\u007f]*$/;

const DEFAULT_REGISTRY = 'docker.io';
const DEFAULT_TAG = 'latest';

/** Reads a reference; the error is a sentence for people. */
export function parseImageReference(text: string): Result<ImageReference> {
  if (text.length > MAX_REFERENCE_LENGTH) {
    return fail(`an image reference has at most ${MAX_REFERENCE_LENGTH} characters`);
  }
  const digest = DIGEST.exec(text)?.[1];
  const name = digest === undefined ? text : text.slice(0, -digest.length - 1);
  if (name.includes('@')) {
    return fail(`image ${quote(text)}: what follows @ must be sha256: and 64 hexadecimal digits`);
  }
  const pinned = digest === undefined ? {} : { digest };
  for (const kind of ['oci', 'oci-archive', 'docker-archive'] as const) {
    if (name.startsWith(`${kind}:`)) {
      return parseHostReference(kind, name.slice(kind.length + 1), pinned, text);
    }
  }
  if (name.startsWith('/')) {
    return parseHostReference('oci', name, pinned, text);
  }
  return parseRegistryReference(name, pinned, text);
}

/** The canonical text, from which the same reference is read again. */
export function formatImageReference(reference: ImageReference): string {
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  if (reference.kind === 'registry') {
    return `${reference.registry}/${reference.repository}:${reference.tag}${digest}`;
  }
  return `${reference.kind}:${reference.path}${reference.tag === undefined ? '' : `:${reference.tag}`}${digest}`;
}

function parseHostReference(
  kind: 'oci' | 'oci-archive' | 'docker-archive',
  rest: string,
  pinned: { digest?: string },
  text: string,
): Result<ImageReference> {
  const colon = rest.indexOf(':');
  const path = colon === -1 ? rest : rest.slice(0, colon);
  const tag = colon === -1 ? undefined : rest.slice(colon + 1);
  if (!PATH.test(path)) {
    return fail(`image ${quote(text)}: the path must be absolute`);
  }
  if (tag !== undefined && kind === 'docker-archive') {
    return fail(`image ${quote(text)}: docker-archive takes no tag`);
  }
  if (tag !== undefined && !LAYOUT_TAG.test(tag)) {
    return fail(`image ${quote(text)}: the tag is not valid`);
  }
  return ok({ kind, path, ...(tag === undefined ? {} : { tag }), ...pinned });
}

function parseRegistryReference(name: string, pinned: { digest?: string }, text: string): Result<ImageReference> {
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  // As docker tells a registry from the first part of a path.
  const isRegistry = first === 'localhost' || /[.:A-Z]/.test(first);
  const registry = isRegistry ? first : DEFAULT_REGISTRY;
  const rest = isRegistry ? name.slice(slash + 1) : name;
  const colon = rest.indexOf(':');
  const path = colon === -1 ? rest : rest.slice(0, colon);
  const tag = colon === -1 ? DEFAULT_TAG : rest.slice(colon + 1);
  const repository = registry === DEFAULT_REGISTRY && !path.includes('/') ? `library/${path}` : path;

  if (!REGISTRY.test(registry)) {
    return fail(`image ${quote(text)}: ${quote(registry)} is not a registry's host name`);
  }
  if (
    !path.split('/').every((component) => COMPONENT.test(component)) ||
    `${registry}/${repository}`.length > MAX_NAME_LENGTH
  ) {
    return fail(
      `image ${quote(text)}: the name must be lower case parts of a-z, 0-9, ".", "_" and "-" between slashes`,
    );
  }
  if (!TAG.test(tag)) {
    return fail(`image ${quote(text)}: the tag is not valid`);
  }
  return ok({ kind: 'registry', registry, repository, tag, ...pinned });
}

function quote(text: string): string {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);
}
