// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { implement, type RpcCall, RpcError, type RpcServer, serve } from '@junctiond/rpc';

const { InstanceState, InstanceEvent_Type } = instanceV1;

/** What becomes of an instance by itself once it is created. */
export type Behaviour = 'listens' | 'stays starting' | 'fails' | 'crashes';

interface Held {
  instance: instanceV1.Instance;
  secrets: Readonly<Record<string, Uint8Array>>;
  readonly logs: instanceV1.LogLine[];
}

/** Something that sleeps until it is poked. */
class Signal {
  #wake = Promise.withResolvers<void>();

  get next(): Promise<void> {
    return this.#wake.promise;
  }

  poke(): void {
    const { resolve } = this.#wake;
    this.#wake = Promise.withResolvers<void>();
    resolve();
  }
}

/**
 * A junctiond that keeps its instances in memory and serves the real API on a unix socket. Tests say how instances behave
 * and look at what was asked of it. Its instances outlive `stop` and `start`, as real ones outlive junctiond.
 */
export class FakeJunctiond {
  readonly path: string;
  readonly #held = new Map<string, Held>();
  readonly #events = new Set<(event: instanceV1.InstanceEvent) => void>();
  readonly #logSignal = new Signal();
  #server: RpcServer | undefined;
  #nextPort = 40_000;
  #clockMs = 1_000_000;

  /** By image; `*` for all others. */
  readonly behaviours = new Map<string, Behaviour>([['*', 'listens']]);
  /** Image references that are there, with their digests. Others are answered by `missingImage`. */
  readonly images = new Map<string, string>();
  missingImage: RpcError | undefined;
  /** Thrown by each creation while it is set. */
  createError: RpcError | undefined;
  deleteError: RpcError | undefined;
  /** Creations wait for it. */
  createGate: Promise<void> = Promise.resolve();
  imageGate: Promise<void> = Promise.resolve();
  /** What was asked, in order: `create aes-x`, `delete aes-x`, … */
  readonly calls: string[] = [];

  constructor(path: string) {
    this.path = path;
  }

  async start(): Promise<void> {
    this.#server = await serve({
      address: { kind: 'unix', path: this.path },
      services: [
        implement(instanceV1.InstanceServiceService, {
          createInstance: (request) => this.#create(request),
          deleteInstance: (request) => this.#delete(request),
          listInstances: (request) => Promise.resolve({ instances: this.#list(request.labels) }),
          watchInstances: (request, call) => this.#watch(request, call),
          readLogs: (request, call) => this.#readLogs(request, call),
          updateSecrets: (request) => this.#updateSecrets(request),
          startInstance: () => unimplemented(),
          stopInstance: () => unimplemented(),
          getInstance: () => unimplemented(),
          setCoreLimit: () => unimplemented(),
          addUproc: () => unimplemented(),
        }),
        implement(instanceV1.ImageServiceService, {
          ensureImage: (request) => this.#ensureImage(request),
          listImages: () => unimplemented(),
          removeImage: () => unimplemented(),
          collectGarbage: () => unimplemented(),
        }),
      ],
      onDefect: (path, error) => {
        throw new Error(`the fake junctiond failed in ${path}`, { cause: error });
      },
    });
  }

  async stop(): Promise<void> {
    await this.#server?.stop(0);
    this.#server = undefined;
  }

