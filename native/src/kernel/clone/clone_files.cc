// SPDX-License-Identifier: Apache-2.0
// The host descriptors of a clone. Virtual ones are arena memory and need nothing; what the host has is the template's as well, so each
// is opened or made anew at the same number, or the instance cannot be cloned:
//
//   regular file, folder      reopened at its offset (record locks and leases stay the template's)
//   listening TCP socket      a new one of the same guest port, on a host port of its own
//   other idle TCP, UDP       a new one, bound as the old one was
//   sockets with a NIC        virtual: in the copied arena, on the copied stack, which must have no connection (net::HasConnections); listeners
//                             are told of in the clone's own control block
//   stdout, stderr            the pipes of the clone's monitor
//   /dev/null and the like    kept
//   kernel's own              arena: the copy; poller: a new one; descriptors in transit: closed
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "kernel/clone/clone_steps.h"
#include "kernel/events/host_poller.h"
#include "kernel/files/fd_table.h"
#include "kernel/sockets/host_socket.h"
#include "kernel/sockets/inet_ports.h"
#include "kernel/sockets/net_socket.h"
#include "uthread/host_call.h"
#include "uthread/text_buffer.h"

namespace junction {
namespace {

constexpr uint8_t kTcpClose = 7;
constexpr uint8_t kTcpListen = 10;
constexpr int kBacklog = 4096;  // the host's own limit is below it

struct SocketOption {
  int level;
  int name;
};
// What a listener may have been given before it was bound.
constexpr SocketOption kKeptOptions[] = {
    {SOL_SOCKET, SO_REUSEADDR},  {SOL_SOCKET, SO_REUSEPORT},   {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_BROADCAST},  {IPPROTO_TCP, TCP_NODELAY},   {IPPROTO_TCP, TCP_DEFER_ACCEPT},
    {IPPROTO_TCP, TCP_KEEPIDLE}, {IPPROTO_TCP, TCP_KEEPINTVL}, {IPPROTO_TCP, TCP_KEEPCNT},
};

// What becomes of a descriptor.
enum class Fate : uint8_t { kKept, kReopened, kSocket, kOutput, kRefused };

struct Judgement {
  Fate fate;
  CloneRefusal refusal = CloneRefusal::kNone;
  int output = 0;  // 0 stdout, 1 stderr
};

uint8_t TcpState(int32_t fd) {
  uint8_t state = 0;  // the first byte of struct tcp_info
  uint32_t size = sizeof(state);
  HostCall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &state, &size);
  return state;
}

bool HasPeer(int32_t fd) {
  AddressBytes bytes;
  uint32_t size = sizeof(bytes);
  return HostCall(SYS_getpeername, fd, bytes, &size) == 0;
}

Judgement JudgeSocket(const File& file, int32_t fd) {
  if (IsTcp(file)) {
    const uint8_t state = TcpState(fd);
    const bool is_idle = state == kTcpListen || state == kTcpClose;
    return is_idle ? Judgement{Fate::kSocket} : Judgement{Fate::kRefused, CloneRefusal::kConnectedSocket};
  }
  if (IsUdp(file)) {
    const HostSocket* const socket = HostSocketOf(file);
    if (socket != nullptr && socket->own_port != 0) {
      return {Fate::kRefused, CloneRefusal::kOtherDescriptor};  // its number is the host's, and only one can have it
    }
    return HasPeer(fd) ? Judgement{Fate::kRefused, CloneRefusal::kConnectedSocket} : Judgement{Fate::kSocket};
  }
  return {Fate::kRefused, CloneRefusal::kOtherDescriptor};
}

Judgement JudgeStream(const File& file, int32_t fd) {
  if (file.host_domain != 0) {
    return JudgeSocket(file, fd);
  }
  struct stat status;
  if (HostCall(SYS_fstat, fd, &status) == 0 && S_ISFIFO(status.st_mode)) {
    for (int i = 0; i < 2; ++i) {
      if (status.st_ino == TheInstance().output_inodes[i]) {
        return {Fate::kOutput, CloneRefusal::kNone, i};
      }
    }
  }
  return {Fate::kRefused, CloneRefusal::kOtherDescriptor};
}

Judgement JudgeFile(int32_t fd, uint64_t memory_device) {
  struct stat status;
  if (HostCall(SYS_fstat, fd, &status) != 0) {
    return {Fate::kRefused, CloneRefusal::kOtherDescriptor};
  }
  if (S_ISCHR(status.st_mode)) {
    return {Fate::kKept};
  }
  if (status.st_dev == memory_device) {
    return {Fate::kRefused, CloneRefusal::kMemoryFile};
  }
  const bool is_in_tree = S_ISREG(status.st_mode) || S_ISDIR(status.st_mode);
  return is_in_tree ? Judgement{Fate::kReopened} : Judgement{Fate::kRefused, CloneRefusal::kOtherDescriptor};
}

Judgement Judge(const File& file, int32_t fd, uint64_t memory_device) {
  if (file.is_virtual()) {
    return {Fate::kKept};
  }
  return file.kind == FileKind::kHostStream ? JudgeStream(file, fd) : JudgeFile(fd, memory_device);
}

uint64_t DeviceOf(int32_t fd) {
  struct stat status;
  return HostCall(SYS_fstat, fd, &status) == 0 ? status.st_dev : 0;
}

int32_t ArenaFd(const FdTable& table) {
  for (const auto& slot : table.reserved) {
    if (slot.home == g_image.arena_fd && slot.now >= 0) {
      return slot.now;
    }
  }
  return -1;
}

int64_t PutAt(int32_t fd, int32_t number, bool is_close_on_exec) {
  return HostCall(SYS_dup3, fd, number, is_close_on_exec ? O_CLOEXEC : 0);
}

int64_t Reopen(int32_t fd) {
  const int64_t flags = HostCall(SYS_fcntl, fd, F_GETFL);
  if (flags < 0 || (flags & O_PATH) != 0) {
    return flags < 0 ? flags : -ENOTSUP;
  }
  TextBuffer<32> path;
  path.Add("/proc/self/fd/").AddUnsigned(static_cast<uint64_t>(fd)).AddChar('\0');
  constexpr int64_t kOnlyAtOpen = O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW;
  const int64_t fresh = HostCall(SYS_openat, AT_FDCWD, path.data(), flags & ~kOnlyAtOpen, 0);
  if (fresh >= 0) {
    HostCall(SYS_lseek, fresh, HostCall(SYS_lseek, fd, 0, SEEK_CUR), SEEK_SET);
  }
  return fresh;
}

void CopyOptions(int32_t from, int32_t to) {
  for (const auto& [level, name] : kKeptOptions) {
    int32_t value = 0;
    uint32_t size = sizeof(value);
    if (HostCall(SYS_getsockopt, from, level, name, &value, &size) == 0 && value != 0) {
      HostCall(SYS_setsockopt, to, level, name, &value, sizeof(value));
    }
  }
}

// What the guest had bound, of the template's port table; false if nothing.
bool FindBinding(const File& file, const ControlPort* ports, InetAddress& address, BoundTo& to) {
  const HostSocket* const socket = HostSocketOf(file);
  if (socket == nullptr || socket->host_port == 0) {
    return false;
  }
  to = socket->bound_to;
  address.is_v6 = to != BoundTo::kAny4 && to != BoundTo::kLoopback4;
  address.is_any = to != BoundTo::kLoopback4 && to != BoundTo::kLoopback6;
  address.is_loopback = !address.is_any;
  address.port = socket->host_port;
  const uint8_t protocol = IsTcp(file) ? IPPROTO_TCP : IPPROTO_UDP;
  for (size_t i = 0; i < kControlBlockPorts; ++i) {
    if (ports[i].host_port.load(std::memory_order_relaxed) == socket->host_port &&
        ports[i].protocol.load(std::memory_order_relaxed) == protocol &&
        ports[i].guest_port.load(std::memory_order_relaxed) != 0) {
      address.port = ports[i].guest_port.load(std::memory_order_relaxed);
    }
  }
  return true;
}

int64_t BindAndListen(File& file, int32_t fd, int32_t old_fd, const ControlPort* ports) {
  InetAddress address;
  BoundTo to;
  if (!FindBinding(file, ports, address, to)) {
    return 0;
  }
  HostSocket& socket = *HostSocketOf(file);
  const bool is_listening = socket.is_listening && TcpState(old_fd) == kTcpListen;
  socket.host_port = 0;
  socket.is_listening = false;
  socket.short_read_mark = 0;
  if (to == BoundTo::kAny6Only) {
    const int on = 1;
    HostCall(SYS_setsockopt, fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  }
  if (const int64_t error = BindPort(file, fd, address); error != 0 || !is_listening) {
    return error;
  }
  const int64_t error = HostCall(SYS_listen, fd, kBacklog);
  return error != 0 ? error : AnnounceListener(file, fd);
}

int64_t RemakeSocket(File& file, int32_t old_fd, const ControlPort* ports) {
  const int64_t fd =
      HostCall(SYS_socket, file.host_domain, file.host_type | SOCK_NONBLOCK | SOCK_CLOEXEC, file.host_protocol);
  if (fd < 0) {
    return fd;
  }
  CopyOptions(old_fd, static_cast<int32_t>(fd));
  const int64_t error = BindAndListen(file, static_cast<int32_t>(fd), old_fd, ports);
  if (error != 0) {
    HostCall(SYS_close, fd);
    return error;
  }
  return fd;
}

// A fresh description for the file behind `fd`, -errno, or 0: the old one stays.
int64_t Renew(File& file, int32_t fd, uint64_t memory_device, const CloneOutput& output, const ControlPort* ports) {
  const Judgement judgement = Judge(file, fd, memory_device);
  switch (judgement.fate) {
    case Fate::kKept:
      return 0;
    case Fate::kReopened:
      return Reopen(fd);
    case Fate::kSocket:
      return RemakeSocket(file, fd, ports);
    case Fate::kOutput:
      return HostCall(SYS_fcntl, output.fds[judgement.output], F_DUPFD_CLOEXEC, 3);
    case Fate::kRefused:
      break;
  }
  return -EBUSY;
}

// Puts the new description to all numbers of the file from `first` on; those before have been done with it.
int64_t PutEverywhere(FdTable& table, const File& file, uint32_t first, int32_t fresh) {
  for (uint32_t fd = first; fd < table.capacity; ++fd) {
    if (table.entries[fd].file == &file) {
      const int64_t result = PutAt(fresh, static_cast<int32_t>(fd), table.entries[fd].is_close_on_exec);
      if (result < 0) {
        return result;
      }
    }
  }
  return 0;
}

bool WasDone(const FdTable& table, uint32_t fd) {
  for (uint32_t before = 0; before < fd; ++before) {
    if (table.entries[before].file == table.entries[fd].file) {
      return true;
    }
  }
  return false;
}

// The kernel's own: only the arena stays, as the clone's.
int64_t RemakeReserved(FdTable& table, int32_t arena_now, int32_t arena_fd) {
  for (auto& slot : table.reserved) {
    if (slot.now >= 0 && slot.now != arena_now) {
      HostCall(SYS_close, slot.now);
      UnreserveFd(table, slot.now);
      slot.home = slot.now = -1;
    }
  }
  if (const int64_t result = PutAt(arena_fd, arena_now, false); result < 0) {
    return result;
  }
  for (uint32_t fd = 0; fd < table.capacity; ++fd) {
    if (table.entries[fd].has_placeholder) {
      if (const int64_t result = PutAt(arena_fd, static_cast<int32_t>(fd), true); result < 0) {
        return result;
      }
    }
  }
  return 0;
}

// Uthreads sleep in the kernel for what the template's poller watched.
void WatchAnew(FdTable& table) {
  AbandonHostPoller();
  for (uint32_t fd = 0; fd < table.capacity; ++fd) {
    FdEntry& entry = table.entries[fd];
    if (entry.file == nullptr || entry.watch == 0) {
      continue;
    }
    entry.watch = 0;
    const uint32_t ready = entry.file->ready;
    WatchHostFd(*entry.file, static_cast<int32_t>(fd));
    entry.file->ready = ready;  // a new socket has nothing, and tells of what comes
  }
}

}  // namespace

CloneRefusal CheckFiles(UProc& process, int32_t* value) {
  const FdTable& table = *process.files;
  const uint64_t memory_device = DeviceOf(ArenaFd(table));
  for (uint32_t fd = 0; fd < table.capacity; ++fd) {
    const File* const file = table.entries[fd].file;
    if (file == nullptr) {
      continue;
    }
    const Judgement judgement = Judge(*file, static_cast<int32_t>(fd), memory_device);
    if (judgement.fate == Fate::kRefused) {
      *value = static_cast<int32_t>(fd);
      return judgement.refusal;
    }
  }
  return CloneRefusal::kNone;
}

int64_t RemakeFiles(UProc& process, int32_t arena_fd, const CloneOutput& output, const ControlPort* ports,
                    int32_t* value) {
  FdTable& table = *process.files;
  const int32_t arena_now = ArenaFd(table);
  const uint64_t memory_device = DeviceOf(arena_now);
  if (const int64_t error = RemakeReserved(table, arena_now, arena_fd); error != 0) {
    return error;
  }
  HostCall(SYS_close, arena_fd);
  for (uint32_t fd = 0; fd < table.capacity; ++fd) {
    File* const file = table.entries[fd].file;
    if (file == nullptr || file->is_virtual() || WasDone(table, fd)) {
      continue;
    }
    *value = static_cast<int32_t>(fd);
    const int64_t fresh = Renew(*file, static_cast<int32_t>(fd), memory_device, output, ports);
    if (fresh == 0) {
      continue;
    }
    const int64_t error = fresh < 0 ? fresh : PutEverywhere(table, *file, fd, static_cast<int32_t>(fresh));
    if (error != 0) {
      return error;
    }
    HostCall(SYS_close, fresh);
  }
  for (int i = 0; i < 2; ++i) {
    struct stat status;
    TheInstance().output_inodes[i] = HostCall(SYS_fstat, output.fds[i], &status) == 0 ? status.st_ino : 0;
    HostCall(SYS_close, output.fds[i]);
  }
  WatchAnew(table);
  if (HasNic()) {
    PublishAllListeners();
  }
  return 0;
}

}  // namespace junction
