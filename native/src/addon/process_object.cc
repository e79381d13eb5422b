// SPDX-License-Identifier: Apache-2.0
#include "addon/process_object.h"

#include <fcntl.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "addon/addon_state.h"
#include "addon/coded_error.h"
#include "addon/process_spawn.h"

namespace junction::addon {

// ProcessEnds

void ProcessEnds::Open(Napi::Env env) {
  if (waiter_ != nullptr) {
    return;
  }
  const Napi::Function nothing = Napi::Function::New(env, [](const Napi::CallbackInfo&) {});
  to_js_ = Napi::ThreadSafeFunction::New(env, nothing, "junction process ends", 0, 1);
  to_js_.Unref(env);  // waiting does not keep the program alive
  waiter_ = std::make_unique<ProcessWaiter>();
  // After to_js_ was made: hooks run in reverse, so the waiter ends before what it calls goes away.
  env.AddCleanupHook([](ProcessEnds* ends) { ends->Close(); }, this);
}

void ProcessEnds::Close() {
  waiter_.reset();
  to_js_.Abort();
  tokens_.clear();
  pending_.clear();
}

Result<Napi::Promise> ProcessEnds::Watch(Napi::Env env, UniqueFd pidfd, bool is_child, uint64_t& number) {
  Open(env);
  const uint64_t token = next_token_++;
  const auto on_end = [this, token](const ProcessEnd& end) {
    // The waiter's thread. napi_closing is the only failure, and then nobody waits any more.
    (void)to_js_.NonBlockingCall([this, token, end](Napi::Env js_env, Napi::Function) { Settle(js_env, token, end); });
  };
  const auto [entry, is_new] = pending_.emplace(token, Napi::Promise::Deferred::New(env));
  const Napi::Promise promise = entry->second.Promise();
  const auto watched = waiter_->Watch(std::move(pidfd), is_child, on_end);
  if (!watched) {
    pending_.erase(entry);
    return std::unexpected(watched.error());
  }
  number = *watched;
  tokens_[number] = token;
  return promise;
}

void ProcessEnds::Forget(uint64_t number) {
  const auto token = tokens_.find(number);
  if (token == tokens_.end()) {
    return;
  }
  waiter_->Forget(number);
  pending_.erase(token->second);
  tokens_.erase(token);
}

void ProcessEnds::Settle(Napi::Env env, uint64_t token, const ProcessEnd& end) {
  const auto found = pending_.find(token);
  if (found == pending_.end()) {
    return;
  }
  const Napi::Promise::Deferred deferred = found->second;
  pending_.erase(found);
  std::erase_if(tokens_, [token](const auto& entry) { return entry.second == token; });
  Napi::Object result = Napi::Object::New(env);
  if (end.is_known && end.signal != 0) {
    result.Set("signal", end.signal);
  } else if (end.is_known) {
    result.Set("exitCode", end.exit_code);
  }
  deferred.Resolve(result);
}

// ProcessObject

namespace {

/// What the constructor gets.
struct ProcessSeed {
  HeldProcess process;
  bool is_child;
};

Napi::Value MakeProcess(Napi::Env env, HeldProcess process, bool is_child) {
  ProcessSeed seed{.process = std::move(process), .is_child = is_child};
  return env.GetInstanceData<AddonState>()->process_constructor.New({Napi::External<ProcessSeed>::New(env, &seed)});
}

std::vector<std::string> ReadTexts(const Napi::Value& value) {
  std::vector<std::string> texts;
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    texts.push_back(array.Get(i).ToString().Utf8Value());
  }
  return texts;
}

}  // namespace

Napi::Function ProcessObject::Define(Napi::Env env) {
  return DefineClass(
      env, "ProcessHandle",
      {InstanceAccessor<&ProcessObject::Pid>("pid"), InstanceAccessor<&ProcessObject::StartTimeTicks>("startTimeTicks"),
       InstanceMethod<&ProcessObject::Exited>("exited"), InstanceMethod<&ProcessObject::Signal>("signal"),
       InstanceMethod<&ProcessObject::Close>("close")});
}

