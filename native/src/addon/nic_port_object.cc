// SPDX-License-Identifier: Apache-2.0
#include "addon/nic_port_object.h"

#include <arpa/inet.h>
#include <poll.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include "addon/addon_state.h"
#include "addon/coded_error.h"
#include "nic/doorbell.h"

namespace junction::addon {
namespace {

std::string MacText(const uint8_t* mac) {
  char text[18];
  std::snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return text;
}

std::string IpText(int family, const uint8_t* address) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, address, text, sizeof(text));
  return text;
}

void SetNumber(Napi::Object& object, const char* name, uint64_t value) {
  object.Set(name, static_cast<double>(value));  // exact up to 2^53
}

/// A field of 16 bits of an optional object; 0 if it is not there.
uint16_t Field16(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) {
    return 0;
  }
  const Napi::Value field = value.As<Napi::Object>().Get(name);
  return field.IsNumber() ? static_cast<uint16_t>(field.As<Napi::Number>().Uint32Value()) : 0;
}

/// Leases off the environment's thread, as the monitor may be slow.
class AttachWork : public Napi::AsyncWorker {
 public:
  AttachWork(Napi::Env env, std::string path, AttachKind kind, uint32_t timeout_ms)
      : AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        path_(std::move(path)),
        kind_(kind),
        timeout_ms_(timeout_ms) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    auto attachment = NicAttachment::Open(path_, kind_, timeout_ms_);
    if (attachment) {
      nic_ = std::make_shared<AttachedNic>(std::move(*attachment));
    } else {
      error_ = std::move(attachment.error());
    }
  }

  void OnOK() override {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    if (nic_ == nullptr) {
      const char* const name = error_.code == 0 ? nullptr : strerrorname_np(error_.code);
      deferred_.Reject(MakeCodedError(env, name != nullptr ? name : kCodeFormat, error_.message).Value());
      return;
    }
    deferred_.Resolve(
        env.GetInstanceData<AddonState>()->nic_port_constructor.New({Napi::External<decltype(nic_)>::New(env, &nic_)}));
  }

 private:
  const Napi::Promise::Deferred deferred_;
  const std::string path_;
  const AttachKind kind_;
  const uint32_t timeout_ms_;
  std::shared_ptr<AttachedNic> nic_;
  Error error_;
};

/// Sleeps for frames off the environment's thread. The port may be closed meanwhile: it lives on until the sleep is over.
class WaitWork : public Napi::AsyncWorker {
 public:
  WaitWork(Napi::Env env, std::shared_ptr<AttachedNic> nic, int timeout_ms)
      : AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), nic_(std::move(nic)), timeout_ms_(timeout_ms) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    pollfd fds[2] = {{.fd = nic_->attachment.peer_event_fd(), .events = POLLIN, .revents = 0},
                     {.fd = nic_->attachment.lease_fd(), .events = POLLRDHUP, .revents = 0}};
    was_rung_ = poll(fds, 2, timeout_ms_) > 0;
    nic_->attachment.DrainEvents();
  }

  void OnOK() override {
    const Napi::HandleScope scope(Env());
    deferred_.Resolve(Napi::Boolean::New(Env(), was_rung_));
  }

 private:
  const Napi::Promise::Deferred deferred_;
  const std::shared_ptr<AttachedNic> nic_;
  const int timeout_ms_;
  bool was_rung_ = false;
};

Napi::Object MakeRingCounters(Napi::Env env, const Ring& ring) {
  Napi::Object counters = Napi::Object::New(env);
  SetNumber(counters, "frames", ring.frames.load(std::memory_order_relaxed));
  SetNumber(counters, "bytes", ring.bytes.load(std::memory_order_relaxed));
  SetNumber(counters, "full", ring.full.load(std::memory_order_relaxed));
  return counters;
}

}  // namespace

AttachedNic::AttachedNic(NicAttachment leased)
    : attachment(std::move(leased)), queue_pairs(attachment.view().geometry.queue_pair_count) {
  const uint32_t port = attachment.answer().port;
  for (uint32_t i = 0; i < queue_pairs.size(); ++i) {
    queue_pairs[i].to_instance.Attach(attachment.view().ring(port, i, true));
    queue_pairs[i].from_instance.Attach(attachment.view().ring(port, i, false), true);
  }
}

bool AttachedNic::HasFrames() const {
  for (const QueuePair& pair : queue_pairs) {
    if (pair.from_instance.HasFrames()) {
      return true;
    }
  }
  return false;
}

