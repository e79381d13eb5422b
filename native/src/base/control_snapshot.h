// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"

namespace junction {

/// One port that an instance says it has bound.
struct PortSnapshot {
  uint16_t guest_port = 0;
  uint16_t host_port = 0;
  uint8_t protocol = 0;  // IPPROTO_TCP or IPPROTO_UDP
  bool is_listening = false;
  uint64_t inode = 0;

  bool operator==(const PortSnapshot&) const = default;
};

/// What its kthreads did for want of work, and what went over its NIC; counts since its start (ControlIdle).
struct IdleSnapshot {
  uint64_t parks = 0;
  uint64_t spins = 0;
  uint64_t spin_hits = 0;
  uint64_t ticks = 0;
  uint64_t frames_in = 0;
  uint64_t frames_out = 0;
  uint64_t peer_rings = 0;
  uint64_t broken_rings = 0;
};

/// A private copy of what an instance says in its control block. The values are in range, but still only what the
/// instance says.
struct ControlSnapshot {
  uint32_t core_limit = 0;
  uint32_t listen_seq = 0;
  uint32_t threads = 0;         // slots in use
  uint64_t guest_syscalls = 0;  // sum over all slots, wraps
  uint64_t processes_started = 0;
  uint32_t exit_signal = 0;
  uint32_t exit_code = 0;  // as in the block: 1 + the code
  IdleSnapshot idle;
  std::vector<PortSnapshot> ports;  // entries with both ports set and a known protocol
};

/// Copies the control block behind `fd` by pread and checks it. It is never read through a mapping: the guest can shrink
/// the file, and a read of a mapped page past the end would kill the reader. Fails when the file is too short or is no
/// control block of this version.
Result<ControlSnapshot> ReadControlSnapshot(int fd);

}  // namespace junction
