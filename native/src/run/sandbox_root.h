// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "run/run_options.h"

namespace junction {

/// What the guest is to see as its file system.
struct RootPlan {
  std::string chroot_path;  // empty: the host's root; what the guest writes there goes to its scratch memory
  bool is_read_only = false;
  uint64_t scratch_max_bytes = 0;
  uint32_t uid_base = 0;
  int user_namespace_fd = -1;   // maps the image's owners
  int empty_namespace_fd = -1;  // a mount namespace to begin with (EnterRoot); -1: the caller's
  uint32_t core_limit = 1;
  std::string hostname;
  std::vector<HostOption> hosts;
  std::string resolv_conf;  // a file of the host; empty: its /etc/resolv.conf
  std::vector<MountOption> mounts;
  std::string cwd;
  uint32_t uid = 0;  // the guest's: owner of a cwd that had to be made
  uint32_t gid = 0;

  /// Whether /tmp is scratch memory of its own. The host's root shows the host's /tmp below the overlay, for development.
  bool HasOwnTmp() const { return !chroot_path.empty() || is_read_only; }
};

/// Builds the guest's file system in the calling process' own mount namespace and makes it the root; nothing of the
/// host's is left but what the plan names. To be called as the host's root, as the first process of a new pid and uts namespace (and
/// mount namespace, if the plan has no empty one), before any privilege is given up. Fills `warnings` with what could not be had but can be done without.
///
/// One tmpfs (the scratch memory) holds all that is ours, in folders that are then put to their places:
///
///   upper, work   the writable half of the overlay over the image; /etc/hosts and the like are made in `upper`
///   lower, root   mount points: the id-mapped image, the overlay of both
///   dev, sys, tmp bound to the root's /dev, /sys (read-only), /tmp
///
/// With an empty namespace (its root is a read-only tmpfs with one folder, `stage`) the guest's is a copy of it, which has nothing of the
/// host's to be taken off, and its root is changed by chroot alone: what lies behind it is that tmpfs and the scratch memory. Without, it is a
/// copy of the host's, whose root is put away by pivot_root and an unmount; both ask Linux to look at all threads or to wait for all CPUs.
Result<void> EnterRoot(const RootPlan& plan, std::vector<std::string>& warnings);

}  // namespace junction
