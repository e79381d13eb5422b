// SPDX-License-Identifier: Apache-2.0
// Hot path: no allocation after the constructor. One instance's end of the switch.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nic/attachment.h"
#include "nic/doorbell.h"
#include "nic/frame_ring.h"
#include "nic/rss.h"
#include "scheduler/uplink/frame_check.h"
#include "scheduler/uplink/port_counters.h"

namespace junction::scheduler {

/// An attached instance. Belongs to the switch's thread once it is handed over.
class UplinkPort {
 public:
  /// `serial`: which of the attachments of this id it is.
  UplinkPort(std::string id, uint64_t serial, UplinkIdentity identity, NicAttachment nic,
             std::shared_ptr<PortCounters> counters, const RssKey& key);

  /// Puts a frame into a ring of the instance: `head`, then `rest`. False if there is no room. The instance sees it after Flush.
  bool Put(std::span<const uint8_t> head, std::span<const uint8_t> rest, const FrameMeta& meta);
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

 private:
  std::atomic<uint32_t>& doorbell() const { return nic_.view().header().ports[kUplinkPort].peer_doorbell; }

  std::string id_;
  uint64_t serial_;
  UplinkIdentity identity_;
  NicAttachment nic_;
  std::shared_ptr<PortCounters> counters_;
  RssKey key_;
  std::vector<std::unique_ptr<RingProducer>> to_;
  std::vector<std::unique_ptr<RingConsumer>> from_;
  size_t at_ = 0;  // the queue pair of Peek
};

}  // namespace junction::scheduler