Napi::Function NicPortObject::Define(Napi::Env env) {
  return DefineClass(
      env, "NicPort",
      {InstanceMethod<&NicPortObject::Info>("info"), InstanceMethod<&NicPortObject::Send>("send"),
       InstanceMethod<&NicPortObject::Receive>("receive"), InstanceMethod<&NicPortObject::Counters>("counters"),
       InstanceMethod<&NicPortObject::HasFrames>("hasFrames"), InstanceMethod<&NicPortObject::Wait>("wait"),
       InstanceMethod<&NicPortObject::IsLost>("isLost"), InstanceMethod<&NicPortObject::Close>("close")});
}

NicPortObject::NicPortObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (info.Length() < 1 || !info[0].IsExternal()) {
    ThrowCoded(info.Env(), kCodeOption, "made by attachNic only");
    return;
  }
  nic_ = *info[0].As<Napi::External<std::shared_ptr<AttachedNic>>>().Data();
}

bool NicPortObject::IsOpen(Napi::Env env) const {
  if (nic_ == nullptr) {
    ThrowCoded(env, kCodeClosed, "the port is closed");
  }
  return nic_ != nullptr;
}

AttachedNic::QueuePair* NicPortObject::QueuePairAt(const Napi::CallbackInfo& info, size_t at) {
  if (!IsOpen(info.Env())) {
    return nullptr;
  }
  const double index = info.Length() > at && info[at].IsNumber() ? info[at].As<Napi::Number>().DoubleValue() : -1;
  if (!(index >= 0 && index < static_cast<double>(nic_->queue_pairs.size()))) {
    ThrowCoded(info.Env(), kCodeOption, "no such queue pair");
    return nullptr;
  }
  return &nic_->queue_pairs[static_cast<size_t>(index)];
}

Napi::Value NicPortObject::Info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!IsOpen(env)) {
    return env.Undefined();
  }
  const AttachAnswer& answer = nic_->attachment.answer();
  Napi::Object result = Napi::Object::New(env);
  SetNumber(result, "port", answer.port);
  SetNumber(result, "portCount", answer.port_count);
  SetNumber(result, "queuePairCount", answer.queue_pair_count);
  result.Set("instanceMac", MacText(answer.instance_mac));
  result.Set("peerMac", MacText(answer.peer_mac));
  result.Set("instanceIp4", IpText(AF_INET, answer.instance_ip4));
  result.Set("peerIp4", IpText(AF_INET, answer.peer_ip4));
  result.Set("instanceIp6", IpText(AF_INET6, answer.instance_ip6));
  result.Set("peerIp6", IpText(AF_INET6, answer.peer_ip6));
  return result;
}

Napi::Value NicPortObject::Send(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  AttachedNic::QueuePair* const pair = QueuePairAt(info, 0);
  if (pair == nullptr) {
    return env.Undefined();
  }
  if (info.Length() < 2 || !info[1].IsTypedArray() ||
      info[1].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    ThrowCoded(env, kCodeOption, "send(queuePair: number, frame: Uint8Array, meta?: object)");
    return env.Undefined();
  }
  const Napi::Uint8Array frame = info[1].As<Napi::Uint8Array>();
  if (frame.ByteLength() < kMinFrame_bytes || frame.ByteLength() > kMaxFrame_bytes) {
    ThrowCoded(env, kCodeOption, "a frame has 14 to 65549 bytes");
    return env.Undefined();
  }
  const uint32_t length_bytes = static_cast<uint32_t>(frame.ByteLength());
  const Napi::Value meta = info.Length() > 2 ? info[2] : env.Undefined();
  uint8_t* const place = pair->to_instance.Reserve(length_bytes);
  if (place == nullptr) {
    if (pair->to_instance.is_broken()) {
      ThrowCoded(env, kCodeFormat, "the instance has broken the ring");
      return env.Undefined();
    }
    return Napi::Boolean::New(env, false);
  }
  std::memcpy(place, frame.Data(), length_bytes);
  pair->to_instance.Commit(length_bytes, {.flags = Field16(meta, "flags"),
                                          .segment_bytes = Field16(meta, "segmentBytes"),
                                          .checksum_start = Field16(meta, "checksumStart"),
                                          .checksum_offset = Field16(meta, "checksumOffset")});
  if (pair->to_instance.Publish()) {
    nic_->attachment.RingInstance();
  }
  return Napi::Boolean::New(env, true);
}

