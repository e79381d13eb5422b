// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { implement, RpcError, serve, type Handlers, type RpcCall, type RpcServer } from '@junctiond/rpc';

type FunctionHandlers = Handlers<typeof functionV1.FunctionServiceService>;
type SecretHandlers = Handlers<typeof functionV1.SecretServiceService>;
type NamespaceHandlers = Handlers<typeof functionV1.NamespaceServiceService>;

const keyOf = ({ name, namespace }: { name: string; namespace: string }) => `${name}.${namespace}`;

/** A provider without instances: real gRPC, state in maps. Tests replace single handlers. */
export class FakeProvider {
  readonly functions = new Map<string, functionV1.FunctionMessage>();
  readonly secrets = new Map<string, Uint8Array>();
  readonly namespaces = new Map<string, functionV1.Namespace>([
    ['openfaas-fn', { name: 'openfaas-fn', labels: {}, annotations: {} }],
  ]);
  readonly logLines: functionV1.FunctionLogLine[] = [];
  /** What was asked, in order: method and request. */
  readonly calls: [string, unknown][] = [];
  readonly reports: functionV1.ReportRoutesRequest[] = [];
  /** Whether it leaves GetInfo without an answer. */
  isHung = false;
  readonly overrides: { -readonly [K in keyof FunctionHandlers]?: FunctionHandlers[K] } = {};
  #routes: functionV1.RouteUpdate = { snapshot: true, version: 1n, upserts: [], removes: [] };
  readonly #watchers = new Set<(update: functionV1.RouteUpdate) => void>();
  #server: RpcServer | undefined;

  constructor(readonly socketPath: string) {}

  async start(): Promise<void> {
    this.#server = await serve({
      address: { kind: 'unix', path: this.socketPath },
      services: [
        implement(functionV1.FunctionServiceService, this.#functionHandlers()),
        implement(functionV1.SecretServiceService, this.#secretHandlers()),
        implement(functionV1.NamespaceServiceService, this.#namespaceHandlers()),
        implement(functionV1.RouteServiceService, {
          watchRoutes: (_request, call) => this.#watch(call),
          reportRoutes: async (request) => {
            this.reports.push(request);
            return {};
          },
        }),
        implement(functionV1.InfoServiceService, {
          getInfo: () =>
            this.isHung
              ? new Promise(() => undefined)
              : Promise.resolve({
                  provider: 'junctiond',
                  orchestration: 'junction',
                  version: '0.1.0',
                  sha: 'abc',
                  arch: 'x86_64',
                }),
        }),
      ],
      onDefect: () => undefined,
    });
  }

  async stop(): Promise<void> {
    await this.#server?.stop(0);
    this.#server = undefined;
  }

  /** How many gateways watch the routes. */
  get watchers(): number {
    return this.#watchers.size;
  }

  /** Sends a delta to all watchers; a later watcher gets it as part of its snapshot. */
  push(upserts: functionV1.Route[], removes: string[] = []): void {
    const version = this.#routes.version + 1n;
    const kept = this.#routes.upserts.filter(
      ({ functionName }) =>
        !removes.includes(functionName) && !upserts.some((route) => route.functionName === functionName),
    );
    this.#routes = { snapshot: true, version, upserts: [...kept, ...upserts], removes: [] };
    for (const send of this.#watchers) send({ snapshot: false, version, upserts, removes });
  }

  async *#watch(call: RpcCall): AsyncGenerator<functionV1.RouteUpdate> {
    const queue = [this.#routes];
    let wake = Promise.withResolvers<undefined>();
    const send = (update: functionV1.RouteUpdate) => {
      queue.push(update);
      wake.resolve(undefined);
    };
    this.#watchers.add(send);
    call.signal.addEventListener('abort', () => wake.resolve(undefined));
    try {
      while (!call.signal.aborted) {
        yield* queue.splice(0);
        await wake.promise;
        wake = Promise.withResolvers();
      }
    } finally {
      this.#watchers.delete(send);
    }
  }

  #find(name: { name: string; namespace: string }): functionV1.FunctionMessage {
    const found = this.functions.get(keyOf(name));
    if (found === undefined) throw new RpcError('not_found', `function ${keyOf(name)} does not exist`);
    return found;
  }

