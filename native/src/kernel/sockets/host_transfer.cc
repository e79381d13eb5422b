// SPDX-License-Identifier: Apache-2.0
// Bytes from and to host sockets. Hot path of a server inside an instance: one host call for a read or write, on the guest's own memory
// (the host checks it and answers EFAULT).
//
// Event-driven programs read until EAGAIN. A read from a stream socket that got less than it asked for has emptied it: the poller's
// bit is cleared, and if the socket is O_NONBLOCK and in some epoll, the next read answers EAGAIN without asking the host. Bytes
// that come meanwhile are a new edge, which epoll reports. To be safe for programs that know by other means that bytes are there,
// this is done once after each short read only, and not if this process wrote to another host socket, connected, shut down or
// closed one since.
//
// But a peer on the same core has often run and answered before our write returns. So now and then the host is asked all the same, and
// as long as that pays it is asked each time (HasLuck): a server then goes on with the same connection instead of waiting and waking.
#include <poll.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cerrno>

#include "kernel/events/host_poller.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/process/uproc.h"
#include "kernel/signals/signals.h"
#include "kernel/sockets/host_socket.h"
#include "kernel/sockets/inet_ports.h"
#include "kernel/sockets/socket_wait.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

constexpr PollEvents kLastWords = POLLRDHUP | POLLHUP | POLLERR | POLLPRI;  // after these a short read proves nothing

// Writes of this process image to host sockets, and whatever else may make one readable.
uint64_t g_host_writes = 0;

// The pieces that are left of a guest buffer, as the host takes them. Many are rare: those go to the arena.
class IovecList {
 public:
  explicit IovecList(const GuestBuffer& buffer) : buffer_(buffer) { Collect(few_, kFew); }
  ~IovecList() {
    if (many_ != nullptr) {
      ArenaFree(many_, kMany_bytes);
    }
  }
  IovecList(const IovecList&) = delete;
  IovecList& operator=(const IovecList&) = delete;

  /// 0, -EFAULT for a bad array, -ENOBUFS.
  int64_t Prepare() {
    if (buffer_.size() == 0) {
      return 0;
    }
    if (buffer_.has_faulted()) {
      return -EFAULT;
    }
    many_ = static_cast<GuestIovec*>(ArenaAllocate(kMany_bytes));
    if (many_ == nullptr) {
      return -ENOBUFS;
    }
    for (size_t i = 0; i < count_; ++i) {
      many_[i] = few_[i];
    }
    Collect(many_, kMaxIovecs);
    return buffer_.has_faulted() ? -EFAULT : 0;
  }
  iovec* data() { return reinterpret_cast<iovec*>(many_ == nullptr ? few_ : many_); }
  size_t count() const { return count_; }

 private:
  static constexpr size_t kFew = 8;
  static constexpr size_t kMany_bytes = kMaxIovecs * sizeof(GuestIovec);

  void Collect(GuestIovec* out, size_t capacity) {
    while (count_ < capacity && buffer_.size() != 0) {
      const GuestIovec piece = buffer_.Piece();
      if (piece.size_bytes == 0) {
        return;
      }
      out[count_++] = piece;
      buffer_.Advance(piece.size_bytes);
    }
  }

  GuestBuffer buffer_;  // what is not in the list yet
  GuestIovec few_[kFew];
  GuestIovec* many_ = nullptr;
  size_t count_ = 0;
};
static_assert(sizeof(GuestIovec) == sizeof(iovec));

void AdvanceBy(GuestBuffer& buffer, uint64_t size_bytes) {
  while (size_bytes != 0) {
    const GuestIovec piece = buffer.Piece();
    if (piece.size_bytes == 0) {
      return;  // of a datagram that was longer than its buffer
    }
    const uint64_t step = piece.size_bytes < size_bytes ? piece.size_bytes : size_bytes;
    buffer.Advance(step);
    size_bytes -= step;
  }
}

int64_t ReceivePlain(int fd, GuestBuffer& data, uint32_t flags) {
  const GuestIovec piece = data.Piece();
  if (piece.size_bytes == data.size()) {
    const KernelUnlockGuard unlocked;
    return HostCall(SYS_recvfrom, fd, piece.base, piece.size_bytes, flags, nullptr, nullptr);
  }
  IovecList list(data);
  if (const int64_t error = list.Prepare(); error != 0) {
    return error;
  }
  msghdr header = {};
  header.msg_iov = list.data();
  header.msg_iovlen = list.count();
  const KernelUnlockGuard unlocked;
  return HostCall(SYS_recvmsg, fd, &header, flags);
}

