// SPDX-License-Identifier: Apache-2.0
#include "addon/ingress_object.h"

#include <utility>

#include "addon/coded_error.h"
#include "addon/ingress_values.h"

namespace junction::addon {

// IngressToJs

void IngressToJs::Open(Napi::ThreadSafeFunction to_js) {
  const std::lock_guard lock(mutex_);
  to_js_ = to_js;
}

void IngressToJs::Close() {
  std::optional<Napi::ThreadSafeFunction> to_js;
  {
    const std::lock_guard lock(mutex_);
    to_js.swap(to_js_);
  }
  if (to_js) {
    to_js->Abort();
  }
}

void IngressToJs::Run(std::function<void(Napi::Env)> task) {
  const std::lock_guard lock(mutex_);
  if (to_js_) {
    // The queue has no limit, so this never waits.
    (void)to_js_->NonBlockingCall([task = std::move(task)](Napi::Env env, Napi::Function) { task(env); });
  }
}

void IngressToJs::Send(const char* kind, const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (to_js_) {
    (void)to_js_->NonBlockingCall([kind, text](Napi::Env env, Napi::Function on_event) {
      on_event.Call({Napi::String::New(env, kind), Napi::String::New(env, text)});
    });
  }
}

// IngressObject

Napi::Function IngressObject::Define(Napi::Env env) {
  return DefineClass(
      env, "Ingress",
      {InstanceAccessor<&IngressObject::Port>("port"), InstanceMethod<&IngressObject::Serve>("serve"),
       InstanceMethod<&IngressObject::ApplyRoutes>("applyRoutes"), InstanceMethod<&IngressObject::FailHeld>("failHeld"),
       InstanceMethod<&IngressObject::BusyReplicas>("busyReplicas"), InstanceMethod<&IngressObject::Metrics>("metrics"),
       InstanceMethod<&IngressObject::Drain>("drain"), InstanceMethod<&IngressObject::Stop>("stop")});
}

IngressObject::IngressObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 2 || !info[1].IsFunction()) {
    ThrowCoded(env, kCodeOption, "new Ingress(options: object, onEvent: function)");
    return;
  }
  const auto options = ReadIngressOptions(info[0]);
  if (!options) {
    ThrowCoded(env, kCodeOption, options.error().message);
    return;
  }
  events_.Open(Napi::ThreadSafeFunction::New(env, info[1].As<Napi::Function>(), "junction ingress", 0, 1));
  auto ingress = ingress::Ingress::Open(*options, events_);
  if (!ingress) {
    events_.Close();
    ThrowError(env, ingress.error(), kCodeOption);
    return;
  }
  ingress_ = std::move(*ingress);
  port_ = ingress_->port();
  Ref();
  // Made after the thread-safe function: hooks run in reverse, so the workers end before what they call goes away.
  cleanup_ = info.Env().AddCleanupHook(&IngressObject::OnEnvironmentEnd, this);
}

bool IngressObject::IsRunning(Napi::Env env) const {
  if (ingress_ == nullptr) {
    ThrowCoded(env, kCodeClosed, "the ingress is stopped");
  }
  return ingress_ != nullptr;
}

Napi::Value IngressObject::Port(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), port_); }

void IngressObject::Serve(const Napi::CallbackInfo&) {
  if (ingress_ != nullptr && !is_serving_) {
    is_serving_ = true;
    ingress_->Serve();
  }
}

void IngressObject::ApplyRoutes(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!IsRunning(env)) {
    return;
  }
  const auto update = ReadRouteUpdate(info[0]);
  if (!update) {
    ThrowCoded(env, kCodeOption, update.error().message);
    return;
  }
  if (const auto applied = ingress_->ApplyRoutes(*update); !applied) {
    ThrowError(env, applied.error(), kCodeOption);
  }
}

void IngressObject::FailHeld(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!IsRunning(env)) {
    return;
  }
  if (info.Length() < 3 || !info[0].IsString() || !info[1].IsNumber() || !info[2].IsString()) {
    ThrowCoded(env, kCodeOption, "failHeld(functionName: string, status: number, message: string)");
    return;
  }
  ingress_->FailHeld(info[0].As<Napi::String>().Utf8Value(),
                     static_cast<uint16_t>(info[1].As<Napi::Number>().Uint32Value()),
                     info[2].As<Napi::String>().Utf8Value());
}

Napi::Value IngressObject::BusyReplicas(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array ids = Napi::Array::New(env);
  if (ingress_ != nullptr) {
    uint32_t i = 0;
    for (const std::string& id : ingress_->BusyReplicas()) {
      ids.Set(i++, id);
    }
  }
  return ids;
}

Napi::Value IngressObject::Metrics(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!IsRunning(env)) {
    return env.Undefined();
  }
  return MakeIngressMetrics(env, ingress_->ReadMetrics());
}

Napi::Value IngressObject::Drain(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!IsRunning(env)) {
    return env.Undefined();
  }
  Serve(info);  // a drain is the workers' to carry out
  if (drained_) {
    ThrowCoded(env, kCodeClosed, "the ingress is draining already");
    return env.Undefined();
  }
  if (info.Length() < 1 || !info[0].IsNumber()) {
    ThrowCoded(env, kCodeOption, "drain(deadlineMs: number)");
    return env.Undefined();
  }
  drained_ = Napi::Promise::Deferred::New(env);
  const auto deadline_ms = static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
  ingress_->Drain(deadline_ms, [this](uint64_t abandoned) {
    events_.Run([this, abandoned](Napi::Env js_env) { SettleDrain(js_env, abandoned); });
  });
  return drained_->Promise();
}

void IngressObject::Stop(const Napi::CallbackInfo& info) {
  if (ingress_ == nullptr) {
    return;
  }
  StopNow();
  SettleDrain(info.Env(), 0);  // a drain that this stop has cut short
  cleanup_.Remove(info.Env());
  Unref();
}

void IngressObject::SettleDrain(Napi::Env env, uint64_t abandoned) {
  if (!drained_ || is_drain_settled_) {
    return;
  }
  is_drain_settled_ = true;
  Napi::Object result = Napi::Object::New(env);
  result.Set("abandoned", static_cast<double>(abandoned));
  drained_->Resolve(result);
}

void IngressObject::StopNow() {
  events_.Close();
  ingress_.reset();
}

}  // namespace junction::addon
