// SPDX-License-Identifier: Apache-2.0
#include "kernel/request/instance_request.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "kernel/process/uproc.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

constexpr uint32_t kMaxRequests = 64;       // more at once are lost, and whoever asked times out
constexpr timeval kOrderPatience = {5, 0};  // somebody may stand still meanwhile
constexpr size_t kMaxOrderDescriptors = 24;

// Written by signal handlers, which may run on several kthreads; read under the kernel lock. 0 = free: no id is 0.
std::atomic<uint64_t> g_requests[kMaxRequests];
std::atomic<uint32_t> g_request_count;

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

// A request that can be served now, 0 if there is none.
uint64_t TakeRequest(bool is_idle) {
  for (auto& slot : g_requests) {
    const uint64_t id = slot.load(std::memory_order_acquire);
    if (id == 0 || (KindOf(id) == RequestKind::kClone && !is_idle)) {
      continue;
    }
    slot.store(0, std::memory_order_relaxed);
    g_request_count.fetch_sub(1, std::memory_order_relaxed);
    return id;
  }
  return 0;
}

// The connection to who asked; -errno if it has given up.
int64_t ConnectToMonitor(uint64_t request_id) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  constexpr size_t kPrefix = sizeof(kRequestSocketPrefix) - 1;
  __builtin_memcpy(address.sun_path + 1, kRequestSocketPrefix, kPrefix);
  constexpr size_t kDigits = 16;
  for (size_t i = 0; i < kDigits; ++i) {
    address.sun_path[1 + kPrefix + i] = "0123456789abcdef"[request_id >> (60 - 4 * i) & 15];
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

void Serve(Kthread& kthread, uint64_t request_id) {
  const int64_t connection = ConnectToMonitor(request_id);
  if (connection < 0) {
    return;
  }
  const auto fd = static_cast<int32_t>(connection);
  auto& process = *reinterpret_cast<UProc*>(kthread.group);
  switch (KindOf(request_id)) {
    case RequestKind::kClone:
      ServeClone(kthread, process, fd);
      break;
    case RequestKind::kAddition:
      ServeAddition(process, fd);
      break;
  }
  HostCall(SYS_close, fd);
}

}  // namespace

void NoteRequest(uint64_t request_id) {
  for (auto& slot : g_requests) {
    uint64_t expected = 0;
    if (slot.compare_exchange_strong(expected, request_id, std::memory_order_release)) {
      g_request_count.fetch_add(1, std::memory_order_release);
      return;
    }
  }
}

void ForgetRequests() {
  for (auto& slot : g_requests) {
    slot.store(0, std::memory_order_relaxed);
  }
  g_request_count.store(0, std::memory_order_relaxed);
}

void ServeRequests(Kthread& kthread, bool is_idle) {
  if (g_request_count.load(std::memory_order_acquire) == 0) {
    return;
  }
  // With others at work this is not the idle moment: the last of them to park comes here too.
  const bool is_all_idle = is_idle && AreOthersParked(*kthread.group, kthread);
  Uthread* const before = kthread.current;
  while (const uint64_t id = TakeRequest(is_all_idle)) {
    if (before == nullptr) {
      kthread.current =
          NextThread(*reinterpret_cast<UProc*>(kthread.group), nullptr);  // whose process the descriptors are
    }
    Serve(kthread, id);
    kthread.current = before;
  }
}

int64_t SayToMonitor(int32_t connection, RequestAnswer answer, uint32_t reason, int64_t error, int32_t value) {
  const RequestMessage message = {kRequestMagic, answer, reason, static_cast<int32_t>(error), value, 0};
  return HostCall(SYS_sendto, connection, &message, sizeof(message), MSG_NOSIGNAL, nullptr, 0);
}

int64_t ReceiveOrder(int32_t connection, void* order, size_t order_bytes, int32_t* fds, size_t max_fds) {
  HostCall(SYS_setsockopt, connection, SOL_SOCKET, SO_RCVTIMEO, &kOrderPatience, sizeof(kOrderPatience));
  iovec vector = {order, order_bytes};
  alignas(cmsghdr) uint8_t control[CMSG_SPACE(kMaxOrderDescriptors * sizeof(int32_t))] = {};
  msghdr header = {};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  int64_t size;
  do {
    size = HostCall(SYS_recvmsg, connection, &header, MSG_CMSG_CLOEXEC);
  } while (size == -EINTR);
  if (size < 0) {
    return size;
  }
  cmsghdr part = {};
  if (header.msg_controllen >= sizeof(part)) {
    __builtin_memcpy(&part, control, sizeof(part));
  }
  const size_t count = part.cmsg_type == SCM_RIGHTS ? (part.cmsg_len - CMSG_LEN(0)) / sizeof(int32_t) : 0;
  if (size != static_cast<int64_t>(order_bytes) || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
      count > max_fds) {
    return -EPROTO;
  }
  __builtin_memcpy(fds, control + sizeof(cmsghdr), count * sizeof(int32_t));
  return static_cast<int64_t>(count);
}

int64_t HangOnMonitor(int32_t connection, int32_t host_pid) {
  const int64_t flags = HostCall(SYS_fcntl, connection, F_GETFL);
  int64_t error = HostCall(SYS_fcntl, connection, F_SETSIG, SIGKILL);
  if (error == 0) {
    error = HostCall(SYS_fcntl, connection, F_SETOWN, host_pid);
  }
  if (error == 0) {
    error = HostCall(SYS_fcntl, connection, F_SETFL, flags | O_ASYNC);
  }
  return error;
}

}  // namespace junction