ProcessObject::ProcessObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (info.Length() < 1 || !info[0].IsExternal()) {
    ThrowCoded(info.Env(), kCodeOption, "made by openProcess and spawnDetached only");
    return;
  }
  auto* const seed = info[0].As<Napi::External<ProcessSeed>>().Data();
  process_ = std::move(seed->process);
  is_child_ = seed->is_child;
}

Napi::Value ProcessObject::Pid(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), process_.pid); }

Napi::Value ProcessObject::StartTimeTicks(const Napi::CallbackInfo& info) {
  return Napi::BigInt::New(info.Env(), process_.start_time_ticks);
}

Napi::Value ProcessObject::Exited(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!process_.pidfd.valid() || watch_number_ != 0) {
    ThrowCoded(env, kCodeClosed, "the handle is closed or waited for already");
    return env.Undefined();
  }
  UniqueFd copy(fcntl(process_.pidfd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) {
    ThrowError(env, ErrnoError("dup").error(), kCodeClosed);
    return env.Undefined();
  }
  const auto promise =
      env.GetInstanceData<AddonState>()->process_ends.Watch(env, std::move(copy), is_child_, watch_number_);
  if (!promise) {
    ThrowError(env, promise.error(), kCodeClosed);
    return env.Undefined();
  }
  return *promise;
}

Napi::Value ProcessObject::Signal(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!process_.pidfd.valid()) {
    ThrowCoded(env, kCodeClosed, "the handle is closed");
    return env.Undefined();
  }
  if (info.Length() < 1 || !info[0].IsNumber()) {
    ThrowCoded(env, kCodeOption, "signal must be a number");
    return env.Undefined();
  }
  const auto sent = SignalProcess(process_.pidfd.get(), info[0].As<Napi::Number>().Int32Value());
  if (!sent) {
    ThrowError(env, sent.error(), kCodeOption);
    return env.Undefined();
  }
  return Napi::Boolean::New(env, *sent);
}

void ProcessObject::Close(const Napi::CallbackInfo& info) {
  if (process_.pidfd.valid()) {
    process_.pidfd.Reset();
    info.Env().GetInstanceData<AddonState>()->process_ends.Forget(watch_number_);
  }
}

Napi::Value OpenProcess(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 2 || !info[0].IsNumber() || !info[1].IsBigInt()) {
    ThrowCoded(env, kCodeOption, "openProcess(pid: number, startTimeTicks: bigint)");
    return env.Undefined();
  }
  bool is_lossless = false;
  const uint64_t start_time = info[1].As<Napi::BigInt>().Uint64Value(&is_lossless);
  auto held = HoldProcess(info[0].As<Napi::Number>().Int32Value(), start_time);
  if (!held) {
    if (held.error().code != ESRCH) {
      ThrowError(env, held.error(), kCodeOption);
    }
    return env.Undefined();
  }
  return MakeProcess(env, std::move(*held), false);
}

Napi::Value SpawnDetachedProcess(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsObject()) {
    ThrowCoded(env, kCodeOption, "spawnDetached(spawn: object)");
    return env.Undefined();
  }
  const Napi::Object spawn = info[0].As<Napi::Object>();
  const Napi::Value argv = spawn.Get("argv");
  const Napi::Value environment = spawn.Get("env");
  if (!argv.IsArray() || !environment.IsArray()) {
    ThrowCoded(env, kCodeOption, "argv and env must be arrays");
    return env.Undefined();
  }
  const auto text = [&spawn](const char* name) { return spawn.Get(name).ToString().Utf8Value(); };
  auto held = SpawnDetached({.file = text("file"),
                             .argv = ReadTexts(argv),
                             .env = ReadTexts(environment),
                             .cwd = text("cwd"),
                             .stdout_file = text("stdoutFile"),
                             .stderr_file = text("stderrFile")});
  if (!held) {
    ThrowError(env, held.error(), kCodeOption);
    return env.Undefined();
  }
  return MakeProcess(env, std::move(*held), true);
}

}  // namespace junction::addon
