// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import type { functionV1, instanceV1 } from '@junctiond/contracts';
import { hasKind } from '@junctiond/rpc';
import { type FunctionKey, functionKey, routeName } from '../domain/function-key.js';
import { ProviderError } from '../domain/provider.error.js';
import type { InstanceCache } from '../instances/instance-cache.js';
import type { JunctiondClient } from '../instances/junctiond.client.js';
import type { FunctionCatalog } from '../state/function-catalog.js';
import { Confluence } from './confluence.js';
import { LogPosition } from './log-position.js';
import { mergeByTime, takeLast } from './merge-by-time.js';

/** junctiond restarts within moments; a follower should not miss the first lines after it for long. */
const REOPEN_DELAY_MS = 250;

type Request = functionV1.ReadLogsRequest;

/** Reads the logs of a function's replicas as one: what is kept in order of time, then what comes as it comes. */
export class LogReader {
  readonly #junctiond: JunctiondClient;
  readonly #instances: InstanceCache;
  readonly #catalog: FunctionCatalog;

  constructor(junctiond: JunctiondClient, instances: InstanceCache, catalog: FunctionCatalog) {
    this.#junctiond = junctiond;
    this.#instances = instances;
    this.#catalog = catalog;
  }

  /** With `follow` it ends when the function is deleted. Throws `not_found`, `unavailable`. */
  async *read(request: Request, signal: AbortSignal): AsyncGenerator<functionV1.FunctionLogLine> {
    const key = functionKey(request);
    if (this.#catalog.get(key) === undefined) {
      throw new ProviderError('not_found', `function ${key.name} does not exist in namespace ${key.namespace}`);
    }
    const positions = new Map<string, LogPosition>();
    for await (const line of this.#kept(key, request, positions, signal)) {
      yield toFunctionLine(key, line);
    }
    if (request.follow) {
      for await (const line of this.#coming(key, request, positions, signal)) {
        yield toFunctionLine(key, line);
      }
    }
  }

  async *#kept(
    key: FunctionKey,
    request: Request,
    positions: Map<string, LogPosition>,
    signal: AbortSignal,
  ): AsyncGenerator<instanceV1.LogLine> {
    const { tailLines = 0, since, follow } = request;
    const logs = this.#replicas(key, request).map((id) => {
      // A follower reads on where this ends, so it must have counted every line of the last moment.
      const lines = this.#junctiond.readLogs({ id, tailLines: follow ? 0 : tailLines, follow: false, since }, signal);
      return counted(ignoreMissing(lines), positionOf(positions, id));
    });
    const merged = mergeByTime(logs);
    yield* tailLines === 0 ? merged : await takeLast(merged, tailLines);
  }

  async *#coming(
    key: FunctionKey,
    request: Request,
    positions: Map<string, LogPosition>,
    signal: AbortSignal,
  ): AsyncGenerator<instanceV1.LogLine> {
    const all = new Confluence<instanceV1.LogLine>();
    const followed = new Set<string>();
    const followAll = (name: string): void => {
      if (name !== routeName(key)) {
        return;
      }
      for (const id of this.#replicas(key, request).filter((each) => !followed.has(each))) {
        followed.add(id);
        all.add(this.#follow(id, positionOf(positions, id), request.since, signal));
      }
      if (this.#catalog.get(key) === undefined) {
        all.close();
      }
    };
    const stops = [this.#instances.onChange(followAll), this.#catalog.onChange(followAll)];
    try {
      followAll(routeName(key));
      yield* all.read(signal);
    } finally {
      stops.forEach((stop) => stop());
    }
  }

  /** One replica's log from its position on, over restarts of junctiond; ends with the replica. */
  async *#follow(
    id: string,
    position: LogPosition,
    since: Date | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<instanceV1.LogLine> {
    for (;;) {
      try {
        const from = position.resume() ?? since;
        const lines = this.#junctiond.readLogs({ id, tailLines: 0, follow: true, since: from }, signal);
        for await (const line of lines) {
          if (position.accept(line)) {
            yield line;
          }
        }
        return;
      } catch (error) {
        if (signal.aborted || (hasKind(error) && error.kind === 'not_found')) {
          return;
        }
        if (!hasKind(error) || error.kind !== 'unavailable') {
          throw error;
        }
        await delay(REOPEN_DELAY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #replicas(key: FunctionKey, { instance }: Request): string[] {
    return this.#instances
      .of(routeName(key))
      .map(({ id }) => id)
      .filter((id) => instance === '' || id === instance)
      .sort();
  }
}

function positionOf(positions: Map<string, LogPosition>, id: string): LogPosition {
  const position = positions.get(id) ?? new LogPosition();
  positions.set(id, position);
  return position;
}

/** A replica that is gone by the time it is read has no lines. */
async function* ignoreMissing(lines: AsyncIterable<instanceV1.LogLine>): AsyncGenerator<instanceV1.LogLine> {
  try {
    yield* lines;
  } catch (error) {
    if (!hasKind(error) || error.kind !== 'not_found') {
      throw error;
    }
  }
}

async function* counted(
  lines: AsyncIterable<instanceV1.LogLine>,
  position: LogPosition,
): AsyncGenerator<instanceV1.LogLine> {
  for await (const line of lines) {
    if (position.accept(line)) {
      yield line;
    }
  }
}

function toFunctionLine(key: FunctionKey, line: instanceV1.LogLine): functionV1.FunctionLogLine {
  return { name: key.name, namespace: key.namespace, instance: line.instanceId, at: line.at, text: line.text };
}