  /** All instances, oldest first. */
  instances(): instanceV1.Instance[] {
    return [...this.#held.values()].map(({ instance }) => instance);
  }

  ids(): string[] {
    return [...this.#held.keys()];
  }

  secretsOf(id: string): Record<string, string> {
    const secrets = this.#held.get(id)?.secrets ?? {};
    return Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, Buffer.from(value).toString()]));
  }

  callsOf(verb: string): string[] {
    return this.calls.filter((call) => call.startsWith(`${verb} `));
  }

  /** Moves an instance to a state. */
  set(id: string, state: instanceV1.InstanceState, more: Partial<instanceV1.Instance> = {}): void {
    const held = this.#held.get(id);
    if (held === undefined) {
      throw new Error(`the fake junctiond has no instance ${id}`);
    }
    const isReady = state === InstanceState.INSTANCE_STATE_READY;
    held.instance = {
      ...held.instance,
      state,
      ports: isReady
        ? [{ guestPort: held.instance.spec?.servicePort ?? 0, host: '127.0.0.1', hostPort: this.#port() }]
        : [],
      ...(isReady ? { readyAt: this.#now() } : {}),
      ...more,
    };
    this.#tell(InstanceEvent_Type.TYPE_CHANGED, held.instance);
  }

  listen(id: string): void {
    this.set(id, InstanceState.INSTANCE_STATE_READY);
  }

  /** An instance is gone without a word from the provider. */
  lose(id: string): void {
    const held = this.#held.get(id);
    if (held !== undefined) {
      this.#held.delete(id);
      this.#tell(InstanceEvent_Type.TYPE_DELETED, held.instance);
      this.#logSignal.poke();
    }
  }

  /** Puts an instance there that nobody asked for. */
  plant(spec: Partial<instanceV1.InstanceSpec>): void {
    const id = spec.id ?? 'planted';
    this.#hold(instanceV1.InstanceSpec.create({ servicePort: 8080, ...spec, id }));
    this.listen(id);
  }

  log(id: string, text: string, atMs?: number): void {
    const at = atMs === undefined ? this.#now() : new Date(atMs);
    this.#held.get(id)?.logs.push(instanceV1.LogLine.create({ instanceId: id, at, text }));
    this.#logSignal.poke();
  }

  async #create({ spec }: instanceV1.CreateInstanceRequest): Promise<instanceV1.CreateInstanceResponse> {
    if (spec === undefined) {
      throw new RpcError('invalid_argument', 'spec is missing');
    }
    this.calls.push(`create ${spec.id}`);
    await this.createGate;
    if (this.createError !== undefined) {
      throw this.createError;
    }
    if (this.#held.has(spec.id)) {
      throw new RpcError('already_exists', `instance ${spec.id} exists`);
    }
    const instance = this.#hold(spec);
    const image = spec.image.split('@')[0] ?? '';
    // After the answer, as with a real program.
    setImmediate(() => this.#behave(spec.id, this.behaviours.get(image) ?? this.behaviours.get('*') ?? 'listens'));
    return { instance };
  }

  #hold(spec: instanceV1.InstanceSpec): instanceV1.Instance {
    const { secrets, ...rest } = spec;
    const instance = instanceV1.Instance.create({
      spec: { ...rest, secrets: {} },
      state: InstanceState.INSTANCE_STATE_STARTING,
      createdAt: this.#now(),
    });
    this.#held.set(spec.id, { instance, secrets, logs: [] });
    this.#tell(InstanceEvent_Type.TYPE_CHANGED, instance);
    return instance;
  }

  #behave(id: string, behaviour: Behaviour): void {
    if (!this.#held.has(id)) {
      return;
    }
    switch (behaviour) {
      case 'listens':
        return this.listen(id);
      case 'fails':
        return this.set(id, InstanceState.INSTANCE_STATE_FAILED, { reason: 'it did not listen on port 8080 in time' });
      case 'crashes':
        return this.set(id, InstanceState.INSTANCE_STATE_BACKING_OFF, {
          reason: 'it exited with status 1',
          restarts: 1,
        });
      case 'stays starting':
        return;
    }
  }

  async #delete({ id }: instanceV1.DeleteInstanceRequest): Promise<instanceV1.DeleteInstanceResponse> {
    this.calls.push(`delete ${id}`);
    if (this.deleteError !== undefined) {
      throw this.deleteError;
    }
    if (!this.#held.has(id)) {
      throw new RpcError('not_found', `no instance ${id}`);
    }
    this.lose(id);
    return Promise.resolve({});
  }

  #updateSecrets(request: instanceV1.UpdateSecretsRequest): Promise<instanceV1.UpdateSecretsResponse> {
    this.calls.push(`secrets ${request.id}`);
    const held = this.#held.get(request.id);
    if (held === undefined) {
      throw new RpcError('not_found', `no instance ${request.id}`);
    }
    held.secrets = request.secrets;
    return Promise.resolve({});
  }

  async #ensureImage({ image }: instanceV1.EnsureImageRequest): Promise<instanceV1.EnsureImageResponse> {
    this.calls.push(`image ${image}`);
    await this.imageGate;
    if (this.missingImage !== undefined && !this.images.has(image)) {
      throw this.missingImage;
    }
    const digest = this.images.get(image) ?? `sha256:${'0'.repeat(64)}`;
    return { image: instanceV1.Image.create({ reference: image, digest }) };
  }

  #list(labels: Readonly<Record<string, string>>): instanceV1.Instance[] {
    return this.instances()
      .filter((instance) => matches(instance, labels))
      .map((instance) => ({ ...instance, usage: { cpuMillicores: 1.5, memoryBytes: 1_000n, guestSyscalls: 5n } }));
  }

  async *#watch(
    { labels }: instanceV1.WatchInstancesRequest,
    { signal }: RpcCall,
  ): AsyncGenerator<instanceV1.InstanceEvent> {
    const queue: instanceV1.InstanceEvent[] = [];
    const wake = new Signal();
    const listener = (event: instanceV1.InstanceEvent): void => {
      if (event.instances.every((instance) => matches(instance, labels))) {
        queue.push(event);
        wake.poke();
      }
    };
    this.#events.add(listener);
    signal.addEventListener('abort', () => wake.poke());
    try {
      yield {
        type: InstanceEvent_Type.TYPE_SNAPSHOT,
        instances: this.instances().filter((instance) => matches(instance, labels)),
      };
      while (!signal.aborted) {
        const next = wake.next;
        const event = queue.shift();
        if (event === undefined) {
          await next;
        } else {
          yield event;
        }
      }
    } finally {
      this.#events.delete(listener);
    }
  }

  async *#readLogs(request: instanceV1.ReadLogsRequest, { signal }: RpcCall): AsyncGenerator<instanceV1.LogLine> {
    const held = this.#held.get(request.id);
    if (held === undefined) {
      throw new RpcError('not_found', `no instance ${request.id}`);
    }
    signal.addEventListener('abort', () => this.#logSignal.poke());
    const isWanted = ({ at }: instanceV1.LogLine): boolean => (at?.getTime() ?? 0) >= (request.since?.getTime() ?? 0);
    const kept = held.logs.filter(isWanted);
    yield* request.tailLines === 0 ? kept : kept.slice(-request.tailLines);
    let seen = held.logs.length;
    while (request.follow && !signal.aborted) {
      const next = this.#logSignal.next;
      for (const line of held.logs.slice(seen).filter(isWanted)) {
        yield line;
      }
      seen = held.logs.length;
      if (this.#held.get(request.id) !== held) {
        return;
      }
      await next;
    }
  }

  #tell(type: instanceV1.InstanceEvent_Type, instance: instanceV1.Instance): void {
    for (const listener of this.#events) {
      listener({ type, instances: [instance] });
    }
  }

  #now(): Date {
    this.#clockMs += 1;
    return new Date(this.#clockMs);
  }

  #port(): number {
    this.#nextPort += 1;
    return this.#nextPort;
  }
}

function matches(instance: instanceV1.Instance, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([name, value]) => instance.spec?.labels[name] === value);
}

function unimplemented(): never {
  throw new RpcError('unimplemented', 'the fake junctiond cannot do that');
}
