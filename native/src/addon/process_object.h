// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "addon/process_identity.h"
#include "addon/process_waiter.h"

namespace junction::addon {

/// The process side of one environment (a Node.js main or worker thread): its waiter, and the promises that wait.
/// Owner: the environment's thread, but for what the waiter's thread passes on through `to_js_`.
class ProcessEnds {
 public:
  ProcessEnds() = default;
  ProcessEnds(const ProcessEnds&) = delete;
  ProcessEnds& operator=(const ProcessEnds&) = delete;

  /// A promise for the end of a process; `number` is set for Forget.
  Result<Napi::Promise> Watch(Napi::Env env, UniqueFd pidfd, bool is_child, uint64_t& number);

  void Forget(uint64_t number);

  /// Ends the waiter's thread; pending promises stay pending. The environment is going away.
  void Close();

 private:
  void Open(Napi::Env env);
  void Settle(Napi::Env env, uint64_t token, const ProcessEnd& end);

  std::unique_ptr<ProcessWaiter> waiter_;
  Napi::ThreadSafeFunction to_js_;
  uint64_t next_token_ = 1;
  std::unordered_map<uint64_t, Napi::Promise::Deferred> pending_;  // by token
  std::unordered_map<uint64_t, uint64_t> tokens_;                  // by the waiter's number
};

/// NativeProcessHandle of libs/native-binding/src/addon.ts.
class ProcessObject : public Napi::ObjectWrap<ProcessObject> {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit ProcessObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value Pid(const Napi::CallbackInfo& info);
  Napi::Value StartTimeTicks(const Napi::CallbackInfo& info);
  Napi::Value Exited(const Napi::CallbackInfo& info);
  Napi::Value Signal(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  HeldProcess process_;
  bool is_child_ = false;
  uint64_t watch_number_ = 0;
};

/// openProcess(pid, startTimeTicks): NativeProcessHandle | undefined
Napi::Value OpenProcess(const Napi::CallbackInfo& info);

/// spawnDetached(spawn: NativeSpawn): NativeProcessHandle
Napi::Value SpawnDetachedProcess(const Napi::CallbackInfo& info);

}  // namespace junction::addon
