// SPDX-License-Identifier: Apache-2.0
import { Module, type DynamicModule } from '@nestjs/common';
import { AlertHandler } from './alerts/alert.handler.js';
import type { GatewayConfig } from './config.js';
import { DeleteFunctionHandler } from './functions/delete-function.handler.js';
import { DeployFunctionHandler } from './functions/deploy-function.handler.js';
import { DescribeFunctionHandler } from './functions/describe-function.handler.js';
import { ListFunctionsHandler } from './functions/list-functions.handler.js';
import { ScaleFunctionHandler } from './functions/scale-function.handler.js';
import { UpdateFunctionHandler } from './functions/update-function.handler.js';
import { GatewayLife } from './gateway-life.service.js';
import { ErrorFilter } from './http/error.filter.js';
import { RouteMethods } from './http/route-methods.js';
import { IngressHost, START_INGRESS, type StartIngress } from './ingress/ingress-host.js';
import { InvocationCounts } from './ingress/invocation-counts.js';
import { LogStreams } from './logs/log-streams.js';
import { ReadLogsHandler } from './logs/read-logs.handler.js';
import { CreateNamespaceHandler } from './namespaces/create-namespace.handler.js';
import { DeleteNamespaceHandler } from './namespaces/delete-namespace.handler.js';
import { GetNamespaceHandler } from './namespaces/get-namespace.handler.js';
import { ListNamespacesHandler } from './namespaces/list-namespaces.handler.js';
import { UpdateNamespaceHandler } from './namespaces/update-namespace.handler.js';
import { providerClients } from './provider/provider-clients.js';
import { ColdStarts } from './routes/cold-start.service.js';
import { GATEWAY_ID, newGatewayId } from './routes/gateway-id.js';
import { RouteReporter } from './routes/route-reporter.service.js';
import { RouteTable } from './routes/route-table.js';
import { RouteWatch } from './routes/route-watch.service.js';
import { CreateSecretHandler } from './secrets/create-secret.handler.js';
import { DeleteSecretHandler } from './secrets/delete-secret.handler.js';
import { ListSecretsHandler } from './secrets/list-secrets.handler.js';
import { UpdateSecretHandler } from './secrets/update-secret.handler.js';
import { AsyncInvocationHandler } from './system/async-invocation.handler.js';
import { DashboardHandler } from './system/dashboard.handler.js';
import { HealthHandler } from './system/health.handler.js';
import { HomeHandler } from './system/home.handler.js';
import { InfoHandler } from './system/info.handler.js';

/** Everything of the gateway; one controller a verb. */
@Module({})
export class GatewayModule {
  static with(config: GatewayConfig, startIngress: StartIngress): DynamicModule {
    return {
      module: GatewayModule,
      controllers: [
        DeployFunctionHandler,
        UpdateFunctionHandler,
        DeleteFunctionHandler,
        ListFunctionsHandler,
        DescribeFunctionHandler,
        ScaleFunctionHandler,
        AlertHandler,
        ListSecretsHandler,
        CreateSecretHandler,
        UpdateSecretHandler,
        DeleteSecretHandler,
        ReadLogsHandler,
        ListNamespacesHandler,
        GetNamespaceHandler,
        CreateNamespaceHandler,
        UpdateNamespaceHandler,
        DeleteNamespaceHandler,
        InfoHandler,
        HealthHandler,
        HomeHandler,
        DashboardHandler,
        AsyncInvocationHandler,
      ],
      providers: [
        ...providerClients(config),
        { provide: START_INGRESS, useValue: startIngress },
        { provide: GATEWAY_ID, useFactory: newGatewayId },
        IngressHost,
        InvocationCounts,
        RouteTable,
        RouteWatch,
        RouteReporter,
        ColdStarts,
        LogStreams,
        RouteMethods,
        ErrorFilter,
        GatewayLife,
      ],
    };
  }
}
