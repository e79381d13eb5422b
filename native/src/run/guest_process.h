// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "nic/nic_descriptors.h"
#include "run/control_file.h"
#include "run/sandbox_root.h"
#include "run/seccomp_filter.h"

namespace junction {

/// Exit status of junction_run, and of a child that never became a guest, when they themselves failed.
inline constexpr int kOwnFailureStatus = 125;

/// Where the guest finds its control block.
inline constexpr char kGuestControlPath[] = "/dev/.junction/control";

/// Where the guest finds patch plans.
inline constexpr char kGuestPlanPath[] = "/dev/.junction/plans";

/// All that the guest's process is made from. Prepared by the monitor, used by the child alone.
struct GuestPlan {
  RootPlan root;
  ControlBlock* control = nullptr;   // shared with the host; nullptr: the child makes one that only the guest sees
  ControlSettings control_settings;  // for that one
  std::vector<std::string> cgroup_dirs;
  std::span<const sock_filter> filter;
  bool has_patch_plans = false;  // at kGuestPlanPath
  NicDescriptors nic;            // valid geometry: the instance has a NIC, and a network namespace with nothing in it
  UniqueFd mount_namespace;      // an empty one to begin with; invalid: the caller's
  UniqueFd network_namespace;    // that namespace; invalid: one is made
  std::vector<std::string> argv;
  std::vector<std::string> env;
  UniqueFd output[2];  // for descriptors 1 and 2; both invalid: the caller's stdio is passed on
};

/// A guest that was started. Its set-up still goes on: `faults` says how it ends.
struct GuestProcess {
  pid_t pid = -1;  // on the host
  UniqueFd pid_fd;
  UniqueFd lifeline;  // of a clone or an added program, which is not our child: dies when this is closed
  UniqueFd faults;    // reads as empty once the guest's program begins; what could not be set up, else
};

/// Starts the guest as the first process of its own mount, pid, ipc, uts, cgroup and user namespaces. The calling process
/// must have one thread, and block all signals that the guest is not to inherit a pending one of.
Result<GuestProcess> StartGuest(const GuestPlan& plan);

}  // namespace junction
