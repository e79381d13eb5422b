// SPDX-License-Identifier: Apache-2.0
// Read first: capabilities(7), user_namespaces(7).
#include "run/guest_identity.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>

namespace junction {
namespace {

struct Limit {
  __rlimit_resource resource;
  rlim_t most;
};

// What cgroups do not limit. NOFILE: enough for any server, and bounds what one instance takes of the host's memory.
// A caller's lower hard limit stays: to raise it takes CAP_SYS_RESOURCE, which not every root has.
constexpr Limit kLimits[] = {
    {RLIMIT_CORE, 0}, {RLIMIT_NOFILE, 65536}, {RLIMIT_RTPRIO, 0}, {RLIMIT_NICE, 0}, {RLIMIT_MEMLOCK, 64 * 1024 * 1024},
};

// A root of the namespace is no more than any other user there, before and after exec; for good.
constexpr unsigned long kSecureBits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                      SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                      SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

Result<void> DropBoundingSet() {
  for (unsigned long capability = 0;; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      if (errno == EINVAL && capability > CAP_SETFCAP) {
        return {};  // past the last one that this kernel knows
      }
      return ErrnoError("drop capability " + std::to_string(capability));
    }
  }
}

Result<void> SetCapabilities(uint32_t low_bits) {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const __user_cap_data_struct data[2] = {{.effective = low_bits, .permitted = low_bits, .inheritable = 0}, {}};
  if (syscall(SYS_capset, &header, data) != 0) {
    return ErrnoError("set capabilities");
  }
  return {};
}

Result<void> SetLimits() {
  for (const auto& [resource, most] : kLimits) {
    rlimit limit{};
    getrlimit(resource, &limit);  // fails for no resource that there is
    limit.rlim_max = std::min(limit.rlim_max, most);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(resource, &limit) != 0) {
      return ErrnoError("set resource limit " + std::to_string(resource));
    }
  }
  return {};
}

Result<void> Prctl(int option, unsigned long value, const char* what) {
  if (prctl(option, value, 0, 0, 0) != 0) {
    return ErrnoError(what);
  }
  return {};
}

}  // namespace

Result<void> BecomeGuest(const GuestIdentity& identity) {
  if (auto set = SetLimits(); !set) {
    return set;
  }
  if (setns(identity.user_namespace_fd, CLONE_NEWUSER) != 0) {
    return ErrnoError("enter the user namespace");
  }
  if (setgroups(0, nullptr) != 0 || syscall(SYS_setresgid, identity.gid, identity.gid, identity.gid) != 0) {
    return ErrnoError("become the guest's group");
  }
  if (auto dropped = DropBoundingSet(); !dropped) {
    return dropped;
  }
  if (auto set = Prctl(PR_SET_SECUREBITS, kSecureBits, "set the secure bits"); !set) {
    return set;
  }
  if (syscall(SYS_setresuid, identity.uid, identity.uid, identity.uid) != 0) {
    return ErrnoError("become the guest's user");
  }
  if (auto set = SetCapabilities(0); !set) {
    return set;
  }
  if (auto set = Prctl(PR_SET_NO_NEW_PRIVS, 1, "no_new_privs"); !set) {
    return set;
  }
  // A change of user makes a process undumpable, and then its own /proc files belong to nobody.
  if (auto set = Prctl(PR_SET_DUMPABLE, 1, "dumpable"); !set) {
    return set;
  }
  // Last: each change of credentials clears it.
  return Prctl(PR_SET_PDEATHSIG, SIGKILL, "parent-death signal");
}

Result<void> KeepOnlyKillCapability() {
  if (auto set = SetCapabilities(1U << CAP_KILL); !set) {
    return set;
  }
  return Prctl(PR_SET_NO_NEW_PRIVS, 1, "no_new_privs");
}

}  // namespace junction
