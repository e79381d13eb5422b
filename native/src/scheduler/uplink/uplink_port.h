// SPDX-License-Identifier: Apache-2.0
// Hot path: no allocation but for the backlog. One instance's end of the switch.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nic/attachment.h"
#include "nic/doorbell.h"
#include "nic/frame_ring.h"
#include "nic/rss.h"
#include "scheduler/uplink/frame_buffers.h"
#include "scheduler/uplink/frame_check.h"
#include "scheduler/uplink/port_counters.h"

namespace junction::scheduler {

/// An attached instance. Belongs to the switch's thread once it is handed over.
class UplinkPort {
 public:
  /// `serial`: which of the attachments of this id it is.
  UplinkPort(std::string id, uint64_t serial, UplinkIdentity identity, NicAttachment nic,
             std::shared_ptr<PortCounters> counters, const RssKey& key);

  /// What came of a frame for the instance.
  enum class Delivery : uint8_t {
    kPut,      // in a ring; the instance sees it after Flush
    kWaiting,  // in the backlog: call Retry soon
    kFull,     // dropped
  };
  /// Passes a frame on: `head`, then `rest`. Without room in its ring it waits in a backlog of kBacklog_bytes at most: a ring holds a few of the
  /// host's largest frames only, and the host sends them in bursts.
  Delivery Deliver(std::span<const uint8_t> head, std::span<const uint8_t> rest, const FrameMeta& meta,
                   FrameBuffers& buffers);
  /// Moves what waits into the rings. True if nothing waits any more. An instance that took nothing for kPatience_ns loses what waits, and has no
  /// backlog before it takes something again: nobody spends time on one that is deaf.
  bool Retry(uint64_t now_ns, FrameBuffers& buffers);
  /// Drops what waits. Called before the port goes.
  void DropBacklog(FrameBuffers& buffers);
  /// Shows what was put and wakes the instance if it sleeps.
  void Flush();

  /// The next frame from the instance, taking its queue pairs in turn; false if there is none. Done with it: Pop, and Release once a batch.
  bool Peek(FrameView& out);
  void Pop() { from_[at_]->Pop(); }
  void Release();

  /// Asks to be woken by peer_event_fd. False if there are frames: it stays awake.
  bool Sleep();
  /// A ring of it makes no sense any more. It is left alone; the instance has itself to blame.
  bool is_broken() const;

  const std::string& id() const { return id_; }
  uint64_t serial() const { return serial_; }
  UplinkIdentity& identity() { return identity_; }
  const NicAttachment& nic() const { return nic_; }
  PortCounters& counters() { return *counters_; }

  // The switch's own notes.
  uint64_t number = 0;
  bool is_active = false;   // on its list of those to serve
  bool is_touched = false;  // something was put since the last Flush
  bool is_stalled = false;  // on its list of those to retry

 private:
  // A connection's largest window (kReceiveBufferMax_bytes of net/tcp): one that is written as fast as it goes loses nothing while its instance waits
  // for its CPU.
  static constexpr size_t kBacklog_bytes = 6 * 1024 * 1024;
  static constexpr uint64_t kPatience_ns = 10'000'000;

  struct Waiting {
    FrameBuffers::Buffer bytes;
    FrameMeta meta;
  };

  bool Put(std::span<const uint8_t> head, std::span<const uint8_t> rest, const FrameMeta& meta);
  std::atomic<uint32_t>& doorbell() const { return nic_.view().header().ports[kUplinkPort].peer_doorbell; }

  std::string id_;
  uint64_t serial_;
  UplinkIdentity identity_;
  NicAttachment nic_;
  std::shared_ptr<PortCounters> counters_;
  RssKey key_;
  std::vector<std::unique_ptr<RingProducer>> to_;
  std::vector<std::unique_ptr<RingConsumer>> from_;
  std::deque<Waiting> backlog_;
  size_t backlog_bytes_ = 0;
  uint64_t waits_since_ns_ = 0;  // when Retry last got something in, or first could not; 0: not yet
  bool is_deaf_ = false;
  size_t at_ = 0;  // the queue pair of Peek
};

}  // namespace junction::scheduler
