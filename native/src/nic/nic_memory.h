// SPDX-License-Identifier: Apache-2.0
// Host side, junction_run only.
#pragma once

#include "base/error.h"
#include "base/unique_fd.h"
#include "nic/nic_descriptors.h"
#include "nic/nic_layout.h"

namespace junction {

/// A pipe whose bytes wake the instance. Not an eventfd: the instance could make that block for those who write to it (F_SETFL and a full
/// count), whereas each end of a pipe has flags of its own.
struct EventPipe {
  UniqueFd sleeper;
  UniqueFd waker;
};

/// A new NIC: its memory and event descriptors, made before the instance starts, which inherits them. Only the header's page is mapped here.
class NicMemory {
 public:
  /// Makes the sealed memory and fills header and settings in; the rings are zero and take no pages yet. Errors: EINVAL (geometry), those of
  /// memfd_create(2) and pipe(2).
  static Result<NicMemory> Make(const NicGeometry& geometry, const NicSettings& settings);

  NicMemory() = default;
  NicMemory(NicMemory&& other) noexcept;
  NicMemory& operator=(NicMemory&& other) noexcept;
  ~NicMemory();

  /// What the instance gets: copies of numbers, the descriptors stay this object's.
  NicDescriptors descriptors() const;
  /// What a port's peer gets.
  int memory_fd() const { return memory_.get(); }
  int instance_waker() const { return instance_event_.waker.get(); }
  int peer_event(uint32_t port) const { return peer_events_[port].get(); }
  const NicGeometry& geometry() const { return geometry_; }
  /// In the mapped page. The instance can write to it: hostile.
  NicHeader& header() const { return *reinterpret_cast<NicHeader*>(page_); }
  /// As they were given to Make, never the instance's copy.
  const NicSettings& settings() const { return settings_; }

 private:
  NicGeometry geometry_;
  NicSettings settings_{};
  uint8_t* page_ = nullptr;
  UniqueFd memory_;
  EventPipe instance_event_;
  // Eventfds. To read from one never blocks either (DrainEvent), and its wake-up leaves the sleeper where it ran. A pipe's
  // (wake_up_interruptible_sync_poll in the host) pulls it to the waker's CPU, as if the waker were about to sleep: there the instance, which
  // goes on or spins, and its peer then take turns.
  UniqueFd peer_events_[kMaxNicPorts];
};

}  // namespace junction
