// SPDX-License-Identifier: Apache-2.0
// The monitor's side of attachment.h: who has which port. No thread, no blocking: it lives in the poll loop of its owner. Host side,
// junction_run only.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"
#include "nic/attachment.h"
#include "nic/nic_memory.h"

namespace junction {

class LinkServer {
 public:
  /// Connections that have not asked for a port yet; with more, the oldest goes.
  static constexpr size_t kMaxPending = 4;
  /// How long one of them may be silent.
  static constexpr uint64_t kPatience_ms = 1000;
  static constexpr size_t kPollFds = 1 + kMaxPending + kMaxNicPorts;

  /// Listens at `path` (mode 0600; what stood there is removed). `nic` must outlive the server.
  static Result<LinkServer> Listen(const std::string& path, const NicMemory& nic);

  LinkServer() = default;
  LinkServer(LinkServer&& other) = default;
  LinkServer& operator=(LinkServer&& other) = default;

  /// What to wait for, at most that long (-1: no limit). Entries that are not used have a negative descriptor.
  void FillPoll(std::span<pollfd, kPollFds> fds) const;
  int Timeout_ms(uint64_t now_ms) const;
  /// Does what poll has found, with the same entries. Never blocks; takes a bounded number of steps.
  void Serve(std::span<const pollfd, kPollFds> fds, uint64_t now_ms);

  /// Removes the socket's name: nobody comes any more. Leases live on until the process ends.
  void RemoveName();

 private:
  struct Pending {
    UniqueFd connection;
    uint64_t deadline_ms = 0;
  };

  void AcceptOne(uint64_t now_ms);
  void HearPending(Pending& pending);
  void Grant(UniqueFd connection, uint32_t port);
  void EndLease(uint32_t port);
  int32_t FindPort(AttachKind kind) const;
  bool SendAnswer(int connection, int32_t status, uint32_t port) const;

  std::string path_;
  uid_t own_uid_ = 0;
  const NicMemory* nic_ = nullptr;
  UniqueFd listener_;
  Pending pending_[kMaxPending];
  UniqueFd leases_[kMaxNicPorts];
  uint32_t generations_[kMaxNicPorts] = {};  // ours; the instance can write to those in the memory
};

}  // namespace junction
