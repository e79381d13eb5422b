// SPDX-License-Identifier: Apache-2.0
// The template's side of a clone, an idle instance of one uProc that is copied by a host fork. Read first: base/clone_protocol.h.
//
//   template, idle, kernel lock held            clone, on a stack of its own (clone_child.cc)
//   connects to who asks, checks itself
//   host fork -------------------------------->  descriptors from the monitor; joins its cgroups
//   waits (nothing of its guest runs) <-------   arena and shared guest memory are in memfds of its own (clone_memory.cc)
//   goes on                                      maps them; control block, kthread, descriptors (clone_files.cc), seed, Landlock
//                                                runs its uthreads
#include <linux/futex.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "kernel/clone/clone_steps.h"
#include "kernel/memory/memory.h"
#include "kernel/net/instance_net.h"
#include "kernel/request/instance_request.h"
#include "kernel/sockets/fd_transit.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

constexpr timespec kLivenessPeriod = {0, 20'000'000};
constexpr int64_t kLandlockScopes = 6;  // the first Landlock ABI that keeps signals in a domain
constexpr long kLandlockCreateRuleset = 444;
constexpr uint32_t kLandlockVersion = 1;

CloneStart g_start;

CloneRefusal Check(UProc& process, int32_t* value) {
  const Instance& instance = TheInstance();
  if (HostCall(kLandlockCreateRuleset, nullptr, 0, kLandlockVersion) < kLandlockScopes) {
    return CloneRefusal::kNoLandlock;
  }
  if (instance.is_clone) {
    return CloneRefusal::kIsClone;  // it serves requests, and its own clones would be open to it
  }
  if (instance.process_count != 1 || instance.init != &process) {
    return CloneRefusal::kSeveralProcesses;
  }
  if (process.memory->lock_word != 0) {
    return CloneRefusal::kBusyMemory;
  }
  if (HasDescriptorsInTransit()) {
    return CloneRefusal::kDescriptorsInFlight;
  }
  if (HasNic() && net::HasConnections(InstanceStack())) {
    return CloneRefusal::kConnectedSocket;
  }
  if (const CloneRefusal refusal = CheckSharedMemory(process); refusal != CloneRefusal::kNone) {
    return refusal;
  }
  return CheckFiles(process, value);
}

// Until the child has its own copies nothing here may move.
void WaitForCopy(int32_t child) {
  std::atomic<uint32_t>& progress = CloneProgress();
  while (progress.load(std::memory_order_acquire) == 0) {
    if (HostCall(SYS_futex, &progress, FUTEX_WAIT, 0, &kLivenessPeriod) == -ETIMEDOUT &&
        HostCall(SYS_kill, child, 0) == -ESRCH) {
      return;
    }
  }
}

int64_t Fork(Kthread& kthread, int32_t connection) {
  const uint64_t all = ~0ULL;
  uint64_t before = 0;
  g_start = {&kthread, connection};
  CloneProgress().store(0, std::memory_order_relaxed);
  HostCall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
  const int64_t pid = junction_host_fork(SIGCHLD, CloneStackTop(), &RunClone, &g_start);
  if (pid > 0) {
    WaitForCopy(static_cast<int32_t>(pid));
  }
  HostCall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, sizeof(before));
  return pid;
}

}  // namespace

void ServeClone(Kthread& kthread, UProc& process, int32_t connection) {
  int32_t value = 0;
  if (const CloneRefusal refusal = Check(process, &value); refusal != CloneRefusal::kNone) {
    SayToMonitor(connection, RequestAnswer::kRefused, static_cast<uint32_t>(refusal), 0, value);
    return;
  }
  kthread.current = nullptr;
  SayToMonitor(connection, RequestAnswer::kAccepted, 0, 0, 0);
  if (const int64_t error = Fork(kthread, connection); error < 0) {
    SayToMonitor(connection, RequestAnswer::kFailed, static_cast<uint32_t>(CloneStep::kFork), error, 0);
  }
}

std::atomic<uint32_t>& CloneProgress() { return Arena().clone_progress; }

}  // namespace junction
