// SPDX-License-Identifier: Apache-2.0
// The template's side of a clone.
#include "kernel/clone/instance_clone.h"

#include <linux/futex.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "kernel/clone/clone_steps.h"
#include "kernel/memory/memory.h"
#include "kernel/process/process.h"
#include "kernel/sockets/fd_transit.h"
#include "uthread/host_call.h"
#include "uthread/text_buffer.h"

namespace junction {
namespace {

constexpr uint32_t kMaxRequests = 64;  // more at once are lost, and whoever asked times out
constexpr timespec kLivenessPeriod = {0, 20'000'000};
constexpr int64_t kLandlockScopes = 6;  // the first Landlock ABI that keeps signals in a domain
constexpr long kLandlockCreateRuleset = 444;
constexpr uint32_t kLandlockVersion = 1;

// Written by signal handlers, which may run on several kthreads; read at idle. 0 = free: ids are random, and a request of id 0 is lost.
std::atomic<uint64_t> g_requests[kMaxRequests];
std::atomic<uint32_t> g_request_count;
CloneStart g_start;

bool TakeRequest(uint64_t* socket_id) {
  if (g_request_count.load(std::memory_order_acquire) == 0) {
    return false;
  }
  for (auto& slot : g_requests) {
    *socket_id = slot.exchange(0, std::memory_order_acquire);
    if (*socket_id != 0) {
      g_request_count.fetch_sub(1, std::memory_order_relaxed);
      return true;
    }
  }
  return false;
}

// The connection to who asked; -errno if it has given up.
int64_t ConnectToMonitor(uint64_t socket_id) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  constexpr size_t kPrefix = sizeof(kCloneSocketPrefix) - 1;
  __builtin_memcpy(address.sun_path + 1, kCloneSocketPrefix, kPrefix);
  constexpr size_t kDigits = 16;
  for (size_t i = 0; i < kDigits; ++i) {
    address.sun_path[1 + kPrefix + i] = "0123456789abcdef"[socket_id >> (60 - 4 * i) & 15];
  }
  const int64_t fd = HostCall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return fd;
  }
  const int64_t error = HostCall(SYS_connect, fd, &address, offsetof(sockaddr_un, sun_path) + 1 + kPrefix + kDigits);
  if (error != 0) {
    HostCall(SYS_close, fd);
    return error;
  }
  return fd;
}

bool IsApart(const Kthread& kthread, const Kthread& self) {
  return &kthread == &self || (kthread.is_parked && kthread.current == nullptr);
}

bool AreOthersParked(const UthreadGroup& group, const Kthread& self) {
  for (ListNode* node = group.kthreads.first(); node != nullptr; node = group.kthreads.Next(node)) {
    if (!IsApart(*JUNCTION_OWNER(node, Kthread, group_node), self)) {
      return false;
    }
  }
  return true;
}

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

void MakeClone(Kthread& kthread, uint64_t socket_id) {
  const int64_t connection = ConnectToMonitor(socket_id);
  if (connection < 0) {
    return;
  }
  const auto fd = static_cast<int32_t>(connection);
  auto& process = *reinterpret_cast<UProc*>(kthread.group);
  int32_t value = 0;
  kthread.current = NextThread(process, nullptr);  // whose process the descriptors are
  const CloneRefusal refusal = Check(process, &value);
  kthread.current = nullptr;
  if (refusal != CloneRefusal::kNone) {
    SayToMonitor(fd, CloneAnswer::kRefused, static_cast<uint32_t>(refusal), 0, value);
  } else {
    SayToMonitor(fd, CloneAnswer::kAccepted, 0, 0, 0);
    if (const int64_t error = Fork(kthread, fd); error < 0) {
      SayToMonitor(fd, CloneAnswer::kFailed, static_cast<uint32_t>(CloneStep::kFork), error, 0);
    }
  }
  HostCall(SYS_close, fd);
}

}  // namespace

void NoteCloneRequest(uint64_t socket_id) {
  for (auto& slot : g_requests) {
    uint64_t expected = 0;
    if (slot.compare_exchange_strong(expected, socket_id, std::memory_order_release)) {
      g_request_count.fetch_add(1, std::memory_order_release);
      return;
    }
  }
}

void ForgetCloneRequests() {
  for (auto& slot : g_requests) {
    slot.store(0, std::memory_order_relaxed);
  }
  g_request_count.store(0, std::memory_order_relaxed);
}

int64_t SayToMonitor(int32_t connection, CloneAnswer answer, uint32_t reason, int64_t error, int32_t value) {
  const CloneMessage message = {kCloneMagic, answer, reason, static_cast<int32_t>(error), value, 0};
  return HostCall(SYS_sendto, connection, &message, sizeof(message), MSG_NOSIGNAL, nullptr, 0);
}

std::atomic<uint32_t>& CloneProgress() { return Arena().clone_progress; }

void ServeCloneRequests(Kthread& kthread) {
  // With others at work this is not the idle moment: the last of them to park comes here too.
  if (g_request_count.load(std::memory_order_acquire) == 0 || !AreOthersParked(*kthread.group, kthread)) {
    return;
  }
  uint64_t socket_id = 0;
  while (TakeRequest(&socket_id)) {
    MakeClone(kthread, socket_id);
  }
}

}  // namespace junction
