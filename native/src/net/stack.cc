// SPDX-License-Identifier: Apache-2.0
#include "net/stack.h"

#include "net/ethernet.h"
#include "net/stack_state.h"

namespace junction::net {
namespace {

constexpr const ProtocolOps* kAllProtocols[] = {&kTcpOps, &kUdpOps, &kIcmpOps};
// Loopback frames that one Flush delivers. Conversations end by themselves (windows fill up); the bound is for those that don't.
constexpr uint32_t kLoopbackBatch_frames = 4096;
constexpr uint32_t kLoopbackRound_frames = 64;

Secret DrawSecret(Stack& stack) {
  Secret secret;
  for (uint64_t& word : secret.words) {
    word = stack.environment.random(stack.environment.context);
  }
  return secret;
}

bool StartProtocols(Stack& stack) {
  for (const ProtocolOps* protocol : kAllProtocols) {
    if (protocol->start != nullptr && !protocol->start(stack)) {
      return false;
    }
  }
  return true;
}

void FlushProtocols(Stack& stack, uint64_t now_ns) {
  for (const ProtocolOps* protocol : kAllProtocols) {
    if (protocol->flush != nullptr) {
      protocol->flush(stack, now_ns);
    }
  }
}

}  // namespace

Stack* NewStack(const Environment& environment, const StackOptions& options) {
  auto* const stack = New<Stack>(environment);
  if (stack == nullptr) {
    return nullptr;
  }
  stack->environment = environment;
  stack->options = options;
  stack->pool.Init(stack->environment, options.pool_limit_bytes);
  stack->secret = DrawSecret(*stack);
  RenewSecrets(*stack);
  StartPathMtus(*stack);
  if ((options.has_loopback && !StartLoopback(*stack)) || !StartProtocols(*stack)) {
    FreeStack(stack);
    return nullptr;
  }
  return stack;
}

void FreeStack(Stack* stack) {
  // First the devices: their sockets end in protocols that are still there. What Init left undone has neither.
  while (Device* const device = NextDevice(*stack, nullptr)) {
    RemoveDevice(*stack, *device, stack->now_ns);
  }
  for (const ProtocolOps* protocol : kAllProtocols) {
    if (protocol->stop != nullptr) {
      protocol->stop(*stack);
    }
  }
  StopLoopback(*stack);
  StopPathMtus(*stack);
  StopNeighbours(*stack);
  StopFragments(*stack);
  StopPorts(*stack);
  stack->address_table.Free(stack->environment);
  stack->host_routes.Free(stack->environment);
  stack->pool.Destroy();
  const Environment environment = stack->environment;
  if (stack->devices != nullptr) {
    environment.free(environment.context, stack->devices, stack->device_room * sizeof(Device*));
  }
  Delete(environment, stack);
}

void Input(Stack& stack, Device& device, const FrameView& frame, uint64_t now_ns) {
  stack.now_ns = now_ns;
  EthernetInput(stack, device, frame, now_ns);
}

void RunTimers(Stack& stack, uint64_t now_ns) {
  stack.now_ns = now_ns;
  stack.timers.RunDue(now_ns);
}

uint64_t NextDeadline_ns(const Stack& stack) { return HasLoopbackFrames(stack) ? 0 : stack.timers.NextDeadline_ns(); }

void Flush(Stack& stack, uint64_t now_ns) {
  stack.now_ns = now_ns;
  FlushProtocols(stack, now_ns);
  for (uint32_t left = kLoopbackBatch_frames; HasLoopbackFrames(stack) && left != 0; left -= kLoopbackRound_frames) {
    DeliverLoopback(stack, kLoopbackRound_frames, now_ns);
    FlushProtocols(stack, now_ns);
  }
  while (ListNode* const node = stack.dirty_devices.PopFront()) {
    Device* const device = JUNCTION_OWNER(node, Device, node);
    device->needs_flush = false;
    device->ops->flush(*device);
  }
}

void Trim(Stack& stack) {
  for (const ProtocolOps* protocol : kAllProtocols) {
    if (protocol->trim != nullptr) {
      protocol->trim(stack);
    }
  }
  TrimLoopback(stack);
  stack.pool.Trim();
}

void RenewSecrets(Stack& stack) {
  // Stack::secret stays: the tables' hashes were made with it, and nobody outside sees it.
  stack.signing_secret = DrawSecret(stack);
  stack.next_packet_id = static_cast<uint32_t>(stack.environment.random(stack.environment.context));
  for (const ProtocolOps* protocol : kAllProtocols) {
    if (protocol->renew_secrets != nullptr) {
      protocol->renew_secrets(stack);
    }
  }
}

bool HasConnections(const Stack& stack) { return kTcpOps.has_connections != nullptr && kTcpOps.has_connections(stack); }

const StackCounters& CountersOf(const Stack& stack) { return stack.counters; }

}  // namespace junction::net
