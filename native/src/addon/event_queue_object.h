// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include <optional>

#include "nic/event_queue.h"

namespace junction::addon {

/// NativeEventQueue of libs/native-binding/src/addon.ts.
class EventQueueObject : public Napi::ObjectWrap<EventQueueObject> {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit EventQueueObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value Post(const Napi::CallbackInfo& info);
  Napi::Value Take(const Napi::CallbackInfo& info);
  Napi::Value Overflows(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  /// False: closed, and an error is thrown.
  bool IsOpen(Napi::Env env) const;

  std::optional<EventQueue> queue_;
  bool is_consumer_ = false;
};

}  // namespace junction::addon
