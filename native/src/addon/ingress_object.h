// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "ingress/ingress.h"

namespace junction::addon {

/// Takes what the ingress' threads report over to the environment's thread. Deaf once closed, so that no thread calls
/// into a function that is being torn down.
class IngressToJs : public ingress::IngressEvents {
 public:
  void Open(Napi::ThreadSafeFunction to_js);
  /// From the environment's thread. Afterwards nothing arrives any more.
  void Close();

  void OnColdStart(const std::string& function_name) override { Send("coldStart", function_name); }
  void OnReplicaIdle(const std::string& replica_id) override { Send("replicaIdle", replica_id); }
  void OnError(const std::string& message) override { Send("error", message); }

  /// Runs `task(env)` in the environment's thread.
  void Run(std::function<void(Napi::Env)> task);

 private:
  void Send(const char* kind, const std::string& text);

  std::mutex mutex_;
  std::optional<Napi::ThreadSafeFunction> to_js_;  // empty: closed
};

/// NativeIngress of libs/native-binding/src/addon.ts. Keeps itself and the program alive until stop().
class IngressObject : public Napi::ObjectWrap<IngressObject> {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit IngressObject(const Napi::CallbackInfo& info);

 private:
  void Serve(const Napi::CallbackInfo& info);
  Napi::Value Port(const Napi::CallbackInfo& info);
  void ApplyRoutes(const Napi::CallbackInfo& info);
  void FailHeld(const Napi::CallbackInfo& info);
  Napi::Value BusyReplicas(const Napi::CallbackInfo& info);
  Napi::Value Metrics(const Napi::CallbackInfo& info);
  Napi::Value Drain(const Napi::CallbackInfo& info);
  void Stop(const Napi::CallbackInfo& info);

  /// False: stopped, and an error is thrown.
  bool IsRunning(Napi::Env env) const;
  /// Deafens, then joins: the other way round a worker's report could wait for a thread that waits for the worker.
  void StopNow();
  static void OnEnvironmentEnd(IngressObject* self) { self->StopNow(); }
  void SettleDrain(Napi::Env env, uint64_t abandoned);

  using CleanupHook = Napi::Env::CleanupHook<void (*)(IngressObject*), IngressObject>;

  IngressToJs events_;
  std::unique_ptr<ingress::Ingress> ingress_;
  uint16_t port_ = 0;
  bool is_serving_ = false;
  std::optional<Napi::Promise::Deferred> drained_;
  bool is_drain_settled_ = false;
  CleanupHook cleanup_;
};

}  // namespace junction::addon
