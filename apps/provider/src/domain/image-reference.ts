// SPDX-License-Identifier: Apache-2.0
// Read first: the grammar in the OCI distribution specification ("Pulling manifests", <name> and <reference>) and
// distribution/reference. The forms on the host are junctiond's: `oci:`, `oci-archive:`, `docker-archive:`, a path.

const MAX_LENGTH = 1_024;
const DIGEST = /@sha256:[0-9a-f]{64}$/;
const HOST_FORM = /^(?:(?:oci|oci-archive|docker-archive):)?\/[^\s@/][^\s@]*$/;
const DOMAIN =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?$/;
const PATH_PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** Why `image` is no image reference; undefined when it is one. Whether there is such an image is another question. */
export function imageReferenceFault(image: string): string | undefined {
  if (image === '') {
    return 'is missing';
  }
  if (image.length > MAX_LENGTH) {
    return `has more than ${MAX_LENGTH} characters`;
  }
  const name = image.replace(DIGEST, '');
  if (/^(?:oci|oci-archive|docker-archive):|^\//.test(name)) {
    return HOST_FORM.test(name) && !name.split('/').includes('..')
      ? undefined
      : `is not an absolute path of an image on the host: ${JSON.stringify(image)}`;
  }
  return isRegistryReference(name)
    ? undefined
    : `is not an image reference ([registry/]name[:tag][@sha256:...]): ${JSON.stringify(image)}`;
}

/** The reference that names exactly this digest, whatever the tag points to later. */
export function pinImage(image: string, digest: string): string {
  return digest === '' || DIGEST.test(image) ? image : `${image}@${digest}`;
}

function isRegistryReference(name: string): boolean {
  const parts = name.split('/');
  const last = parts.pop() ?? '';
  const [repository = '', tag, ...more] = last.split(':');
  if (more.length > 0 || (tag !== undefined && !TAG.test(tag))) {
    return false;
  }
  // The first part is a registry when it looks like a host: a dot, a port, or "localhost".
  const [first] = parts;
  if (first !== undefined && (/[.:]/.test(first) || first === 'localhost')) {
    parts.shift();
    if (!DOMAIN.test(first)) {
      return false;
    }
  }
  return [...parts, repository].every((part) => PATH_PART.test(part));
}
