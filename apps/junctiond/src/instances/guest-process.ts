// SPDX-License-Identifier: Apache-2.0
// The guest's first process: what the image says and what the request says, merged as container engines do it.
import type { InstanceSpec } from '@junctiond/instance-model';

import { type GuestUser, resolveGuestUser } from '../images/guest-user.js';
import type { ImageLease } from '../images/image.service.js';
import { JunctiondError } from '../junctiond.error.js';
import type { GuestProcess } from './instance-record.js';

/** What a shell would have; for images that say nothing. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Users that were looked up; an image's files never change, so an answer stays right. */
const MAX_KNOWN_USERS = 1000;

export class GuestProcesses {
  readonly #users = new Map<string, GuestUser>();

  /** Throws invalid_argument when there is no program, or the image does not know the user. */
  async resolve(spec: InstanceSpec, image: Pick<ImageLease, 'digest' | 'rootfsDir' | 'config'>): Promise<GuestProcess> {
    const { uproc } = spec;
    const { config } = image;
    const args = uproc.args.length > 0 ? uproc.args : [...config.entrypoint, ...config.cmd];
    if (args.length === 0 || args[0] === '') {
      throw new JunctiondError(
        'invalid_argument',
        'the image names no program (ENTRYPOINT or CMD) and the request neither',
      );
    }
    const user = await this.#user(image, uproc.user === '' ? config.user : uproc.user);
    return {
      args,
      env: { PATH: DEFAULT_PATH, HOME: user.home, HOSTNAME: spec.hostname, ...config.env, ...uproc.env },
      cwd: absolute(uproc.cwd === '' ? config.workingDir : uproc.cwd),
      uid: user.uid,
      gid: user.gid,
    };
  }

  async #user(image: Pick<ImageLease, 'digest' | 'rootfsDir'>, text: string): Promise<GuestUser> {
    const key = `${image.digest} ${text}`;
    const known = this.#users.get(key);
    if (known !== undefined) {
      return known;
    }
    const user = await resolveGuestUser(image.rootfsDir, text);
    if (this.#users.size >= MAX_KNOWN_USERS) {
      this.#users.clear();
    }
    this.#users.set(key, user);
    return user;
  }
}

/** WORKDIR may be missing or, in odd images, relative to the root. */
function absolute(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}
