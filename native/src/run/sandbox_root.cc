// SPDX-License-Identifier: Apache-2.0
#include "run/sandbox_root.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "base/unique_fd.h"
#include "run/mount_api.h"
#include "run/sandbox_files.h"

namespace junction {
namespace {

// Any folder that every Linux has and the set-up itself does not need; only our own mount namespace sees what is put there.
constexpr char kStage[] = "/sys";
// The same in an empty namespace.
constexpr char kEmptyStage[] = "/stage";

// Files of /proc that any user may read and that tell of the host what can be of use in an attack (addresses, the timing
// of its devices, its start options). What only the host's root may read or write needs no hiding: the guest's root is
// another user. Each costs 10 us. The first ones may not be there in every kernel; the last one is.
constexpr const char* kHiddenProcFiles[] = {"modules", "kallsyms", "keys", "locks", "interrupts", "cmdline"};

constexpr uint64_t kPlainData = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

using OpenMounts = std::vector<UniqueFd>;

Result<UniqueFd> OpenLower(const RootPlan& plan, std::vector<std::string>& warnings) {
  const bool has_image = !plan.chroot_path.empty();
  auto lower = CloneMount(AT_FDCWD, has_image ? plan.chroot_path.c_str() : "/");
  // The host's own files keep their owners: mapped, the guest's root could read what only the host's root may.
  if (lower && has_image) {
    if (const auto mapped = MapMountIds(lower->get(), plan.user_namespace_fd); !mapped) {
      if (mapped.error().code != EINVAL && mapped.error().code != EOPNOTSUPP) {
        return std::unexpected(mapped.error());
      }
      warnings.push_back("the file system of " + plan.chroot_path +
                         " cannot map owners: the guest sees all files as nobody's");
    }
  }
  return lower;
}

// Opened before the host's tree is out of reach.
Result<OpenMounts> OpenHostMounts(const RootPlan& plan) {
  OpenMounts fds;
  for (const MountOption& mount : plan.mounts) {
    auto fd = CloneMount(AT_FDCWD, mount.host_path.c_str());
    if (!fd) {
      return std::unexpected(fd.error());
    }
    const uint64_t attributes = kPlainData | (mount.is_read_only ? MOUNT_ATTR_RDONLY : 0);
    if (auto set = SetMountAttributes(fd->get(), attributes); !set) {
      return std::unexpected(set.error());
    }
    fds.push_back(std::move(*fd));
  }
  return fds;
}

Result<void> Bind(int scratch_fd, const char* folder, int root_fd, uint64_t attributes) {
  auto mount = CloneMount(scratch_fd, folder);
  if (!mount) {
    return std::unexpected(mount.error());
  }
  if (auto set = SetMountAttributes(mount->get(), attributes); !set) {
    return set;
  }
  return AttachMount(mount->get(), root_fd, folder);
}

Result<void> MountDev(int scratch_fd, int root_fd, uint32_t uid_base) {
  if (auto bound = Bind(scratch_fd, "dev", root_fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC); !bound) {
    return bound;
  }
  const std::string tty_group = std::to_string(uid_base + 5);  // 5 is "tty" in every distribution
  const auto pts = NewFilesystem("devpts", {{"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", tty_group.c_str()}},
                                 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  if (!pts) {
    return std::unexpected(pts.error());
  }
  return AttachMount(pts->get(), root_fd, "dev/pts");
}

Result<void> MountProc(int scratch_fd, int root_fd) {
  const auto proc = NewFilesystem("proc", {}, kPlainData | MOUNT_ATTR_NOEXEC);
  if (!proc) {
    return std::unexpected(proc.error());
  }
  if (auto attached = AttachMount(proc->get(), root_fd, "proc"); !attached) {
    return attached;
  }
  // A mount that found no place serves the next file: to drop one costs an RCU grace period (1-4 ms).
  Result<UniqueFd> null = UniqueFd();
  for (const char* name : kHiddenProcFiles) {
    if (!null->valid()) {
      null = CloneMount(scratch_fd, "dev/null");
      if (!null) {
        return std::unexpected(null.error());
      }
    }
    if (auto attached = AttachMount(null->get(), proc->get(), name); attached) {
      null->Reset();
    } else if (attached.error().code != ENOENT) {
      return attached;
    }
  }
  return {};
}

// The folder `path` of the guest, made with all its parents where it is missing. Symbolic links never lead out of the root.
Result<UniqueFd> OpenOrMakeFolder(int root_fd, std::string_view path, uint32_t uid, uint32_t gid) {
  if (auto there = OpenInRoot(root_fd, std::string(path)); there || there.error().code != ENOENT) {
    return there;
  }
  for (size_t end = 1; end != std::string_view::npos;) {
    end = path.find('/', end + 1);
    const std::string prefix(path.substr(0, end));
    if (auto there = OpenInRoot(root_fd, prefix); there) {
      continue;
    }
    const size_t slash = prefix.rfind('/');
    const std::string name = prefix.substr(slash + 1);
    auto parent = OpenInRoot(root_fd, slash == 0 ? "/" : prefix.substr(0, slash));
    if (!parent) {
      return parent;
    }
    if (name.empty()) {
      continue;
    }
    if (mkdirat(parent->get(), name.c_str(), 0755) != 0 ||
        fchownat(parent->get(), name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0) {
      return ErrnoError("make " + prefix);
    }
  }
  return OpenInRoot(root_fd, std::string(path));
}

Result<UniqueFd> MountPoint(int root_fd, const std::string& path, int mount_fd, uint32_t uid_base) {
  struct stat source{};
  if (fstat(mount_fd, &source) != 0) {
    return ErrnoError(path);
  }
  if (S_ISDIR(source.st_mode)) {
    return OpenOrMakeFolder(root_fd, path, uid_base, uid_base);
  }
  if (auto there = OpenInRoot(root_fd, path); there || there.error().code != ENOENT) {
    return there;
  }
  const size_t slash = path.rfind('/');
  auto parent = OpenOrMakeFolder(root_fd, slash == 0 ? "/" : path.substr(0, slash), uid_base, uid_base);
  if (!parent) {
    return parent;
  }
  const UniqueFd file(openat(parent->get(), path.c_str() + slash + 1, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.valid()) {
    return ErrnoError("make " + path);
  }
  return OpenInRoot(root_fd, path);
}

Result<void> AttachHostMounts(const RootPlan& plan, const OpenMounts& fds, int root_fd) {
  for (size_t i = 0; i < fds.size(); ++i) {
    auto point = MountPoint(root_fd, plan.mounts[i].guest_path, fds[i].get(), plan.uid_base);
    if (!point) {
      return std::unexpected(point.error());
    }
    if (auto attached = AttachMount(fds[i].get(), point->get(), ""); !attached) {
      return attached;
    }
  }
  return {};
}

// The mounts at and below the new root. `scratch_fd` is the current folder, so that the overlay's paths can be relative.
Result<UniqueFd> MountRoot(int lower_fd, int scratch_fd) {
  if (auto attached = AttachMount(lower_fd, scratch_fd, "lower"); !attached) {
    return std::unexpected(attached.error());
  }
  auto root = NewFilesystem("overlay", {{"lowerdir", "lower"}, {"upperdir", "upper"}, {"workdir", "work"}}, kPlainData);
  if (!root) {
    return root;
  }
  if (auto attached = AttachMount(root->get(), scratch_fd, "root"); !attached) {
    return std::unexpected(attached.error());
  }
  return root;
}

Result<void> MountBelowRoot(const RootPlan& plan, const OpenMounts& host_mounts, int scratch_fd, int root_fd) {
  if (auto mounted = MountProc(scratch_fd, root_fd); !mounted) {
    return mounted;
  }
  if (auto bound = Bind(scratch_fd, "sys", root_fd, kPlainData | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY); !bound) {
    return bound;
  }
  if (auto mounted = MountDev(scratch_fd, root_fd, plan.uid_base); !mounted) {
    return mounted;
  }
  if (plan.HasOwnTmp()) {
    if (auto bound = Bind(scratch_fd, "tmp", root_fd, kPlainData); !bound) {
      return bound;
    }
  }
  if (auto attached = AttachHostMounts(plan, host_mounts, root_fd); !attached) {
    return attached;
  }
  // The working folder may lie in any of those mounts.
  if (auto cwd = OpenOrMakeFolder(root_fd, plan.cwd, plan.uid_base + plan.uid, plan.uid_base + plan.gid); !cwd) {
    return std::unexpected(cwd.error());
  }
  return plan.is_read_only ? SetMountAttributes(root_fd, MOUNT_ATTR_RDONLY) : Result<void>{};
}

// A copy, so that instances do not see each other's mounts. What was opened before stays open, wherever it is mounted.
Result<void> EnterEmptyNamespace(int namespace_fd) {
  if (setns(namespace_fd, CLONE_NEWNS) != 0 || unshare(CLONE_NEWNS) != 0) {
    return ErrnoError("enter the empty mount namespace");
  }
  return {};
}

Result<void> ChrootTo(int root_fd) {
  if (fchdir(root_fd) != 0 || chroot(".") != 0) {
    return ErrnoError("change the root");
  }
  return {};
}

}  // namespace

Result<void> EnterRoot(const RootPlan& plan, std::vector<std::string>& warnings) {
  const bool begins_empty = plan.empty_namespace_fd >= 0;
  if (!begins_empty && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return ErrnoError("private mounts");
  }
  const auto lower = OpenLower(plan, warnings);
  if (!lower) {
    return std::unexpected(lower.error());
  }
  const auto host_mounts = OpenHostMounts(plan);
  if (!host_mounts) {
    return std::unexpected(host_mounts.error());
  }
  const std::string size = std::to_string(plan.scratch_max_bytes);
  const std::string inodes = std::to_string(plan.scratch_max_bytes / 4096 + 256);
  const auto scratch =
      NewFilesystem("tmpfs", {{"size", size.c_str()}, {"nr_inodes", inodes.c_str()}, {"mode", "0755"}}, 0);
  if (!scratch) {
    return std::unexpected(scratch.error());
  }
  if (auto made = MakeSandboxFiles(scratch->get(), plan); !made) {
    return made;
  }
  if (begins_empty) {
    if (auto entered = EnterEmptyNamespace(plan.empty_namespace_fd); !entered) {
      return entered;
    }
  }
  if (auto attached = AttachMount(scratch->get(), AT_FDCWD, begins_empty ? kEmptyStage : kStage); !attached) {
    return attached;
  }
  if (fchdir(scratch->get()) != 0) {
    return ErrnoError("enter the scratch memory");
  }
  const auto root = MountRoot(lower->get(), scratch->get());
  if (!root) {
    return std::unexpected(root.error());
  }
  if (auto mounted = MountBelowRoot(plan, *host_mounts, scratch->get(), root->get()); !mounted) {
    return mounted;
  }
  if (sethostname(plan.hostname.data(), plan.hostname.size()) != 0) {
    return ErrnoError("set the host name");
  }
  if (auto done = begins_empty ? ChrootTo(root->get()) : PivotTo(root->get()); !done) {
    return done;
  }
  if (chdir(plan.cwd.c_str()) != 0) {
    return ErrnoError("working folder " + plan.cwd);
  }
  return {};
}

}  // namespace junction
