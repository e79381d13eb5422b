// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "base/list.h"
#include "net/device.h"
#include "net/tcp_socket.h"
#include "nic/attachment.h"
#include "nic/frame_ring.h"

namespace junction::link {

class LinkStack;

/// What a stack's links have done. One writer, the owner; relaxed readers copy it through their own counters.
struct LinkCounters {
  uint64_t frames_in = 0;
  uint64_t frames_out = 0;
  uint64_t instance_rings = 0;  // times that a sleeping instance was woken
  uint64_t vain_rings = 0;      // times that an instance rang without having sent a frame
  uint64_t mutes = 0;           // times that a link was no longer listened to for that
  uint64_t no_room = 0;         // times that an instance's ring was full
};

/// One leased port of an instance's NIC as a network device of a LinkStack. Made by LinkStack::Add, gone by LinkStack::Remove. Owner: the
/// thread of its stack.
class Link {
 public:
  /// The instance's address behind this link and `port` there.
  net::Endpoint RemoteOf(uint16_t port) const;

  /// Readable when the instance rang, until OnEvent.
  int event_fd() const { return attachment_.peer_event_fd(); }
  /// EPOLLHUP once the instance is gone.
  int lease_fd() const { return attachment_.lease_fd(); }

  /// Whether its owner has watched `event_fd`; false while it is muted.
  bool is_muted() const { return muted_until_ns_ != 0; }
  /// Rings broken or instance gone: its connections have been reset, nothing will come over it any more.
  bool is_lost() const { return is_lost_; }
  /// Lost because its instance is gone: whatever is found at the instance's address or path from now on is another one.
  bool is_instance_gone() const { return is_instance_gone_; }

  /// The owner's, untouched.
  void* context = nullptr;

 private:
  friend class LinkStack;

  struct QueuePair {
    RingProducer to_instance;
    RingConsumer from_instance;
  };

  static uint8_t* Reserve(net::Device& device, uint32_t length_bytes);
  static void Commit(net::Device& device, uint32_t length_bytes, const FrameMeta& meta);
  static void Flush(net::Device& device);
  static const net::DeviceOps kOps;
  static Link& Of(net::Device& device);

  explicit Link(LinkStack& stack, NicAttachment attachment);

  uint32_t ActiveQueuePairs() const;
  std::atomic<uint32_t>& doorbell() const {
    return attachment_.view().header().ports[attachment_.answer().port].peer_doorbell;
  }
  const std::atomic<uint32_t>& instance_cpu() const { return attachment_.view().header().instance_cpu; }
  bool HasFrames() const;
  bool is_broken() const;

  struct Interface : net::Device {
    Link* link = nullptr;
  };
  struct Node : ListNode {
    Link* link = nullptr;
  };
  static Link& Of(ListNode* node) { return *static_cast<Node*>(node)->link; }

  LinkStack& stack_;
  NicAttachment attachment_;
  Interface device_;
  net::IpAddress own_;     // on this link
  net::IpAddress remote_;  // the instance's
  uint32_t queue_pair_count_ = 0;
  std::unique_ptr<QueuePair[]> queue_pairs_;
  // Where a frame is made when there are several queue pairs to choose from: which one is known when it is complete.
  std::unique_ptr<uint8_t[]> scratch_;
  uint32_t users_ = 0;       // requests in flight: it is polled while there are any
  Node active_node_;         // in LinkStack::active_; not in it = armed (the instance rings), or muted, or lost
  bool wants_room_ = false;  // the stack found the ring full
  bool is_lost_ = false;
  bool is_instance_gone_ = false;
  bool was_rung_ = false;        // an event came and no frame so far
  uint32_t vain_ = 0;            // rings in a row that brought nothing
  uint64_t muted_until_ns_ = 0;  // 0 = listened to
  uint64_t unmuted_ns_ = 0;      // when the last silence ended
  uint64_t mute_ns_ = 0;         // how long it was; 0 = there was none
  // Events and frames of this window that came while no request was in flight: closes of idle connections, mostly.
  uint32_t idle_events_ = 0;
  uint64_t idle_window_ns_ = 0;
  Node muted_node_;
};

}  // namespace junction::link
