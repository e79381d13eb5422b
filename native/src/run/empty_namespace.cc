// SPDX-License-Identifier: Apache-2.0
// Read first: mount_namespaces(7), pivot_root(2).
#include "run/empty_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/unique_fd.h"
#include "run/mount_api.h"

namespace junction {
namespace {

// Any folder that every Linux has; only the new namespace sees what is put there.
constexpr char kPlace[] = "/sys";

Result<void> BecomeEmpty() {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return ErrnoError("private mounts");
  }
  const auto root = NewFilesystem("tmpfs", {{"size", "4096"}, {"nr_inodes", "4"}, {"mode", "0755"}},
                                  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (!root) {
    return std::unexpected(root.error());
  }
  if (mkdirat(root->get(), "stage", 0755) != 0) {
    return ErrnoError("make /stage");
  }
  if (auto attached = AttachMount(root->get(), AT_FDCWD, kPlace); !attached) {
    return attached;
  }
  if (auto set = SetMountAttributes(root->get(), MOUNT_ATTR_RDONLY); !set) {
    return set;
  }
  return PivotTo(root->get());
}

// The child of MakeEmptyNamespace: says by its answer that the namespace is as it should be, and stays until it is bound.
[[noreturn]] void HoldNamespace(UniqueFd answer, UniqueFd bound) {
  const auto empty = BecomeEmpty();
  const std::string text = empty ? "" : empty.error().message;
  const bool is_told = write(answer.get(), text.c_str(), text.size() + 1) > 0;
  char end;
  const bool is_over = is_told && read(bound.get(), &end, 1) >= 0;
  _exit(is_over ? 0 : 1);
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) {
    return ErrnoError("pipe");
  }
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<void> BindWhenReady(pid_t holder, const UniqueFd& answer, const std::string& path) {
  char text[512];
  const ssize_t count = read(answer.get(), text, sizeof(text));
  if (count != 1) {
    return PlainError("empty mount namespace: " +
                      (count > 1 ? std::string(text, static_cast<size_t>(count) - 1) : "its maker has ended"));
  }
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const std::string from = "/proc/" + std::to_string(holder) + "/ns/mnt";
  if (!file.valid() || mount(from.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    return ErrnoError("bind the mount namespace to " + path);
  }
  return {};
}

}  // namespace

Result<void> MakeEmptyNamespace(const std::string& path) {
  auto answer = MakePipe();
  auto bound = MakePipe();
  if (!answer || !bound) {
    return ErrnoError("pipe");
  }
  const pid_t holder = static_cast<pid_t>(syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, nullptr, nullptr, nullptr, 0));
  if (holder < 0) {
    return ErrnoError("make a mount namespace");
  }
  if (holder == 0) {
    answer->read_end.Reset();
    bound->write_end.Reset();
    HoldNamespace(std::move(answer->write_end), std::move(bound->read_end));
  }
  answer->write_end.Reset();
  auto made = BindWhenReady(holder, answer->read_end, path);
  bound->write_end.Reset();
  waitpid(holder, nullptr, 0);
  return made;
}

}  // namespace junction
