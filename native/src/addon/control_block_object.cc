// SPDX-License-Identifier: Apache-2.0
#include "addon/control_block_object.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "addon/coded_error.h"
#include "base/control_block.h"
#include "base/control_snapshot.h"

namespace junction::addon {

Napi::Function ControlBlockObject::Define(Napi::Env env) {
  return DefineClass(env, "ControlBlock",
                     {InstanceMethod<&ControlBlockObject::Snapshot>("snapshot"),
                      InstanceMethod<&ControlBlockObject::SetCoreLimit>("setCoreLimit"),
                      InstanceMethod<&ControlBlockObject::Close>("close")});
}

ControlBlockObject::ControlBlockObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsString()) {
    ThrowCoded(env, kCodeOption, "path must be a string");
    return;
  }
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  // O_NONBLOCK: a fifo in its place must not hang us.
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) {
    ThrowError(env, ErrnoError(path).error(), kCodeFormat);
    return;
  }
  struct stat status;
  if (fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    ThrowCoded(env, kCodeFormat, path + ": not a regular file");
    return;
  }
  if (const auto snapshot = ReadControlSnapshot(fd.get()); !snapshot) {
    ThrowCoded(env, kCodeFormat, path + ": " + snapshot.error().message);
    return;
  }
  fd_ = std::move(fd);
}

bool ControlBlockObject::IsOpen(Napi::Env env) const {
  if (!fd_.valid()) {
    ThrowCoded(env, kCodeClosed, "the control block is closed");
  }
  return fd_.valid();
}

Napi::Value ControlBlockObject::Snapshot(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!IsOpen(env)) {
    return env.Undefined();
  }
  const auto snapshot = ReadControlSnapshot(fd_.get());
  if (!snapshot) {
    ThrowError(env, snapshot.error(), kCodeFormat);
    return env.Undefined();
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("coreLimit", snapshot->core_limit);
  result.Set("listenSeq", snapshot->listen_seq);
  result.Set("threads", snapshot->threads);
  result.Set("guestSyscalls", Napi::BigInt::New(env, snapshot->guest_syscalls));
  result.Set("processesStarted", Napi::BigInt::New(env, snapshot->processes_started));
  Napi::Array ports = Napi::Array::New(env, snapshot->ports.size());
  uint32_t i = 0;
  for (const PortSnapshot& port : snapshot->ports) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("guestPort", port.guest_port);
    entry.Set("hostPort", port.host_port);
    entry.Set("protocol", port.protocol == IPPROTO_UDP ? "udp" : "tcp");
    entry.Set("listening", port.is_listening);
    entry.Set("inode", Napi::BigInt::New(env, port.inode));
    ports.Set(i++, entry);
  }
  result.Set("ports", ports);
  return result;
}

void ControlBlockObject::SetCoreLimit(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!IsOpen(env)) {
    return;
  }
  if (info.Length() < 1 || !info[0].IsNumber()) {
    ThrowCoded(env, kCodeOption, "cores must be a number");
    return;
  }
  const uint32_t cores = info[0].As<Napi::Number>().Uint32Value();
  // Four aligned bytes within one page: the kernel copies them in one store, and a mapping sees the old or the new value.
  const ssize_t written = pwrite(fd_.get(), &cores, sizeof(cores), offsetof(ControlBlock, core_limit));
  if (written != static_cast<ssize_t>(sizeof(cores))) {
    ThrowError(env, ErrnoError("write the core limit").error(), kCodeFormat);
  }
}

void ControlBlockObject::Close(const Napi::CallbackInfo&) { fd_.Reset(); }

}  // namespace junction::addon
