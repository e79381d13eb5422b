// SPDX-License-Identifier: Apache-2.0
#include "addon/event_queue_object.h"

#include <string>
#include <utility>

#include "addon/coded_error.h"
#include "nic/nic_layout.h"

namespace junction::addon {

Napi::Function EventQueueObject::Define(Napi::Env env) {
  return DefineClass(
      env, "EventQueue",
      {InstanceMethod<&EventQueueObject::Post>("post"), InstanceMethod<&EventQueueObject::Take>("take"),
       InstanceMethod<&EventQueueObject::Overflows>("overflows"), InstanceMethod<&EventQueueObject::Close>("close")});
}

EventQueueObject::EventQueueObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 2 || !info[0].IsString() || !info[1].IsBoolean()) {
    ThrowCoded(env, kCodeOption, "new EventQueue(path: string, isConsumer: boolean)");
    return;
  }
  is_consumer_ = info[1].As<Napi::Boolean>().Value();
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  auto queue = is_consumer_ ? EventQueue::Create(path) : EventQueue::Open(path);
  if (!queue) {
    ThrowError(env, queue.error(), kCodeFormat);
    return;
  }
  queue_.emplace(std::move(*queue));
}

bool EventQueueObject::IsOpen(Napi::Env env) const {
  if (!queue_) {
    ThrowCoded(env, kCodeClosed, "the event queue is closed");
  }
  return queue_.has_value();
}

Napi::Value EventQueueObject::Post(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!IsOpen(env)) {
    return env.Undefined();
  }
  if (info.Length() < 2 || !info[0].IsNumber() || !info[1].IsNumber()) {
    ThrowCoded(env, kCodeOption, "post(instance: number, queuePair: number)");
    return env.Undefined();
  }
  const NicEvent event{.instance = info[0].As<Napi::Number>().Uint32Value(),
                       .queue_pair = info[1].As<Napi::Number>().Uint32Value()};
  if (event.instance > kMaxEventInstance || event.queue_pair >= kMaxQueuePairs) {
    ThrowCoded(env, kCodeOption, "no such instance number or queue pair");
    return env.Undefined();
  }
  return Napi::Boolean::New(env, queue_->Post(event));
}

Napi::Value EventQueueObject::Take(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!IsOpen(env)) {
    return env.Undefined();
  }
  if (!is_consumer_) {
    ThrowCoded(env, kCodeOption, "only the consumer takes events");
    return env.Undefined();
  }
  const auto event = queue_->Take();
  if (!event) {
    return env.Undefined();
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("instance", event->instance);
  result.Set("queuePair", event->queue_pair);
  return result;
}

Napi::Value EventQueueObject::Overflows(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return IsOpen(env) ? Napi::Value(Napi::Number::New(env, static_cast<double>(queue_->overflows()))) : env.Undefined();
}

void EventQueueObject::Close(const Napi::CallbackInfo&) { queue_.reset(); }

}  // namespace junction::addon
