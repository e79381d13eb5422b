// SPDX-License-Identifier: Apache-2.0
export { NestLogger } from './nest-logger.js';
export { PlatformModule } from './platform.module.js';
export { provideRpcClient } from './rpc-client.provider.js';
export { RpcHandler, type RpcHandlerClass } from './rpc-handler.decorator.js';
export { RpcServerHost, RpcServerModule, type RpcServerModuleOptions } from './rpc-server.module.js';
export { runApp, type AppDefinition, type ContextOptions } from './run-app.js';
export { APP_CONFIG, LOGGER, TELEMETRY } from './tokens.js';
