// SPDX-License-Identifier: Apache-2.0
#include "addon/ingress_values.h"

#include <string>
#include <utility>

namespace junction::addon {
namespace {

using ingress::HistogramValues;
using ingress::RouteSpec;

/// Reads fields of one object and remembers the first that has another type.
class FieldReader {
 public:
  explicit FieldReader(const Napi::Value& value) {
    if (value.IsObject()) {
      object_ = value.As<Napi::Object>();
    } else {
      fault_ = "an object is missing";
    }
  }

  void Text(const char* name, std::string& out) {
    const Napi::Value value = Get(name);
    if (value.IsString()) {
      out = value.As<Napi::String>().Utf8Value();
    } else {
      Fault(name, "a string");
    }
  }

  /// Leaves `out` when the field is absent.
  void OptionalText(const char* name, std::string& out) {
    const Napi::Value value = Get(name);
    if (!value.IsUndefined() && !value.IsEmpty()) {
      Text(name, out);
    }
  }

  template <typename Number>
  void Count(const char* name, Number& out) {
    const Napi::Value value = Get(name);
    if (value.IsNumber()) {
      out = static_cast<Number>(value.As<Napi::Number>().Uint32Value());
    } else {
      Fault(name, "a number");
    }
  }

  /// Leaves `out` when the field is absent.
  template <typename Number>
  void OptionalCount(const char* name, Number& out) {
    const Napi::Value value = Get(name);
    if (!value.IsUndefined() && !value.IsEmpty()) {
      Count(name, out);
    }
  }

  void Flag(const char* name, bool& out) {
    const Napi::Value value = Get(name);
    if (value.IsBoolean()) {
      out = value.As<Napi::Boolean>().Value();
    } else {
      Fault(name, "a boolean");
    }
  }

  void Big(const char* name, uint64_t& out) {
    const Napi::Value value = Get(name);
    bool is_lossless = false;
    if (value.IsBigInt()) {
      out = value.As<Napi::BigInt>().Uint64Value(&is_lossless);
    } else {
      Fault(name, "a bigint");
    }
  }

  /// Calls read(Napi::Value) for each element until there is a fault.
  template <typename Read>
  void Each(const char* name, Read read) {
    const Napi::Value value = Get(name);
    if (!value.IsArray()) {
      Fault(name, "an array");
      return;
    }
    const Napi::Array array = value.As<Napi::Array>();
    for (uint32_t i = 0; i < array.Length() && fault_.empty(); ++i) {
      read(array.Get(i));
    }
  }

  void Fault(const std::string& name, const std::string& wanted) {
    if (fault_.empty()) {
      fault_ = name + " must be " + wanted;
    }
  }
  void Inherit(const FieldReader& inner) {
    if (fault_.empty()) {
      fault_ = inner.fault_;
    }
  }

  template <typename T>
  Result<T> Finish(T value) {
    if (!fault_.empty()) {
      return PlainError(fault_);
    }
    return value;
  }

 private:
  Napi::Value Get(const char* name) { return fault_.empty() ? object_.Get(name) : Napi::Value(); }

