// SPDX-License-Identifier: Apache-2.0
// The instance's bound ports, kept in the shared control block (base/control_block.h). All uProcs of the instance write to it under
// ports_lock; the host reads it. What the guest calls port P of "any" or loopback is the host's 127.0.0.1:H.
#pragma once

#include <cstdint>

#include "base/control_block.h"

namespace junction {

/// The address that the guest bound, for getsockname.
enum class BoundTo : uint8_t {
  kAny4,
  kLoopback4,
  kAny6,  // both families, as :: is by default
  kLoopback6,
  kAny6Only,  // IPV6_V6ONLY: lives beside an IPv4 socket of the same port
};

/// Holds ports_lock. Kernel lock held, so it is free, but for one that died with its holder.
class PortTable {
 public:
  explicit PortTable(ControlBlock& control);
  ~PortTable();
  PortTable(const PortTable&) = delete;
  PortTable& operator=(const PortTable&) = delete;

  /// The entry of a guest port that a new socket bound to `to` would share or collide with; null if there is none.
  ControlPort* FindCollision(uint8_t protocol, uint16_t guest_port, BoundTo to);
  /// The entry that a connection to the guest port should go to; IPv6 prefers IPv6 entries.
  ControlPort* FindTarget(uint8_t protocol, uint16_t guest_port, bool is_v6);
  ControlPort* FindHostPort(uint8_t protocol, uint16_t host_port);

  /// Fills a free entry, or one that no open socket uses. Null if all are in use.
  ControlPort* Add(uint8_t protocol, uint16_t guest_port, uint16_t host_port, uint64_t inode, BoundTo to);
  void Remove(ControlPort& entry);

  /// Tells the host side that something changed: bumps and wakes listen_seq.
  void Announce();

 private:
  ControlPort* FindFree();
  ControlBlock& control_;
};

/// True if a TCP socket listens on the host port; with an inode, only if it is that socket. Reads /proc/net/tcp and tcp6.
bool HasHostListener(uint16_t host_port, uint64_t inode);

}  // namespace junction
