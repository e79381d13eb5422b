// SPDX-License-Identifier: Apache-2.0
#include "addon/process_spawn.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace junction::addon {
namespace {

constexpr size_t kChildStack_bytes = 64 * 1024;

/// What the child reads, made ready by the parent, and where it says what went wrong.
struct ChildPlan {
  const char* file;
  char* const* argv;
  char* const* envp;
  const char* cwd;          // null = ours
  const char* stdout_file;  // null = /dev/null
  const char* stderr_file;
  const char* failed_step = nullptr;
  int error = 0;
};

int Fail(ChildPlan& plan, const char* step) {
  plan.error = errno;
  plan.failed_step = step;
  _exit(127);
}

int OpenOutput(const char* path) {
  return path == nullptr ? open("/dev/null", O_WRONLY | O_CLOEXEC)
                         : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
}

/// Runs in the child, in the parent's memory, while the calling thread of the parent stands still and others run: only
/// async-signal-safe calls, nothing that allocates or locks.
int RunChild(void* argument) {
  ChildPlan& plan = *static_cast<ChildPlan*>(argument);
  // execve resets handlers to the default, but keeps what is ignored; Node.js ignores SIGPIPE, for one.
  for (int signal = 1; signal < _NSIG; ++signal) {
    if (signal != SIGKILL && signal != SIGSTOP) {
      struct sigaction action{};
      action.sa_handler = SIG_DFL;
      (void)sigaction(signal, &action, nullptr);  // EINVAL for the two that libc keeps to itself
    }
  }
  if (setsid() < 0) {
    return Fail(plan, "setsid");
  }
  if (plan.cwd != nullptr && chdir(plan.cwd) != 0) {
    return Fail(plan, "chdir");
  }
  const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int out = OpenOutput(plan.stdout_file);
  if (in < 0 || out < 0) {
    return Fail(plan, "open stdout");
  }
  const int err = OpenOutput(plan.stderr_file);
  if (err < 0) {
    return Fail(plan, "open stderr");
  }
  // Moved out of the way first, in case one of 0 to 2 was closed here and has been given out by open.
  const int high_in = fcntl(in, F_DUPFD_CLOEXEC, 3);
  const int high_out = fcntl(out, F_DUPFD_CLOEXEC, 3);
  const int high_err = fcntl(err, F_DUPFD_CLOEXEC, 3);
  if (high_in < 0 || high_out < 0 || high_err < 0 || dup2(high_in, 0) < 0 || dup2(high_out, 1) < 0 ||
      dup2(high_err, 2) < 0) {
    return Fail(plan, "dup2");
  }
  if (syscall(SYS_close_range, 3u, ~0u, 0u) != 0) {
    return Fail(plan, "close_range");
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(plan.file, plan.argv, plan.envp);
  return Fail(plan, "execve");
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) {
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

const char* OrNull(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

}  // namespace

Result<HeldProcess> SpawnDetached(const SpawnRequest& request) {
  const std::vector<char*> argv = Pointers(request.argv);
  const std::vector<char*> envp = Pointers(request.env);
  ChildPlan plan{.file = request.file.c_str(),
                 .argv = argv.data(),
                 .envp = envp.data(),
                 .cwd = OrNull(request.cwd),
                 .stdout_file = OrNull(request.stdout_file),
                 .stderr_file = OrNull(request.stderr_file)};
  void* const stack =
      mmap(nullptr, kChildStack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) {
    return ErrnoError("mmap");
  }
  // A handler of ours must not run in the child, which has our memory.
  sigset_t all;
  sigset_t old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int pidfd = -1;
  const pid_t pid = clone(RunChild, static_cast<char*>(stack) + kChildStack_bytes,
                          CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
  const int clone_error = errno;
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  munmap(stack, kChildStack_bytes);
  if (pid < 0) {
    return ErrnoError("clone", clone_error);
  }
  HeldProcess held;
  held.pid = pid;
  held.pidfd.Reset(pidfd);
  if (plan.failed_step != nullptr) {
    waitpid(pid, nullptr, 0);
    return ErrnoError(std::string(plan.failed_step) + " for " + request.file, plan.error);
  }
  const auto start_time = ReadStartTime(pid);  // there even when it has ended already: nobody has reaped it
  if (!start_time) {
    return std::unexpected(start_time.error());
  }
  held.start_time_ticks = *start_time;
  return held;
}

}  // namespace junction::addon