int64_t ReceiveWhole(const File& file, int fd, GuestBuffer& data, uint32_t flags, SocketMessage& message) {
  IovecList list(data);
  if (const int64_t error = list.Prepare(); error != 0) {
    return error;
  }
  msghdr header = {};
  header.msg_iov = list.data();
  header.msg_iovlen = list.count();
  if (message.wants_name) {
    header.msg_name = message.name;
    header.msg_namelen = sizeof(message.name);
  }
  if (file.host_domain != AF_UNIX) {  // files that came over a socket from outside would be unknown here
    header.msg_control = reinterpret_cast<void*>(message.control);
    header.msg_controllen = message.control_size_bytes;
  }
  int64_t result;
  {
    const KernelUnlockGuard unlocked;
    result = HostCall(SYS_recvmsg, fd, &header, flags);
  }
  if (result >= 0) {
    message.name_size_bytes = header.msg_namelen;
    message.control_size_bytes = header.msg_controllen;
    message.result_flags = static_cast<uint32_t>(header.msg_flags);
    ShowPeerAddress(file, message.name, message.name_size_bytes);
  }
  return result;
}

// Asking in vain costs a host call (0.4 us), finding bytes saves a wait and a wake-up (2 us and more).
constexpr uint32_t kLuckOfHit = 3;
constexpr uint32_t kMostLuck = 24;
constexpr uint32_t kTryEvery = 32;
// One connection must not keep the others waiting for longer than this many requests.
constexpr uint32_t kHitsInARow = 16;

// Of this process image, like g_host_writes.
uint32_t g_luck = 0;
uint32_t g_until_try = 0;

// Whether bytes may well be there, though by what we know there are none.
bool HasLuck(HostSocket& socket) {
  if (socket.hits_in_a_row >= kHitsInARow) {
    socket.hits_in_a_row = 0;
    return false;
  }
  if (g_luck != 0) {
    return true;
  }
  if (g_until_try-- != 0) {
    return false;
  }
  g_until_try = kTryEvery;
  return true;
}

void NoteLuck(const File& file, bool is_hit) {
  HostSocket* const socket = HostSocketOf(file);
  if (is_hit) {
    g_luck = g_luck + kLuckOfHit < kMostLuck ? g_luck + kLuckOfHit : kMostLuck;
  } else if (g_luck != 0) {
    --g_luck;
  }
  if (socket != nullptr) {
    socket->hits_in_a_row = is_hit ? socket->hits_in_a_row + 1 : 0;
  }
}

// See the top of this file.
bool IsKnownEmpty(const File& file, bool* is_try) {
  HostSocket* const socket = HostSocketOf(file);
  if (socket == nullptr || socket->short_read_mark == 0) {
    return false;
  }
  const bool is_valid = socket->short_read_mark == g_host_writes + 1 && file.is_nonblocking() &&
                        !file.epoll_items.empty() && (file.ready & (POLLIN | kLastWords)) == 0;
  socket->short_read_mark = 0;
  *is_try = is_valid && HasLuck(*socket);
  return is_valid && !*is_try;
}

void NoteShortRead(File& file) {
  if (file.host_type != SOCK_STREAM || (file.ready & kLastWords) != 0) {
    return;
  }
  file.ready &= ~PollEvents{POLLIN};
  if (HostSocket* const socket = HostSocketOf(file); socket != nullptr) {
    socket->short_read_mark = g_host_writes + 1;
  }
}

void NoteWrite(const File& file) {
  HostSocket* const socket = HostSocketOf(file);
  const bool is_marked = socket != nullptr && socket->short_read_mark == g_host_writes + 1;
  ++g_host_writes;
  if (is_marked) {
    socket->short_read_mark = g_host_writes + 1;  // what is written here does not come back here
  }
}

// `message` is null for a plain read.
int64_t Receive(File& file, int fd, GuestBuffer& data, uint32_t flags, SocketMessage* message) {
  constexpr uint32_t kSpecial = MSG_PEEK | MSG_OOB | MSG_ERRQUEUE;
  const bool is_nonblocking = file.is_nonblocking() || (flags & (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB)) != 0;
  bool is_try = false;
  if ((flags & kSpecial) == 0 && IsKnownEmpty(file, &is_try)) {
    return -EAGAIN;
  }
  const FileReference kept(file);
  const bool waits_for_all = (flags & MSG_WAITALL) != 0 && (flags & kSpecial) == 0 && file.host_type == SOCK_STREAM;
  const uint32_t host_flags = (flags & ~static_cast<uint32_t>(MSG_WAITALL)) | MSG_DONTWAIT;
  SocketDeadline deadline(file.receive_timeout_ns);
  int64_t received = 0;
  while (true) {
    const uint64_t asked = data.size();
    int64_t result =
        message == nullptr ? ReceivePlain(fd, data, host_flags) : ReceiveWhole(file, fd, data, host_flags, *message);
    if (is_try) {
      NoteLuck(file, result > 0);
      is_try = false;
    }
    if (result > 0) {
      AdvanceBy(data, static_cast<uint64_t>(result));
      if ((flags & kSpecial) == 0 && static_cast<uint64_t>(result) < asked) {
        NoteShortRead(file);
      }
      received += result;
      if (!waits_for_all || data.size() == 0) {
        return received;
      }
      message = nullptr;  // the first part had the ancillary data
      continue;
    }
    if (result == -EINTR) {
      continue;
    }
    if (result == -EAGAIN) {
      if ((flags & kSpecial & ~MSG_PEEK) == 0) {
        file.ready &= ~PollEvents{POLLIN};
      }
      // A datagram socket that was shut down is readable for ever; the host says EAGAIN to MSG_DONTWAIT, and 0 to who would wait.
      const bool is_over = !is_nonblocking && IsUdp(file) && (PollHostFd(fd, POLLRDHUP) & POLLRDHUP) != 0;
      result = is_nonblocking ? -EAGAIN : (is_over ? 0 : AwaitHostSocket(file, fd, POLLIN, deadline));
      if (result == 0 && !is_over) {
        continue;
      }
    }
    return received != 0 ? received : result;
  }
}

