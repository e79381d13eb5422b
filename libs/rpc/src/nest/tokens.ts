// SPDX-License-Identifier: Apache-2.0
// What `runApp` provides to every module: `constructor(@Inject(LOGGER) private readonly log: Logger)`.

/** The app's configuration, as its schema types it. */
export const APP_CONFIG = Symbol('APP_CONFIG');

/** The app's `Logger` (@junctiond/telemetry). */
export const LOGGER = Symbol('LOGGER');

/** The app's `Telemetry` (@junctiond/telemetry). */
export const TELEMETRY = Symbol('TELEMETRY');

/** The options of the gRPC server; internal to this lib. */
export const RPC_SERVER_OPTIONS = Symbol('RPC_SERVER_OPTIONS');
