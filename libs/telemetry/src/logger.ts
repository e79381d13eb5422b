// SPDX-License-Identifier: Apache-2.0
import { destination, pino, type DestinationStream, type Logger as PinoLogger } from 'pino';

/** A structured logger: `log.info({ functionName }, 'text')`. Lines are JSON on stdout. */
export type Logger = PinoLogger;

/** From most to least talkative. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/** Keys whose values never reach a log, at the top of a line's object and one and two levels below. */
const secretKeys = ['password', 'token', 'secret', 'secrets', 'authorization', 'Authorization', 'rawValue'];

const redactedPaths = secretKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/** Makes the logger of an app. `stream` is where lines go, stdout unless given. */
export function createLogger(app: string, level: LogLevel, stream?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: { app, pid: process.pid },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactedPaths, censor: '[secret]' },
      serializers: { error: serializeError, err: serializeError },
    },
    // Synchronous: lines are few, and the last ones before a crash matter most.
    stream ?? destination({ fd: 1, sync: true }),
  );
}

/** Expected failures say their kind; their stack would only bury the text. Defects come with stack and causes. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if ('kind' in error && typeof error.kind === 'string' && error.kind !== 'internal') {
    return { type: error.name, kind: error.kind, message: error.message };
  }
  return pino.stdSerializers.errWithCause(error);
}
