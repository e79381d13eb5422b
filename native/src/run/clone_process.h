// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "nic/nic_descriptors.h"
#include "run/guest_process.h"
#include "run/kernel_request.h"
#include "run/running_instance.h"

namespace junction {

/// A clone is asked for in two steps, so that nothing but the answer is left to wait for in the second.
class CloneRequest {
 public:
  /// Prepares the request and opens the cgroups' files.
  static Result<CloneRequest> Prepare(const RunningInstance& from, const std::vector<std::string>& cgroup_dirs);

  /// Asks the template and waits until the clone runs. `control` is the clone's control block, `output` its stdout and stderr (kept
  /// by the caller), `nic` the descriptors of its NIC, if it has one (valid geometry). Blocks up to 20 s: the template answers when it is idle.
  Result<GuestProcess> Start(const RunningInstance& from, const ControlFile& control, const UniqueFd (&output)[2],
                             const NicDescriptors& nic);

 private:
  explicit CloneRequest(KernelRequest request) : request_(std::move(request)) {}
  Result<void> SendOrder(int control_fd, const UniqueFd (&output)[2], const NicDescriptors& nic) const;

  KernelRequest request_;
  std::vector<UniqueFd> cgroups_;
};

/// PIDFD_GET_INFO of Linux 6.13 with a struct pidfd_info of 64 bytes: _IOWR(0xff, 11).
inline constexpr unsigned kPidfdGetInfo = 0xc040ff0b;

/// How a process ended that is not our child, by its pidfd: a wait status, or nothing where the host cannot tell (before Linux 6.15).
/// Blocks shortly.
std::optional<int> ExitStatusOf(int pid_fd);

}  // namespace junction
