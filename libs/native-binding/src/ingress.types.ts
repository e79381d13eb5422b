// SPDX-License-Identifier: Apache-2.0

/** How the ingress listens and what it allows. Every field but the first three has a default (`INGRESS_DEFAULTS`). */
export interface IngressOptions {
  /** An IPv4 or IPv6 address to listen on; names are not resolved. */
  host: string;
  /** 0 takes a free one; see `Ingress.port`. */
  port: number;
  /** Unix socket of the API behind the ingress: everything that is not `/function/…` goes there. */
  apiSocketPath: string;
  /** Worker threads, 1 to 64, each with its own listener. */
  workers?: number;
  /** How long an idle worker may poll before it sleeps, where the next event is foreseen to come that soon. 0 = never. */
  spinUs?: number;
  /** Client connections over all workers; past it accepting pauses, so that the rest waits in the backlog. */
  maxConnections?: number;
  /** Request line and headers together; past it 431. */
  headerLimitBytes?: number;
  /** From the first byte of a request to the end of its headers; past it 408. */
  headerTimeoutMs?: number;
  /** A kept-alive client connection without a request is closed after that. */
  idleTimeoutMs?: number;
  /** A client that reads or sends nothing for that long while it should is cut off. */
  stallTimeoutMs?: number;
  /** To a replica; past it another replica is tried, then 502. */
  connectTimeoutMs?: number;
  /** For routes with `timeoutMs` 0. */
  defaultTimeoutMs?: number;
  /** Longest wait for a free place where a route's `maxInflight` is reached; past it 429. */
  queueTimeoutMs?: number;
  /** Waiting places per function and worker; past it 429 at once. */
  maxQueuedPerFunction?: number;
  /** Requests of one function that wait for its first replica, over all workers; past it 503. */
  maxHeldPerFunction?: number;
  /** The same over all functions. */
  maxHeldTotal?: number;
  /** Appended to names without a known namespace. */
  defaultNamespace?: string;
  /** The scheduler's doorbell page; absent or missing file: nothing is rung. */
  schedulerDoorbellPath?: string;
  /** The node's event queue: gets an event whenever a sleeping instance with an `instanceNumber` is woken. Absent or missing file: nothing is posted. */
  eventQueuePath?: string;
}

export interface IngressEvents {
  /**
   * A request waits for the first replica of this function (`name.namespace`). Comes once for all that wait, and again
   * only after `failHeld`, after a snapshot of routes, or when the function has had replicas in between.
   */
  onColdStart(functionName: string): void;
  /** A replica that is draining, or was taken out of the routes, has no request of this ingress any more. */
  onReplicaIdle(replicaId: string): void;
  /** Something that no caller sees: accept failures, say. For the log. */
  onError(error: Error): void;
}

export interface RouteReplica {
  id: string;
  /** An IPv4 or IPv6 address. */
  host: string;
  port: number;
  /**
   * Where the instance gives out links (`links.sock`), at most 107 bytes: requests go over shared memory then. Where no link can be had they go to
   * `host` and `port`, and the link is tried again. Empty or absent = always `host` and `port`.
   */
  linkPath?: string;
  /** Of the instance in the event queue, 1 to 2^24 - 1; 0 or absent = none. */
  instanceNumber?: number;
  /** `draining`: finishes what is in flight, gets nothing new. A replica that is gone from the list is treated the same. */
  state: 'ready' | 'draining';
}

export interface Route {
  /** `name.namespace`. */
  functionName: string;
  /** May be empty: scaled to zero, or starting. */
  replicas: readonly RouteReplica[];
  /** For the whole invocation; 0 = `defaultTimeoutMs`. */
  timeoutMs: number;
  /** Per replica; 0 = no limit. */
  maxInflight: number;
  /** Without a replica: true = a request waits for one, false = 503. */
  startsFromZero: boolean;
  /** Why no replica can start; requests are refused with 503 and this text. Empty or absent = no trouble. */
  failure?: string;
}

export interface RouteUpdate {
  /** True: `upserts` is the whole table. */
  snapshot: boolean;
  version: bigint;
  upserts: readonly Route[];
  /** `name.namespace`. */
  removes: readonly string[];
}

/** What was counted for one function and status code. */
export interface InvocationCount {
  /** Status sent to the client; 499 = the client went away first. */
  code: number;
  count: number;
  secondsSum: number;
  /** One per `IngressMetrics.bucketBoundsSeconds`, not cumulative, then the overflow. */
  buckets: number[];
}

export interface FunctionMetrics {
  /** `name.namespace`. */
  functionName: string;
  started: number;
  inflight: number;
  /** Waiting for a first replica, now. */
  held: number;
  /** Waiting for a free place under maxInflight, now. */
  queued: number;
  /** Times that onColdStart was called. */
  coldStarts: number;
  codes: InvocationCount[];
}

/** All requests, those to functions too, for `http_requests_total` and `http_request_duration_seconds`. */
export interface HttpRequestCount {
  method: string;
  /** A route such as `/system/functions`, never a client's raw path: `/function`, `other`, … */
  path: string;
  status: number;
  count: number;
  secondsSum: number;
  buckets: number[];
}

export interface IngressMetrics {
  /** Upper bounds of the histograms, in seconds, ascending, without +Inf. */
  bucketBoundsSeconds: number[];
  functions: FunctionMetrics[];
  http: HttpRequestCount[];
  connections: {
    open: number;
    accepted: number;
    /** Closed by us: idle, headers too slow, stalled. */
    timedOut: number;
    /** accept() failures for want of descriptors or memory. */
    acceptFailures: number;
    replicaOpened: number;
    /** Invocations sent again on a fresh connection because the pooled one was stale. */
    replicaRetries: number;
  };
  spin: {
    /** Spins that an event ended, and how long they took in all. */
    hits: number;
    misses: number;
    spunUs: number;
    /** Sleeps without a spin, because the next event seemed too far. */
    skips: number;
  };
  links: {
    /** Now, over all workers. */
    attached: number;
    attaches: number;
    /** Attempts that brought no link; each is made again, ever more seldom. */
    attachFailures: number;
    /** Instance gone, or its rings broken. */
    losses: number;
    /** Connections to `host` and `port` of a replica with a `linkPath`. */
    fallbacks: number;
    framesIn: number;
    framesOut: number;
    /** Instances that slept and were woken. */
    rings: number;
    /** Rings by instances that had sent nothing. */
    vainRings: number;
    /** Times that an instance was not listened to for some milliseconds, as it rang too much. */
    mutes: number;
  };
  held: number;
  doorbellRings: number;
  /** That all workers serve by. */
  routesVersion: bigint;
}

export interface DrainResult {
  /** Requests still in flight when the deadline came; they were cut off. */
  abandoned: number;
}
