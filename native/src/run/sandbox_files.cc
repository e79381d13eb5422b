// SPDX-License-Identifier: Apache-2.0
#include "run/sandbox_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <expected>
#include <utility>

#include "base/read_file.h"
#include "base/unique_fd.h"

namespace junction {
namespace {

struct Device {
  const char* path;
  unsigned major;
  unsigned minor;
};

// Numbers: Linux, Documentation/admin-guide/devices.txt.
constexpr Device kDevices[] = {
    {"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
    {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0},
};

struct Link {
  const char* path;
  const char* target;
};

constexpr Link kLinks[] = {
    {"dev/fd", "/proc/self/fd"},       {"dev/stdin", "/proc/self/fd/0"}, {"dev/stdout", "/proc/self/fd/1"},
    {"dev/stderr", "/proc/self/fd/2"}, {"dev/ptmx", "pts/ptmx"},
};

struct Folder {
  const char* path;
  mode_t mode;
  bool is_guests;  // owned by the guest's root; else by nobody whom the guest could become
};

constexpr Folder kFolders[] = {
    {"upper", 0755, true},
    {"upper/etc", 0755, true},
    {"upper/proc", 0755, false},
    {"upper/sys", 0755, false},
    {"upper/dev", 0755, false},
    {"work", 0755, false},
    {"lower", 0755, false},
    {"root", 0755, false},
    {"dev", 0755, false},
    {"dev/pts", 0755, false},
    {"dev/shm", 01777, true},
    {"dev/.junction", 0755, false},
    {"tmp", 01777, true},
    {"sys", 0755, false},
    {"sys/devices", 0755, false},
    {"sys/devices/system", 0755, false},
    {"sys/devices/system/cpu", 0755, false},
    {"sys/devices/system/node", 0755, false},
    {"sys/devices/system/node/node0", 0755, false},
    {"sys/fs", 0755, false},
    {"sys/fs/cgroup", 0755, false},
    {"sys/kernel", 0755, false},
    {"sys/kernel/mm", 0755, false},
    {"sys/kernel/mm/transparent_hugepage", 0755, false},
};

constexpr size_t kMaxCopiedFile_bytes = 64 * 1024;

Result<void> MakeFolder(int dir_fd, const std::string& path, mode_t mode) {
  if (mkdirat(dir_fd, path.c_str(), mode) != 0) {
    return ErrnoError("sandbox folder " + path);
  }
  return {};
}

Result<void> MakeFile(int dir_fd, const std::string& path, const std::string& content, uint32_t owner) {
  const UniqueFd fd(openat(dir_fd, path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid() || write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()) ||
      (owner != 0 && fchown(fd.get(), owner, owner) != 0)) {
    return ErrnoError("sandbox file " + path);
  }
  return {};
}

Result<void> MakeFolders(int dir_fd, uint32_t uid_base) {
  for (const Folder& folder : kFolders) {
    if (auto made = MakeFolder(dir_fd, folder.path, folder.mode); !made) {
      return made;
    }
    if (folder.is_guests && fchownat(dir_fd, folder.path, uid_base, uid_base, 0) != 0) {
      return ErrnoError(folder.path);
    }
  }
  return {};
}

Result<void> MakeDevices(int dir_fd) {
  for (const auto& [path, major_number, minor_number] : kDevices) {
    if (mknodat(dir_fd, path, S_IFCHR | 0666, makedev(major_number, minor_number)) != 0) {
      return ErrnoError(path);
    }
  }
  for (const auto& [path, target] : kLinks) {
    if (symlinkat(target, dir_fd, path) != 0) {
      return ErrnoError(path);
    }
  }
  return {};
}

// What runtimes read to size themselves. Copies are hard links: three times as quick.
Result<void> MakeSysFiles(int dir_fd, const RootPlan& plan) {
  const std::string cpus = CpuList(plan.core_limit) + "\n";
  const std::array<std::pair<const char*, const std::string>, 4> files = {{
      {"sys/devices/system/cpu/online", cpus},
      {"sys/devices/system/node/online", "0\n"},
      // Huge pages for who asks for them: what distributions set, and right under any setting of the host's.
      {"sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"},
      {"sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152\n"},  // x86-64 has no other
  }};
  for (const auto& [path, content] : files) {
    if (auto made = MakeFile(dir_fd, path, content, 0); !made) {
      return made;
    }
  }
  constexpr const char* kCopies[] = {"sys/devices/system/cpu/possible", "sys/devices/system/cpu/present",
                                     "sys/devices/system/node/node0/cpulist"};
  for (const char* copy : kCopies) {
    if (linkat(dir_fd, files[0].first, dir_fd, copy, 0) != 0) {
      return ErrnoError(copy);
    }
  }
  for (uint32_t cpu = 0; cpu < plan.core_limit; ++cpu) {  // some programs count these folders
    if (auto made = MakeFolder(dir_fd, "sys/devices/system/cpu/cpu" + std::to_string(cpu), 0755); !made) {
      return made;
    }
  }
  return {};
}

Result<void> MakeEtcFiles(int dir_fd, const RootPlan& plan) {
  // A host without name servers gives an empty file: libc then asks 127.0.0.1, as it does on the host.
  auto resolv_conf = ReadFile(plan.resolv_conf.empty() ? "/etc/resolv.conf" : plan.resolv_conf, kMaxCopiedFile_bytes);
  if (!resolv_conf && !plan.resolv_conf.empty()) {
    return std::unexpected(resolv_conf.error());
  }
  const std::array<std::pair<const char*, const std::string>, 3> files = {{
      {"upper/etc/hostname", plan.hostname + "\n"},
      {"upper/etc/hosts", HostsFile(plan)},
      {"upper/etc/resolv.conf", std::move(resolv_conf).value_or("")},
  }};
  for (const auto& [path, content] : files) {
    if (auto made = MakeFile(dir_fd, path, content, plan.uid_base); !made) {
      return made;
    }
  }
  return {};
}

// The host's root as a guest's: /run holds the host's sockets and is replaced by an empty folder.
Result<void> HideHostFolders(int dir_fd) {
  if (auto made = MakeFolder(dir_fd, "upper/run", 0755); !made) {
    return made;
  }
  const UniqueFd run(openat(dir_fd, "upper/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!run.valid() || fsetxattr(run.get(), "trusted.overlay.opaque", "y", 1, 0) != 0) {
    return ErrnoError("hide the host's /run");
  }
  return {};
}

}  // namespace

std::string CpuList(uint32_t count) { return count == 1 ? "0" : "0-" + std::to_string(count - 1); }

std::string HostsFile(const RootPlan& plan) {
  std::string text =
      "127.0.0.1 localhost\n"
      "::1 localhost ip6-localhost ip6-loopback\n"
      "127.0.0.1 " +
      plan.hostname + "\n";
  for (const auto& [name, address] : plan.hosts) {
    text += address + " " + name + "\n";
  }
  return text;
}

Result<void> MakeSandboxFiles(int scratch_fd, const RootPlan& plan) {
  const mode_t old_mask = umask(0);
  auto result = MakeFolders(scratch_fd, plan.uid_base);
  if (result) {
    result = MakeDevices(scratch_fd);
  }
  if (result) {
    result = MakeSysFiles(scratch_fd, plan);
  }
  if (result) {
    result = MakeEtcFiles(scratch_fd, plan);
  }
  if (result && plan.chroot_path.empty()) {
    result = HideHostFolders(scratch_fd);
  }
  if (result && plan.HasOwnTmp()) {
    result = MakeFolder(scratch_fd, "upper/tmp", 01777);
  }
  umask(old_mask);
  return result;
}

}  // namespace junction
