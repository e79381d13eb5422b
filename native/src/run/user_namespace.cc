// SPDX-License-Identifier: Apache-2.0
#include "run/user_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>

namespace junction {
namespace {

int EndAtOnce(void*) { return 0; }

Result<void> WriteMap(pid_t pid, const char* name, const IdRange& range) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  char line[64];
  const int length = snprintf(line, sizeof(line), "0 %u %u\n", range.first_host_id, range.count);
  if (!fd.valid() || write(fd.get(), line, static_cast<size_t>(length)) != length) {
    return ErrnoError("write " + path);
  }
  return {};
}

// The maker's stack. It outlives every function of ours; one is enough, as one namespace is made at a time.
alignas(16) char maker_stack[4096];

}  // namespace

Result<UserNamespace> UserNamespace::Make(const IdRange& range) {
  // A namespace comes with a process only. This one shares our memory (nothing is copied), ends at once, and as a zombie
  // still has its namespace until we reap it. Its exit signal is 0, so that nobody else takes it for a child of theirs.
  const pid_t pid = clone(EndAtOnce, maker_stack + sizeof(maker_stack), CLONE_VM | CLONE_NEWUSER, nullptr);
  if (pid < 0) {
    return ErrnoError("make a user namespace");
  }
  UserNamespace made(pid);
  if (auto opened = made.MapAndOpen(range); !opened) {
    made.Reap();
    return std::unexpected(opened.error());
  }
  return made;
}

Result<void> UserNamespace::MapAndOpen(const IdRange& range) {
  for (const char* name : {"uid_map", "gid_map"}) {
    if (auto written = WriteMap(maker_, name, range); !written) {
      return written;
    }
  }
  const std::string path = "/proc/" + std::to_string(maker_) + "/ns/user";
  fd_.Reset(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd_.valid()) {
    return ErrnoError("open " + path);
  }
  return {};
}

void UserNamespace::Reap() {
  while (waitpid(maker_, nullptr, __WALL) < 0 && errno == EINTR) {
  }
}

}  // namespace junction
