// SPDX-License-Identifier: Apache-2.0
import { inspect } from 'node:util';

const hidden = '[secret]';

/** A text that no log, error or JSON shows; `reveal` is the only way to it. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself, for the one place that needs it. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return hidden;
  }

  toJSON(): string {
    return hidden;
  }

  [inspect.custom](): string {
    return hidden;
  }
}
