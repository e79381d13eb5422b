// SPDX-License-Identifier: Apache-2.0
// send, recv and their many forms.
#include <sys/socket.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/sockets/socket_call.h"
#include "uthread/clock.h"

namespace junction {
namespace {

constexpr uint64_t kMaxTransfer_bytes = 0x7ffff000;  // MAX_RW_COUNT of Linux
constexpr uint32_t kMaxMessages = 1024;              // UIO_MAXIOV, of sendmmsg and recvmmsg

struct GuestMsghdr {  // struct user_msghdr
  uint64_t name;
  int32_t name_size_bytes;
  uint32_t padding0;
  uint64_t iovecs;
  uint64_t iovec_count;
  uint64_t control;
  uint64_t control_size_bytes;
  uint32_t flags;
  uint32_t padding1;
};
struct GuestMmsghdr {
  GuestMsghdr header;
  uint32_t size_bytes;
  uint32_t padding;
};
static_assert(sizeof(GuestMsghdr) == sizeof(msghdr) && sizeof(GuestMmsghdr) == sizeof(mmsghdr));

int64_t Transmit(File& file, int fd, SocketMessage& message) { return SocketOpsOf(file)->send(file, fd, message); }

int64_t Receive(File& file, int fd, SocketMessage& message) { return SocketOpsOf(file)->receive(file, fd, message); }

GuestBuffer SingleBuffer(uint64_t address, uint64_t size) {
  return {address, size < kMaxTransfer_bytes ? size : kMaxTransfer_bytes};
}

// What sendmsg and recvmsg have in common: reads the header and its iovecs.
int64_t ReadHeader(uint64_t address, GuestMsghdr& header, SocketMessage& message) {
  if (!CopyFromGuest(&header, address, sizeof(header))) {
    return -EFAULT;
  }
  if (header.name_size_bytes < 0 && header.name != 0) {
    return -EINVAL;
  }
  if (header.iovec_count > kMaxIovecs) {
    return -EMSGSIZE;
  }
  if (const int64_t error = GuestBuffer::FromIovec(header.iovecs, header.iovec_count, message.data); error != 0) {
    return error;
  }
  message.control = header.control_size_bytes == 0 ? 0 : header.control;
  message.control_size_bytes = header.control == 0 ? 0 : header.control_size_bytes;
  return 0;
}

int64_t SendHeader(File& file, int fd, uint64_t address, uint32_t flags) {
  GuestMsghdr header;
  SocketMessage message;
  if (const int64_t error = ReadHeader(address, header, message); error != 0) {
    return error;
  }
  constexpr uint64_t kLargestControl_bytes = 0x7fffffff;
  if (message.control_size_bytes > kLargestControl_bytes) {
    return -ENOBUFS;
  }
  if (header.name != 0 && header.name_size_bytes != 0) {
    constexpr auto kRoom = static_cast<int32_t>(sizeof(AddressBytes));
    const int32_t size = header.name_size_bytes < kRoom ? header.name_size_bytes : kRoom;
    if (const int64_t error = CopyAddressFromGuest(header.name, size, message.name); error != 0) {
      return error;
    }
    message.name_size_bytes = static_cast<uint32_t>(size);
  }
  message.flags = flags;
  return Transmit(file, fd, message);
}

// Tells the guest what came besides the data.
int64_t StoreHeader(uint64_t address, const GuestMsghdr& header, const SocketMessage& message) {
  if (header.name != 0) {
    const auto room = static_cast<uint32_t>(header.name_size_bytes);
    const uint32_t copied = room < message.name_size_bytes ? room : message.name_size_bytes;
    if (!CopyToGuest(header.name, message.name, copied) ||
        !CopyToGuest(address + offsetof(GuestMsghdr, name_size_bytes), &message.name_size_bytes, sizeof(uint32_t))) {
      return -EFAULT;
    }
  }
  const bool is_copied =
      CopyToGuest(address + offsetof(GuestMsghdr, flags), &message.result_flags, sizeof(uint32_t)) &&
      CopyToGuest(address + offsetof(GuestMsghdr, control_size_bytes), &message.control_size_bytes, sizeof(uint64_t));
  return is_copied ? 0 : -EFAULT;
}

int64_t ReceiveHeader(File& file, int fd, uint64_t address, uint32_t flags) {
  GuestMsghdr header;
  SocketMessage message;
  if (const int64_t error = ReadHeader(address, header, message); error != 0) {
    return error;
  }
  message.flags = flags;
  message.wants_name = header.name != 0;
  message.wants_flags = true;
  const int64_t result = Receive(file, fd, message);
  if (result < 0) {
    return result;
  }
  const int64_t error = StoreHeader(address, header, message);
  return error != 0 ? error : result;
}

// True if the guest's time for recvmmsg is over.
bool IsOver(uint64_t deadline_ns) { return deadline_ns != kNever && MonotonicNow_ns() >= deadline_ns; }

}  // namespace

int64_t SysSendto(Call& call) {
  int64_t error = 0;
  File* const file = FindSocket(call.int_arg(0), error);
  if (file == nullptr) {
    return error;
  }
  SocketMessage message;
  message.data = SingleBuffer(call.arg(1), call.arg(2));
  message.flags = static_cast<uint32_t>(call.arg(3));
  if (call.arg(4) != 0) {
    if (error = CopyAddressFromGuest(call.arg(4), call.int_arg(5), message.name); error != 0) {
      return error;
    }
    message.name_size_bytes = static_cast<uint32_t>(call.int_arg(5));
  }
  return Transmit(*file, call.int_arg(0), message);
}

int64_t SysRecvfrom(Call& call) {
  int64_t error = 0;
  File* const file = FindSocket(call.int_arg(0), error);
  if (file == nullptr) {
    return error;
  }
  SocketMessage message;
  message.data = SingleBuffer(call.arg(1), call.arg(2));
  message.flags = static_cast<uint32_t>(call.arg(3));
  message.wants_name = call.arg(4) != 0;
  const int64_t result = Receive(*file, call.int_arg(0), message);
  if (result < 0 || !message.wants_name) {
    return result;
  }
  error = StoreAddress(message.name, message.name_size_bytes, call.arg(4), call.arg(5));
  return error != 0 ? error : result;
}

int64_t SysSendmsg(Call& call) {
  int64_t error = 0;
  File* const file = FindSocket(call.int_arg(0), error);
  return file == nullptr ? error : SendHeader(*file, call.int_arg(0), call.arg(1), static_cast<uint32_t>(call.arg(2)));
}

int64_t SysRecvmsg(Call& call) {
  int64_t error = 0;
  File* const file = FindSocket(call.int_arg(0), error);
  return file == nullptr ? error
                         : ReceiveHeader(*file, call.int_arg(0), call.arg(1), static_cast<uint32_t>(call.arg(2)));
}

int64_t SysSendmmsg(Call& call) {
  int64_t error = 0;
  File* const file = FindSocket(call.int_arg(0), error);
  if (file == nullptr) {
    return error;
  }
  const FileReference kept(*file);
  const auto wanted = static_cast<uint32_t>(call.arg(2));
  const uint32_t count = wanted < kMaxMessages ? wanted : kMaxMessages;
  uint32_t done = 0;
  while (done < count && GetFile(call.int_arg(0)) == file) {
    const uint64_t address = call.arg(1) + done * sizeof(GuestMmsghdr);
    const int64_t result = SendHeader(*file, call.int_arg(0), address, static_cast<uint32_t>(call.arg(3)));
    const auto size = static_cast<uint32_t>(result);
    error = result < 0 ? result
                       : (CopyToGuest(address + offsetof(GuestMmsghdr, size_bytes), &size, sizeof(size)) ? 0 : -EFAULT);
    if (error != 0) {
      break;
    }
    ++done;
  }
  return done != 0 ? done : error;
}

int64_t SysRecvmmsg(Call& call) {
  uint64_t deadline_ns = kNever;
  if (call.arg(4) != 0) {
    timespec timeout;
    if (!CopyFromGuest(&timeout, call.arg(4), sizeof(timeout))) {
      return -EFAULT;
    }
    constexpr int64_t kSecond_ns = 1000000000;
    if (timeout.tv_sec < 0 || timeout.tv_nsec < 0 || timeout.tv_nsec >= kSecond_ns) {
      return -EINVAL;
    }
    constexpr int64_t kLongest_s = 1LL << 32;
    const auto seconds = static_cast<uint64_t>(timeout.tv_sec < kLongest_s ? timeout.tv_sec : kLongest_s);
    deadline_ns = MonotonicNow_ns() + seconds * kSecond_ns + static_cast<uint64_t>(timeout.tv_nsec);
  }
  int64_t error = 0;
  File* const file = FindSocket(call.int_arg(0), error);
  if (file == nullptr) {
    return error;
  }
  const FileReference kept(*file);
  const auto wanted = static_cast<uint32_t>(call.arg(2));
  const uint32_t count = wanted < kMaxMessages ? wanted : kMaxMessages;
  auto flags = static_cast<uint32_t>(call.arg(3)) & ~static_cast<uint32_t>(MSG_WAITFORONE);
  uint32_t done = 0;
  while (done < count && GetFile(call.int_arg(0)) == file) {
    const uint64_t address = call.arg(1) + done * sizeof(GuestMmsghdr);
    const int64_t result = ReceiveHeader(*file, call.int_arg(0), address, flags);
    const auto size = static_cast<uint32_t>(result);
    error = result < 0 ? result
                       : (CopyToGuest(address + offsetof(GuestMmsghdr, size_bytes), &size, sizeof(size)) ? 0 : -EFAULT);
    if (error != 0) {
      break;
    }
    ++done;
    flags |= (call.arg(3) & MSG_WAITFORONE) != 0 ? static_cast<uint32_t>(MSG_DONTWAIT) : 0;
    if (IsOver(deadline_ns)) {
      break;
    }
  }
  return done != 0 ? done : error;
}

}  // namespace junction
