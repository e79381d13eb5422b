// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include "base/unique_fd.h"

namespace junction::addon {

/// NativeControlBlock of libs/native-binding/src/addon.ts. Reads and writes by descriptor, never through a mapping: the
/// instance can cut the file short.
class ControlBlockObject : public Napi::ObjectWrap<ControlBlockObject> {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit ControlBlockObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value Snapshot(const Napi::CallbackInfo& info);
  void SetCoreLimit(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  /// False: closed, and an error is thrown.
  bool IsOpen(Napi::Env env) const;

  UniqueFd fd_;
};

}  // namespace junction::addon