int64_t SendPlain(int fd, GuestBuffer& data, uint32_t flags, const SocketMessage* message) {
  const GuestIovec piece = data.Piece();
  const uint32_t name_size = message == nullptr ? 0 : message->name_size_bytes;
  if (piece.size_bytes == data.size()) {
    const KernelUnlockGuard unlocked;
    return HostCall(SYS_sendto, fd, piece.base, piece.size_bytes, flags, name_size == 0 ? nullptr : message->name,
                    name_size);
  }
  IovecList list(data);
  if (const int64_t error = list.Prepare(); error != 0) {
    return error;
  }
  msghdr header = {};
  header.msg_iov = list.data();
  header.msg_iovlen = list.count();
  header.msg_name = name_size == 0 ? nullptr : const_cast<uint8_t*>(message->name);
  header.msg_namelen = name_size;
  const KernelUnlockGuard unlocked;
  return HostCall(SYS_sendmsg, fd, &header, flags);
}

int64_t SendWhole(const File& file, int fd, GuestBuffer& data, uint32_t flags, const SocketMessage& message) {
  if (file.host_domain == AF_UNIX) {
    return -EOPNOTSUPP;  // files of ours are unknown outside
  }
  IovecList list(data);
  if (const int64_t error = list.Prepare(); error != 0) {
    return error;
  }
  msghdr header = {};
  header.msg_iov = list.data();
  header.msg_iovlen = list.count();
  header.msg_name = message.name_size_bytes == 0 ? nullptr : const_cast<uint8_t*>(message.name);
  header.msg_namelen = message.name_size_bytes;
  header.msg_control = reinterpret_cast<void*>(message.control);
  header.msg_controllen = message.control_size_bytes;
  const KernelUnlockGuard unlocked;
  return HostCall(SYS_sendmsg, fd, &header, flags);
}

void RaiseSigpipe() { SendToThread(CurrentThread(), MakeUserSiginfo(SIGPIPE, SI_USER)); }

// `message` is null for a plain write.
int64_t Send(File& file, int fd, GuestBuffer& data, uint32_t flags, SocketMessage* message) {
  const FileReference kept(file);
  const bool is_nonblocking = file.is_nonblocking() || (flags & MSG_DONTWAIT) != 0;
  const bool is_stream = file.host_type == SOCK_STREAM;
  const uint32_t host_flags = flags | MSG_DONTWAIT | MSG_NOSIGNAL;
  bool has_control = message != nullptr && message->control_size_bytes != 0;
  SocketDeadline deadline(file.send_timeout_ns);
  int64_t sent = 0;
  while (true) {
    const uint64_t asked = data.size();
    int64_t result =
        has_control ? SendWhole(file, fd, data, host_flags, *message) : SendPlain(fd, data, host_flags, message);
    if (result >= 0) {
      AdvanceBy(data, static_cast<uint64_t>(result));
      NoteWrite(file);
      sent += result;
      if (!is_stream || static_cast<uint64_t>(result) == asked || result == 0) {
        return sent;
      }
      has_control = false;  // went with the first part
      result = -EAGAIN;     // the host's buffer is full
    }
    if (result == -EINTR) {
      continue;
    }
    if (result == -EAGAIN) {
      file.ready &= ~PollEvents{POLLOUT};
      result = is_nonblocking ? -EAGAIN : AwaitHostSocket(file, fd, POLLOUT, deadline);
      if (result == 0) {
        continue;
      }
    }
    if (result == -EPIPE && sent == 0 && is_stream && (flags & MSG_NOSIGNAL) == 0) {
      RaiseSigpipe();
    }
    return sent != 0 ? sent : result;
  }
}

}  // namespace

void ForgetShortReads() { ++g_host_writes; }

int64_t ReadHostSocket(File& file, int fd, GuestBuffer& to, uint32_t flags) {
  return to.size() == 0 ? 0 : Receive(file, fd, to, flags, nullptr);
}

int64_t WriteHostSocket(File& file, int fd, GuestBuffer& from, uint32_t flags) {
  return Send(file, fd, from, flags, nullptr);
}

int64_t ReceiveHostSocket(File& file, int fd, SocketMessage& message) {
  const bool is_plain = !message.wants_name && message.control_size_bytes == 0 && !message.wants_flags;
  return Receive(file, fd, message.data, message.flags, is_plain ? nullptr : &message);
}

int64_t SendHostSocket(File& file, int fd, SocketMessage& message) {
  if (message.name_size_bytes != 0) {
    TranslateTarget(file, fd, message.name, message.name_size_bytes);
  }
  return Send(file, fd, message.data, message.flags, &message);
}

}  // namespace junction
