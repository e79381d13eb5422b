// SPDX-License-Identifier: Apache-2.0
#include "addon/process_identity.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>

namespace junction::addon {

Result<uint64_t> ReadStartTime(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return ErrnoError(path, errno == ENOENT ? ESRCH : errno);
  }
  char text[1024];
  const ssize_t size = read(fd.get(), text, sizeof(text));
  if (size < 0) {
    return ErrnoError(path);
  }
  // The second field is the program's name in parentheses, which may hold anything: count from the last one. What follows
  // it is field 3.
  const std::string_view line(text, static_cast<size_t>(size));
  size_t at = line.rfind(')');
  for (int field = 3; field <= 22 && at != std::string_view::npos; ++field) {
    at = line.find(' ', at + 1);
  }
  if (at == std::string_view::npos) {
    return ErrnoError(path, EPROTO);
  }
  return std::strtoull(std::string(line.substr(at + 1, 20)).c_str(), nullptr, 10);
}

Result<HeldProcess> HoldProcess(pid_t pid, uint64_t start_time_ticks) {
  HeldProcess held;
  held.pid = pid;
  held.pidfd.Reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!held.pidfd.valid()) {
    return ErrnoError("pidfd_open", errno == EINVAL ? ESRCH : errno);  // EINVAL: a thread's id, not a process's
  }
  // Read after the process is held: whatever has this pid now is either held or dead.
  const auto start_time = ReadStartTime(pid);
  if (!start_time) {
    return std::unexpected(start_time.error());
  }
  if (start_time_ticks != 0 && *start_time != start_time_ticks) {
    return ErrnoError("process " + std::to_string(pid), ESRCH);
  }
  held.start_time_ticks = *start_time;
  return held;
}

Result<bool> SignalProcess(int pidfd, int signal) {
  if (syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0) {
    return true;
  }
  if (errno == ESRCH) {
    return false;
  }
  return ErrnoError("pidfd_send_signal");
}

}  // namespace junction::addon
