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

Result<UniqueFd> MapAndOpen(pid_t pid, const IdRange& range) {
  for (const char* name : {"uid_map", "gid_map"}) {
    if (auto written = WriteMap(pid, name, range); !written) {
      return std::unexpected(written.error());
    }
  }
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/user";
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return ErrnoError("open " + path);
  }
  return fd;
}

}  // namespace

Result<UniqueFd> MakeUserNamespace(const IdRange& range) {
  // A namespace comes with a process only. This one shares our memory (nothing is copied), ends at once, and as a zombie
  // still has its namespace until we reap it. Its exit signal is 0, so that nobody else takes it for a child of theirs.
  alignas(16) char stack[4096];
  const pid_t pid = clone(EndAtOnce, stack + sizeof(stack), CLONE_VM | CLONE_NEWUSER, nullptr);
  if (pid < 0) {
    return ErrnoError("make a user namespace");
  }
  auto result = MapAndOpen(pid, range);
  while (waitpid(pid, nullptr, __WALL) < 0 && errno == EINTR) {
  }
  return result;
}

}  // namespace junction
