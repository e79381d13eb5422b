// SPDX-License-Identifier: Apache-2.0
// A port of the NIC as a device of the instance's stack. Inside of kernel/net; all with the kernel lock held.
//
// A port whose peer is gone, or whose ring makes no sense, is down: what is sent on it is dropped, as on an unplugged cable, since room in its
// ring would never come. Connections over a link end when its peer changes, as the next one knows nothing of them; those over the uplink
// live on (the scheduler daemon only carries frames) and retransmit what was lost.
#pragma once

#include <cstdint>

#include "net/stack.h"
#include "nic/frame_ring.h"
#include "nic/nic_layout.h"

namespace junction {

struct NetPort {
  net::Device device;  // must be first
  NicView nic;
  uint32_t index;         // of the port
  uint32_t generation;    // NicPort::generation as last seen; odd = a peer is there
  bool is_broken;         // the peer broke the ring's rules: down until another one comes
  bool is_in_sink;        // the frame under construction will be dropped
  uint32_t bulk_batches;  // so many more batches of frames count as those of a bulk stream
  uint8_t* sink;          // kMaxFrame_bytes, common to all ports
  // Sending is serialised by the kernel lock, so one queue pair is enough and keeps all flows in order.
  RingProducer producer;
  uint32_t consumer_count;
  RingConsumer* consumers;  // one a queue pair

  bool has_peer() const { return (generation & 1) != 0; }
  bool is_down() const { return !has_peer() || is_broken; }
  NicPort& shared() const { return nic.header().ports[index]; }
};

/// Chosen: what a message of a request hardly has, and a bulk stream over segmentation offload always.
inline constexpr uint32_t kBulkFrame_bytes = 16 * 1024;
/// After such a frame, either way: a stream's acknowledgements come in batches of their own.
inline constexpr uint32_t kBulkBatches = 16;

inline NetPort& PortOf(net::Device& device) { return reinterpret_cast<NetPort&>(device); }

extern const net::DeviceOps kNetPortOps;

/// A port in the arena with its rings attached; null if memory is short.
NetPort* NewNetPort(const NicView& nic, uint32_t index, uint8_t* sink);
void FreeNetPort(NetPort* port);

/// May there be frames in its first `queue_pairs` rings, or has its peer changed? No lock needed.
bool HasNews(const NetPort& port, uint32_t queue_pairs);

/// Compares the port's generation with what was seen; after a change links are reset and rings taken up anew.
void NoticePeer(NetPort& port, net::Stack& stack, uint64_t now_ns);

/// Gives the stack at most `budget` frames. How many there were.
uint32_t TakeFrames(NetPort& port, net::Stack& stack, uint32_t queue_pairs, uint32_t budget, uint64_t now_ns);

/// Sockets wait for room in the ring.
bool HasWaiters(const NetPort& port);
/// Lets them go on if there is some.
void OfferRoom(NetPort& port, net::Stack& stack, uint64_t now_ns);

}  // namespace junction
