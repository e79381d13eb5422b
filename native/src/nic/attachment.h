// SPDX-License-Identifier: Apache-2.0
// How a process of the host gets an end of an instance's NIC. Host side only.
//
// The instance's monitor (junction_run) listens on a unix seqpacket socket, <instance_dir>/links.sock, mode 0600. One message each way:
//
//   peer -> monitor   AttachRequest
//   monitor -> peer   AttachAnswer, and if status is 0 by SCM_RIGHTS: the NIC's memfd (sealed), the write end of the pipe that wakes
//                     the instance (kInPoller), the eventfd by which the instance wakes this port's peer
//
// The connection is the lease: while it is open the port is the peer's alone; when it closes, however its holder ended, the monitor
// bumps the port's generation and wakes the instance, which resets what went over it (but for the uplink, whose connections live on
// with the next holder).
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"
#include "nic/nic_layout.h"
#include "nic/wake_instance.h"

namespace junction {

inline constexpr uint32_t kAttachMagic = 0x4b4e4c4a;  // "JLNK"

enum class AttachKind : uint32_t {
  kUplink = 0,
  kLink = 1,  // any port but 0 that is free
};

struct AttachRequest {
  uint32_t magic = kAttachMagic;
  uint32_t version = kNicVersion;
  AttachKind kind = AttachKind::kLink;
  uint32_t reserved = 0;
};

/// Addresses in network byte order; zeros = none.
struct AttachAnswer {
  uint32_t magic = kAttachMagic;
  uint32_t version = kNicVersion;
  int32_t status = 0;  // 0, or an errno: EBUSY (no such port is free), EPROTO (another version)
  uint32_t port = 0;
  uint32_t port_count = 0;
  uint32_t queue_pair_count = 0;
  uint8_t instance_mac[6] = {};
  uint8_t peer_mac[6] = {};  // on this port
  uint8_t instance_ip4[4] = {};
  uint8_t peer_ip4[4] = {};
  uint8_t instance_ip6[16] = {};
  uint8_t peer_ip6[16] = {};
};

/// A leased port, mapped. Moves; unmaps and gives the port back when it goes.
class NicAttachment {
 public:
  /// Connects, asks, checks the memfd's seals and size, maps it. Blocks for at most `timeout_ms`. Errors: ENOENT or ECONNREFUSED (no
  /// such instance any more), EBUSY (taken: try again later), EPROTO.
  static Result<NicAttachment> Open(const std::string& socket_path, AttachKind kind, uint32_t timeout_ms);

  NicAttachment() = default;
  NicAttachment(NicAttachment&& other) noexcept;
  NicAttachment& operator=(NicAttachment&& other) noexcept;
  ~NicAttachment();

  const NicView& view() const { return view_; }
  const AttachAnswer& answer() const { return answer_; }
  /// Readable (EPOLLHUP) once the monitor is gone, and with it the instance.
  int lease_fd() const { return lease_.get(); }
  /// Readable when the instance rang. An open file that the instance has too: never read it, but DrainEvents on waking.
  int peer_event_fd() const { return peer_event_.get(); }
  /// Takes the instance's rings off peer_event_fd.
  void DrainEvents() const;
  /// Tells the instance that there are frames, if it sleeps. At most one host call, never blocks. The process must ignore SIGPIPE: there may be
  /// no instance any more. Whether it slept.
  bool RingInstance(Ringer ringer = Ringer::kPolls) const;

 private:
  NicView view_;
  AttachAnswer answer_;
  UniqueFd lease_;
  UniqueFd instance_event_;
  UniqueFd peer_event_;
};

}  // namespace junction
