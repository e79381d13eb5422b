// SPDX-License-Identifier: Apache-2.0
// Between JavaScript values and the ingress' own types. libs/native-binding has checked ranges; here only types are
// checked, so that a caller that goes around it gets an error rather than a crash.
#pragma once

#include <napi.h>

#include "base/error.h"
#include "ingress/metrics.h"
#include "ingress/options.h"
#include "ingress/routes.h"

namespace junction::addon {

Result<ingress::IngressOptions> ReadIngressOptions(const Napi::Value& value);

Result<ingress::RouteUpdate> ReadRouteUpdate(const Napi::Value& value);

Napi::Object MakeIngressMetrics(Napi::Env env, const ingress::MetricsValues& values);

}  // namespace junction::addon