Napi::Value NicPortObject::Receive(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  AttachedNic::QueuePair* const pair = QueuePairAt(info, 0);
  if (pair == nullptr) {
    return env.Undefined();
  }
  FrameView frame;
  if (!pair->from_instance.Peek(frame)) {
    if (pair->from_instance.is_broken()) {
      ThrowCoded(env, kCodeFormat, "the instance has broken the ring");
    }
    return env.Undefined();
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("data", Napi::Buffer<uint8_t>::Copy(env, frame.data, frame.length_bytes));
  SetNumber(result, "flags", frame.meta.flags);
  SetNumber(result, "segmentBytes", frame.meta.segment_bytes);
  SetNumber(result, "checksumStart", frame.meta.checksum_start);
  SetNumber(result, "checksumOffset", frame.meta.checksum_offset);
  pair->from_instance.Pop();
  pair->from_instance.Release();
  return result;
}

Napi::Value NicPortObject::Counters(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!IsOpen(env)) {
    return env.Undefined();
  }
  const NicView& view = nic_->attachment.view();
  const uint32_t port = nic_->attachment.answer().port;
  const NicHeader& header = view.header();
  Napi::Object result = Napi::Object::New(env);
  SetNumber(result, "generation", header.ports[port].generation.load(std::memory_order_relaxed));
  SetNumber(result, "activeQueuePairs", header.active_queue_pairs.load(std::memory_order_relaxed));
  SetNumber(result, "instanceRings", header.instance_rings.load(std::memory_order_relaxed));
  SetNumber(result, "peerRings", header.ports[port].peer_rings.load(std::memory_order_relaxed));
  result.Set("instanceSleeps", header.instance_doorbell.load(std::memory_order_relaxed) != kAwake);
  Napi::Array pairs = Napi::Array::New(env, nic_->queue_pairs.size());
  for (uint32_t i = 0; i < nic_->queue_pairs.size(); ++i) {
    Napi::Object pair = Napi::Object::New(env);
    pair.Set("toInstance", MakeRingCounters(env, view.ring(port, i, true)));
    pair.Set("fromInstance", MakeRingCounters(env, view.ring(port, i, false)));
    pairs.Set(i, pair);
  }
  result.Set("queuePairs", pairs);
  return result;
}

Napi::Value NicPortObject::HasFrames(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return IsOpen(env) ? Napi::Value(Napi::Boolean::New(env, nic_->HasFrames())) : env.Undefined();
}

Napi::Value NicPortObject::Wait(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!IsOpen(env)) {
    return env.Undefined();
  }
  if (info.Length() < 1 || !info[0].IsNumber()) {
    ThrowCoded(env, kCodeOption, "wait(timeoutMs: number)");
    return env.Undefined();
  }
  PrepareToSleep(nic_->attachment.view().header().ports[nic_->attachment.answer().port].peer_doorbell, kInPoller);
  if (nic_->HasFrames()) {
    const auto deferred = Napi::Promise::Deferred::New(env);
    deferred.Resolve(Napi::Boolean::New(env, true));
    return deferred.Promise();
  }
  auto* const work = new WaitWork(env, nic_, info[0].As<Napi::Number>().Int32Value());  // deletes itself
  work->Queue();
  return work->promise();
}

Napi::Value NicPortObject::IsLost(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!IsOpen(env)) {
    return env.Undefined();
  }
  pollfd lease{.fd = nic_->attachment.lease_fd(), .events = POLLRDHUP, .revents = 0};
  return Napi::Boolean::New(env, poll(&lease, 1, 0) > 0);
}

void NicPortObject::Close(const Napi::CallbackInfo&) { nic_.reset(); }

Napi::Value AttachNic(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string kind = info.Length() > 1 && info[1].IsString() ? info[1].As<Napi::String>().Utf8Value() : "";
  if (info.Length() < 3 || !info[0].IsString() || !info[2].IsNumber() || (kind != "uplink" && kind != "link")) {
    ThrowCoded(env, kCodeOption, "attachNic(path: string, kind: 'uplink' | 'link', timeoutMs: number)");
    return env.Undefined();
  }
  auto* const work = new AttachWork(env, info[0].As<Napi::String>().Utf8Value(),
                                    kind == "uplink" ? AttachKind::kUplink : AttachKind::kLink,
                                    info[2].As<Napi::Number>().Uint32Value());  // deletes itself
  work->Queue();
  return work->promise();
}

}  // namespace junction::addon
