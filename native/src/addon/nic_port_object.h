// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "nic/attachment.h"
#include "nic/frame_ring.h"

namespace junction::addon {

/// A leased port with the ends of its rings. Shared with waits that are under way in other threads, which use descriptors and doorbell only.
struct AttachedNic {
  struct QueuePair {
    RingProducer to_instance;
    RingConsumer from_instance;
  };

  explicit AttachedNic(NicAttachment leased);

  bool HasFrames() const;

  NicAttachment attachment;
  std::vector<QueuePair> queue_pairs;
};

/// NativeNicPort of libs/native-binding/src/addon.ts: frames are copied in and out, so that no JavaScript ever holds memory that another
/// process changes, or that is unmapped under it.
class NicPortObject : public Napi::ObjectWrap<NicPortObject> {
 public:
  static Napi::Function Define(Napi::Env env);

  /// By AttachNic only: with an External of a std::shared_ptr<AttachedNic>.
  explicit NicPortObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value Info(const Napi::CallbackInfo& info);
  Napi::Value Send(const Napi::CallbackInfo& info);
  Napi::Value Receive(const Napi::CallbackInfo& info);
  Napi::Value Counters(const Napi::CallbackInfo& info);
  Napi::Value HasFrames(const Napi::CallbackInfo& info);
  Napi::Value Wait(const Napi::CallbackInfo& info);
  Napi::Value IsLost(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  /// False: closed, and an error is thrown.
  bool IsOpen(Napi::Env env) const;
  /// The queue pair that argument `at` names; null: none, and an error is thrown.
  AttachedNic::QueuePair* QueuePairAt(const Napi::CallbackInfo& info, size_t at);

  std::shared_ptr<AttachedNic> nic_;
};

/// attachNic(path, kind, timeoutMs): Promise<NativeNicPort>.
Napi::Value AttachNic(const Napi::CallbackInfo& info);

}  // namespace junction::addon
