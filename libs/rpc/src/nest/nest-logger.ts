// SPDX-License-Identifier: Apache-2.0
import type { LoggerService } from '@nestjs/common';
import type { Logger } from '@junctiond/telemetry';

/** Nest's own lines in the app's log. Its chatter about modules and routes goes to debug. */
export class NestLogger implements LoggerService {
  constructor(private readonly sink: Logger) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.sink.debug(context(rest), text(message));
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.sink.debug(context(rest), text(message));
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.sink.trace(context(rest), text(message));
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.sink.warn(context(rest), text(message));
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.sink.error({ ...context(rest), ...(message instanceof Error ? { error: message } : {}) }, text(message));
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.sink.fatal(context(rest), text(message));
  }
}

/** Nest passes `[...more, context]`, for errors `[stack, context]`. */
function context(rest: readonly unknown[]): Record<string, unknown> {
  const last = rest.at(-1);
  const more = rest.slice(0, -1).filter((each) => each !== undefined);
  return { ...(typeof last === 'string' ? { context: last } : {}), ...(more.length > 0 ? { more } : {}) };
}

function text(message: unknown): string {
  if (message instanceof Error) return message.message;
  return typeof message === 'string' ? message : JSON.stringify(message);
}
