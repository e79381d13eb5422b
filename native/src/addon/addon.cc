// SPDX-License-Identifier: Apache-2.0
// Entry of junction_addon.node. Its exports are typed in libs/native-binding/src/addon.ts, its only user.
#include <napi.h>

#include "addon/addon_state.h"
#include "addon/control_block_object.h"
#include "addon/event_queue_object.h"
#include "addon/ingress_object.h"
#include "addon/nic_port_object.h"
#include "addon/process_object.h"

namespace junction::addon {
namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* const state = new AddonState;
  env.SetInstanceData(state);  // deleted with the environment
  state->process_constructor = Napi::Persistent(ProcessObject::Define(env));
  state->nic_port_constructor = Napi::Persistent(NicPortObject::Define(env));
  exports.Set("Ingress", IngressObject::Define(env));
  exports.Set("ControlBlock", ControlBlockObject::Define(env));
  exports.Set("EventQueue", EventQueueObject::Define(env));
  exports.Set("attachNic", Napi::Function::New<AttachNic>(env, "attachNic"));
  exports.Set("openProcess", Napi::Function::New<OpenProcess>(env, "openProcess"));
  exports.Set("spawnDetached", Napi::Function::New<SpawnDetachedProcess>(env, "spawnDetached"));
  return exports;
}

NODE_API_MODULE(junction_addon, Init)

}  // namespace
}  // namespace junction::addon
