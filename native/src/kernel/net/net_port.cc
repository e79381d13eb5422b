// SPDX-License-Identifier: Apache-2.0
// Hot path: a host call only to wake a sleeping peer.
#include "kernel/net/net_port.h"

#include <sys/syscall.h>

#include "nic/doorbell.h"
#include "uthread/arena.h"
#include "uthread/host_call.h"
#include "uthread/text_buffer.h"
#include "uthread/uthread.h"

namespace junction {
namespace {

constexpr uint32_t kUsualFrame_bytes = 2048;

// Wakes it once the kernel lock is free: whoever is woken may well take this core.
void RingPeer(NetPort& port) {
  NicPort& shared = port.shared();
  if (ShouldRing(shared.peer_doorbell) == kAwake) {
    return;
  }
  CurrentKthread()->rings.fetch_or(1U << port.index, std::memory_order_relaxed);
  shared.peer_rings.store(shared.peer_rings.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  Count(&ControlIdle::peer_rings);
}

void GoDown(NetPort& port) {
  if (port.is_broken) {
    return;
  }
  port.is_broken = true;
  port.device.is_up = false;
  Count(&ControlIdle::broken_rings);
  TextBuffer<128> line;
  line.Add("junction: ")
      .Add(port.device.name)
      .Add(": the other side of the NIC broke the rules of its ring; the port is down\n");
  HostCall(SYS_write, 2, line.data(), line.size());
}

void NoteLength(NetPort& port, uint32_t length_bytes) {
  if (length_bytes >= kBulkFrame_bytes) {
    port.bulk_batches = kBulkBatches;
  }
}

uint8_t* Reserve(net::Device& device, uint32_t length_bytes) {
  NetPort& port = PortOf(device);
  port.is_in_sink = port.is_down();
  if (!port.is_in_sink) {
    uint8_t* const place = port.producer.Reserve(length_bytes);
    if (place != nullptr || !port.producer.is_broken()) {
      return place;
    }
    GoDown(port);
    port.is_in_sink = true;
  }
  return length_bytes <= kMaxFrame_bytes ? port.sink : nullptr;
}

void Commit(net::Device& device, uint32_t length_bytes, const FrameMeta& meta) {
  NetPort& port = PortOf(device);
  if (port.is_in_sink) {
    ++device.dropped_out;
    return;
  }
  port.producer.Commit(length_bytes, meta);
  NoteLength(port, length_bytes);
  Count(&ControlIdle::frames_out);
}

void FlushPort(net::Device& device) {
  NetPort& port = PortOf(device);
  if (!port.is_down() && port.producer.Publish()) {
    RingPeer(port);
  }
}

void AttachRings(NetPort& port, bool skips_old) {
  port.producer.Attach(port.nic.ring(port.index, 0, false));
  for (uint32_t i = 0; i < port.consumer_count; ++i) {
    port.consumers[i].Attach(port.nic.ring(port.index, i, true), skips_old);
  }
}

uint32_t TakeFrom(RingConsumer& ring, NetPort& port, net::Stack& stack, uint32_t budget, uint64_t now_ns) {
  uint32_t taken = 0;
  FrameView frame;
  while (taken < budget && ring.Peek(frame)) {
    net::Input(stack, port.device, frame, now_ns);
    NoteLength(port, frame.length_bytes);
    ring.Pop();
    ++taken;
  }
  if (taken != 0) {
    ring.Release();
  }
  return taken;
}

}  // namespace

const net::DeviceOps kNetPortOps = {&Reserve, &Commit, &FlushPort};

NetPort* NewNetPort(const NicView& nic, uint32_t index, uint8_t* sink) {
  auto* const port = ArenaNew<NetPort>();
  const uint32_t count = nic.geometry.queue_pair_count;
  auto* const consumers = static_cast<RingConsumer*>(ArenaAllocate(count * sizeof(RingConsumer)));
  if (port == nullptr || consumers == nullptr) {
    ArenaDelete(port);
    return nullptr;
  }
  for (uint32_t i = 0; i < count; ++i) {
    new (&consumers[i]) RingConsumer();
  }
  port->device.ops = &kNetPortOps;
  port->nic = nic;
  port->index = index;
  port->sink = sink;
  port->consumer_count = count;
  port->consumers = consumers;
  port->generation = port->shared().generation.load(std::memory_order_acquire);
  port->device.is_up = index == kUplinkPort || port->has_peer();
  AttachRings(*port, false);
  return port;
}

void FreeNetPort(NetPort* port) {
  if (port != nullptr) {
    ArenaFree(port->consumers, port->consumer_count * sizeof(RingConsumer));
    ArenaDelete(port);
  }
}

bool HasNews(const NetPort& port, uint32_t queue_pairs) {
  if (port.shared().generation.load(std::memory_order_relaxed) != port.generation) {
    return true;
  }
  if (port.is_broken) {
    return false;
  }
  for (uint32_t i = 0; i < queue_pairs; ++i) {
    if (port.consumers[i].HasFrames()) {
      return true;
    }
  }
  return false;
}

void NoticePeer(NetPort& port, net::Stack& stack, uint64_t now_ns) {
  const uint32_t generation = port.shared().generation.load(std::memory_order_acquire);
  if (generation == port.generation) {
    return;
  }
  // What lies in the rings is the old peer's if we see that it is gone before another one came. Else it may be the new one's already, which
  // writes only when all older frames were taken; older ones are for connections that are no more, and do no harm.
  const bool skips_old = (generation & 1) == 0 || port.is_broken;
  port.generation = generation;
  port.is_broken = false;
  AttachRings(port, skips_old);
  const bool is_uplink = port.index == kUplinkPort;
  port.device.is_up = is_uplink || port.has_peer();
  if (!is_uplink) {
    net::ResetDevice(stack, port.device, now_ns);
  }
}

uint32_t TakeFrames(NetPort& port, net::Stack& stack, uint32_t queue_pairs, uint32_t budget, uint64_t now_ns) {
  uint32_t taken = 0;
  for (uint32_t i = 0; i < queue_pairs && !port.is_broken; ++i) {
    taken += TakeFrom(port.consumers[i], port, stack, budget - taken, now_ns);
    if (port.consumers[i].is_broken()) {
      GoDown(port);
    }
  }
  return taken;
}

bool HasWaiters(const NetPort& port) { return !port.device.waiting.empty(); }

void OfferRoom(NetPort& port, net::Stack& stack, uint64_t now_ns) {
  if (port.is_down() || port.producer.Reserve(kUsualFrame_bytes) != nullptr) {
    net::DeviceHasRoom(stack, port.device, now_ns);
  }
}

}  // namespace junction