  Napi::Object object_;
  std::string fault_;
};

Napi::Array MakeBuckets(Napi::Env env, const HistogramValues& histogram) {
  Napi::Array buckets = Napi::Array::New(env, histogram.buckets.size());
  for (size_t i = 0; i < histogram.buckets.size(); ++i) {
    buckets.Set(static_cast<uint32_t>(i), static_cast<double>(histogram.buckets[i]));
  }
  return buckets;
}

void SetNumber(Napi::Object& object, const char* name, uint64_t value) {
  object.Set(name, static_cast<double>(value));  // exact up to 2^53
}

void SetHistogram(Napi::Env env, Napi::Object& object, const HistogramValues& histogram) {
  SetNumber(object, "count", histogram.count);
  object.Set("secondsSum", static_cast<double>(histogram.sum_ns) / 1e9);
  object.Set("buckets", MakeBuckets(env, histogram));
}

Napi::Object MakeFunction(Napi::Env env, const ingress::FunctionValues& values) {
  Napi::Object function = Napi::Object::New(env);
  function.Set("functionName", values.function_name);
  SetNumber(function, "started", values.started);
  SetNumber(function, "inflight", values.inflight);
  SetNumber(function, "held", values.held);
  SetNumber(function, "queued", values.queued);
  SetNumber(function, "coldStarts", values.cold_starts);
  Napi::Array codes = Napi::Array::New(env, values.by_code.size());
  uint32_t i = 0;
  for (const auto& [code, histogram] : values.by_code) {
    Napi::Object entry = Napi::Object::New(env);
    SetNumber(entry, "code", code);
    SetHistogram(env, entry, histogram);
    codes.Set(i++, entry);
  }
  function.Set("codes", codes);
  return function;
}

Napi::Object MakeHttp(Napi::Env env, uint32_t key, const HistogramValues& histogram) {
  Napi::Object entry = Napi::Object::New(env);
  entry.Set("method", std::string(ingress::MethodName(static_cast<uint8_t>(key >> 24))));
  entry.Set("path", std::string(ingress::RouteName(static_cast<uint8_t>(key >> 16))));
  SetNumber(entry, "status", key & 0xffff);
  SetHistogram(env, entry, histogram);
  return entry;
}

}  // namespace

Result<ingress::IngressOptions> ReadIngressOptions(const Napi::Value& value) {
  ingress::IngressOptions options;
  FieldReader fields(value);
  fields.Text("host", options.host);
  fields.Count("port", options.port);
  fields.Text("apiSocketPath", options.api_socket_path);
  fields.Text("defaultNamespace", options.default_namespace);
  fields.Text("schedulerDoorbellPath", options.scheduler_doorbell_path);
  fields.Text("eventQueuePath", options.event_queue_path);
  fields.Count("workers", options.workers);
  fields.Count("spinUs", options.spin_us);
  fields.Count("maxConnections", options.max_connections);
  fields.Count("headerLimitBytes", options.header_limit_bytes);
  fields.Count("headerTimeoutMs", options.header_timeout_ms);
  fields.Count("idleTimeoutMs", options.idle_timeout_ms);
  fields.Count("stallTimeoutMs", options.stall_timeout_ms);
  fields.Count("connectTimeoutMs", options.connect_timeout_ms);
  fields.Count("defaultTimeoutMs", options.default_timeout_ms);
  fields.Count("queueTimeoutMs", options.queue_timeout_ms);
  fields.Count("maxQueuedPerFunction", options.max_queued_per_function);
  fields.Count("maxHeldPerFunction", options.max_held_per_function);
  fields.Count("maxHeldTotal", options.max_held_total);
  return fields.Finish(std::move(options));
}

Result<ingress::RouteUpdate> ReadRouteUpdate(const Napi::Value& value) {
  ingress::RouteUpdate update;
  FieldReader fields(value);
  fields.Flag("snapshot", update.snapshot);
  fields.Big("version", update.version);
  fields.Each("removes", [&](const Napi::Value& name) {
    if (name.IsString()) {
      update.removes.push_back(name.As<Napi::String>().Utf8Value());
    } else {
      fields.Fault("removes", "strings");
    }
  });
  fields.Each("upserts", [&](const Napi::Value& entry) {
    RouteSpec route;
    FieldReader route_fields(entry);
    route_fields.Text("functionName", route.function_name);
    route_fields.Count("timeoutMs", route.timeout_ms);
    route_fields.Count("maxInflight", route.max_inflight);
    route_fields.Flag("startsFromZero", route.starts_from_zero);
    route_fields.OptionalText("failure", route.failure);
    route_fields.Each("replicas", [&](const Napi::Value& replica_entry) {
      RouteSpec::ReplicaSpec replica;
      std::string state;
      FieldReader replica_fields(replica_entry);
      replica_fields.Text("id", replica.id);
      replica_fields.Text("host", replica.host);
      replica_fields.Count("port", replica.port);
      replica_fields.Text("state", state);
      replica_fields.OptionalText("linkPath", replica.link_path);
      replica_fields.OptionalCount("instanceNumber", replica.instance_number);
      if (state != "ready" && state != "draining") {
        replica_fields.Fault("state", "ready or draining");
      }
      replica.draining = state == "draining";
      route_fields.Inherit(replica_fields);
      route.replicas.push_back(std::move(replica));
    });
    fields.Inherit(route_fields);
    update.upserts.push_back(std::move(route));
  });
  return fields.Finish(std::move(update));
}

Napi::Object MakeIngressMetrics(Napi::Env env, const ingress::MetricsValues& values) {
  Napi::Object metrics = Napi::Object::New(env);
  Napi::Array bounds = Napi::Array::New(env, ingress::kBucketBounds_ns.size());
  for (size_t i = 0; i < ingress::kBucketBounds_ns.size(); ++i) {
    bounds.Set(static_cast<uint32_t>(i), static_cast<double>(ingress::kBucketBounds_ns[i]) / 1e9);
  }
  metrics.Set("bucketBoundsSeconds", bounds);

  Napi::Array functions = Napi::Array::New(env, values.functions.size());
  uint32_t i = 0;
  for (const ingress::FunctionValues& function : values.functions) {
    functions.Set(i++, MakeFunction(env, function));
  }
  metrics.Set("functions", functions);

  Napi::Array http = Napi::Array::New(env, values.http.size());
  i = 0;
  for (const auto& [key, histogram] : values.http) {
    http.Set(i++, MakeHttp(env, key, histogram));
  }
  metrics.Set("http", http);

  Napi::Object connections = Napi::Object::New(env);
  SetNumber(connections, "open", values.connections_open);
  SetNumber(connections, "accepted", values.connections_accepted);
  SetNumber(connections, "timedOut", values.connections_timed_out);
  SetNumber(connections, "acceptFailures", values.accept_failures);
  SetNumber(connections, "replicaOpened", values.replica_connections_opened);
  SetNumber(connections, "replicaRetries", values.replica_retries);
  metrics.Set("connections", connections);

  Napi::Object spin = Napi::Object::New(env);
  SetNumber(spin, "hits", values.spin_hits);
  SetNumber(spin, "misses", values.spin_misses);
  SetNumber(spin, "skips", values.spin_skips);
  SetNumber(spin, "spunUs", values.spun_ns / 1000);
  metrics.Set("spin", spin);

  Napi::Object links = Napi::Object::New(env);
  SetNumber(links, "attached", values.links);
  SetNumber(links, "attaches", values.link_attaches);
  SetNumber(links, "attachFailures", values.link_attach_failures);
  SetNumber(links, "losses", values.link_losses);
  SetNumber(links, "fallbacks", values.link_fallbacks);
  SetNumber(links, "framesIn", values.link_frames_in);
  SetNumber(links, "framesOut", values.link_frames_out);
  SetNumber(links, "rings", values.link_rings);
  SetNumber(links, "vainRings", values.link_vain_rings);
  SetNumber(links, "mutes", values.link_mutes);
  metrics.Set("links", links);

  SetNumber(metrics, "held", values.held);
  SetNumber(metrics, "doorbellRings", values.doorbell_rings);
  metrics.Set("routesVersion", Napi::BigInt::New(env, values.routes_version));
  return metrics;
}

}  // namespace junction::addon