  #functionHandlers(): FunctionHandlers {
    const store = (spec: functionV1.FunctionSpec) =>
      this.functions.set(keyOf(spec), {
        spec,
        replicas: 1,
        availableReplicas: 0,
        createdAt: new Date('2026-01-02T03:04:05Z'),
        usage: undefined,
        reason: '',
      });
    const handlers: FunctionHandlers = {
      deployFunction: async ({ spec }) => {
        if (spec!.image === 'bad image')
          throw new RpcError('invalid_argument', 'image: is not a reference, got "bad image"');
        store(spec!);
        return {};
      },
      updateFunction: async ({ spec }) => {
        this.#find(spec!);
        store(spec!);
        return {};
      },
      deleteFunction: async (name) => {
        this.#find(name);
        this.functions.delete(keyOf(name));
        return {};
      },
      getFunction: async ({ usage, ...name }) => ({
        function: { ...this.#find(name), usage: usage ? { cpuMillicores: 12.5, totalMemoryBytes: 4096n } : undefined },
      }),
      listFunctions: async ({ namespace }) => ({
        functions: [...this.functions.values()].filter(({ spec }) => spec!.namespace === (namespace || 'openfaas-fn')),
      }),
      scaleFunction: async ({ replicas, ...name }) => {
        this.functions.set(keyOf(name), { ...this.#find(name), replicas });
        return {};
      },
      readLogs: (request, call) => this.#logs(request, call),
      requestReplica: async (name) => {
        this.#find(name);
        return {};
      },
    };
    // Each call is recorded, and goes to the test's own handler where there is one.
    return Object.fromEntries(
      (Object.keys(handlers) as (keyof FunctionHandlers)[]).map((method) => [
        method,
        (request: never, call: never) => {
          this.calls.push([method, request]);
          return (this.overrides[method] ?? handlers[method])(request, call);
        },
      ]),
    ) as unknown as FunctionHandlers;
  }

  async *#logs(request: functionV1.ReadLogsRequest, call: RpcCall): AsyncGenerator<functionV1.FunctionLogLine> {
    yield* this.logLines;
    if (request.follow) await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
  }

  #secretHandlers(): SecretHandlers {
    const mustExist = (name: { name: string; namespace: string }) => {
      if (!this.secrets.has(keyOf(name))) throw new RpcError('not_found', `secret ${keyOf(name)} does not exist`);
    };
    return {
      listSecrets: async ({ namespace }) => ({
        secrets: [...this.secrets.keys()]
          .filter((key) => key.endsWith(`.${namespace}`))
          .map((key) => ({ name: key.slice(0, -namespace.length - 1), namespace })),
      }),
      createSecret: async (request) => {
        if (this.secrets.has(keyOf(request))) throw new RpcError('already_exists', `secret ${request.name} exists`);
        this.secrets.set(keyOf(request), request.value);
        return {};
      },
      updateSecret: async (request) => {
        mustExist(request);
        this.secrets.set(keyOf(request), request.value);
        return {};
      },
      deleteSecret: async (request) => {
        mustExist(request);
        this.secrets.delete(keyOf(request));
        return {};
      },
    };
  }

  #namespaceHandlers(): NamespaceHandlers {
    const find = (name: string) => {
      const found = this.namespaces.get(name);
      if (found === undefined) throw new RpcError('not_found', `namespace ${name} does not exist`);
      return found;
    };
    return {
      listNamespaces: async () => ({ namespaces: [...this.namespaces.values()] }),
      getNamespace: async ({ name }) => ({ namespace: find(name) }),
      createNamespace: async ({ namespace }) => {
        if (this.namespaces.has(namespace!.name))
          throw new RpcError('already_exists', `namespace ${namespace!.name} exists`);
        this.namespaces.set(namespace!.name, namespace!);
        return {};
      },
      updateNamespace: async ({ namespace }) => {
        find(namespace!.name);
        this.namespaces.set(namespace!.name, namespace!);
        return {};
      },
      deleteNamespace: async ({ name }) => {
        find(name);
        if ([...this.functions.values()].some(({ spec }) => spec!.namespace === name)) {
          throw new RpcError('failed_precondition', `namespace ${name} still has functions`);
        }
        this.namespaces.delete(name);
        return {};
      },
    };
  }
}
