// SPDX-License-Identifier: Apache-2.0
// What skopeo's messages mean for a caller. They are no interface of skopeo's; what is not known here is `unavailable`.
import type { CommandResult } from '../command.js';
import { JunctiondError, type JunctiondErrorKind } from '../junctiond.error.js';

interface Meaning {
  readonly pattern: RegExp;
  readonly kind: JunctiondErrorKind;
  readonly meaning: string;
}

/** The first that fits counts. */
const MEANINGS: readonly Meaning[] = [
  {
    pattern: /manifest unknown|name unknown|repository name not known|no descriptor found|StatusCode: 404/i,
    kind: 'not_found',
    meaning: 'there is no such image',
  },
  {
    pattern: /no image found in (manifest list|image index)/i,
    kind: 'not_found',
    meaning: 'it has no image for this machine',
  },
  {
    pattern: /unauthorized|authentication required|resource is denied|invalid username\/password|StatusCode: 40[13]/i,
    kind: 'permission_denied',
    meaning: 'the registry refuses access: check the credentials in JUNCTION_JUNCTIOND_REGISTRY_AUTH_FILE',
  },
  {
    pattern: /server gave HTTP response to HTTPS client/i,
    kind: 'failed_precondition',
    meaning: 'the registry speaks plain HTTP: name it in JUNCTION_JUNCTIOND_INSECURE_REGISTRIES to allow that',
  },
  { pattern: /x509|certificate/i, kind: 'failed_precondition', meaning: "the registry's certificate is not trusted" },
  {
    pattern:
      /connection refused|no such host|i\/o timeout|deadline exceeded|is unreachable|no route to host|connection reset/i,
    kind: 'unavailable',
    meaning: 'the registry cannot be reached',
  },
  { pattern: /StatusCode: 5\d\d|toomanyrequests/i, kind: 'unavailable', meaning: 'the registry cannot serve it now' },
  { pattern: /no such file or directory/i, kind: 'not_found', meaning: 'there is no such file' },
  { pattern: /permission denied/i, kind: 'permission_denied', meaning: 'it may not be read' },
  { pattern: /no space left on device/i, kind: 'resource_exhausted', meaning: 'the disk is full' },
  {
    pattern: /archive\/tar|tar component|untarring|Digest did not match|unexpected EOF|invalid character/i,
    kind: 'invalid_argument',
    meaning: 'it is damaged or not an image',
  },
  {
    pattern: /unsupported|more than one image/i,
    kind: 'invalid_argument',
    meaning: 'it is not an image that can be used',
  },
];

/** `source` is the image in skopeo's words. Its output never holds credentials. */
export function skopeoError(source: string, result: CommandResult): JunctiondError {
  const name = source.replace(/^docker:\/\//, '');
  if (result.hasTimedOut) {
    return new JunctiondError('deadline_exceeded', `image ${name}: bringing it took too long`);
  }
  const detail = fatalMessage(result.stderr);
  const known = MEANINGS.find(({ pattern }) => pattern.test(detail));
  const meaning = known?.meaning ?? 'it cannot be brought';
  return new JunctiondError(known?.kind ?? 'unavailable', `image ${name}: ${meaning} (${detail})`);
}

/** The message of skopeo's last log line, without its frame. */
function fatalMessage(stderr: string): string {
  const line = stderr.trimEnd().split('\n').at(-1) ?? '';
  const message = /msg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1]?.replace(/\\(.)/g, '$1') ?? line;
  return message.length > 500 ? `${message.slice(0, 500)}…` : message;
}
