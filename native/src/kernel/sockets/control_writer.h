// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "kernel/guest/guest_memory.h"
#include "kernel/sockets/socket_message.h"

namespace junction {

inline constexpr uint64_t kControlHeader_bytes = sizeof(cmsghdr);
constexpr uint64_t AlignedControl(uint64_t size) { return (size + 7) & ~7ULL; }  // CMSG_ALIGN

/// The guest's buffer for ancillary data being filled. Read first: cmsg(3), put_cmsg in net/core/scm.c. Once done, the message says how
/// much there is.
class ControlWriter {
 public:
  explicit ControlWriter(SocketMessage& message)
      : message_(message), room_(message.control == 0 ? 0 : message.control_size_bytes) {}
  ~ControlWriter() { message_.control_size_bytes = used_; }
  ControlWriter(const ControlWriter&) = delete;
  ControlWriter& operator=(const ControlWriter&) = delete;

  uint64_t room() const { return room_ - used_; }
  uint64_t data_address() const { return message_.control + used_ + kControlHeader_bytes; }
  void Truncate() { message_.result_flags |= MSG_CTRUNC; }

  /// Puts a header before `size` bytes of data at data_address().
  void PutHeader(int level, int type, uint64_t size) {
    const cmsghdr header = {kControlHeader_bytes + size, level, type};
    CopyToGuest(message_.control + used_, &header, sizeof(header));
    const uint64_t step = AlignedControl(kControlHeader_bytes + size);
    used_ += step < room() ? step : room();
  }

  /// One message; cut off, and told so, where there is no room for it.
  void Put(int level, int type, const void* data, uint64_t size) {
    if (room() < kControlHeader_bytes) {
      Truncate();
      return;
    }
    if (room() < kControlHeader_bytes + size) {
      Truncate();
      size = room() - kControlHeader_bytes;
    }
    CopyToGuest(data_address(), data, size);
    PutHeader(level, type, size);
  }

 private:
  SocketMessage& message_;
  const uint64_t room_;
  uint64_t used_ = 0;
};

/// Calls `read` (const cmsghdr&, address of its data) for each of a message that the guest sends, until one fails: 0, -EFAULT, -EINVAL, what
/// `read` says.
template <typename ReadOne>
int64_t ForEachControl(const SocketMessage& message, ReadOne read) {
  uint64_t offset = 0;
  while (message.control != 0 && message.control_size_bytes - offset >= kControlHeader_bytes) {
    cmsghdr header;
    if (!CopyFromGuest(&header, message.control + offset, sizeof(header))) {
      return -EFAULT;
    }
    const uint64_t left = message.control_size_bytes - offset;
    if (header.cmsg_len < kControlHeader_bytes || header.cmsg_len > left) {
      return -EINVAL;
    }
    if (const int64_t error = read(header, message.control + offset + kControlHeader_bytes); error != 0) {
      return error;
    }
    const uint64_t step = AlignedControl(header.cmsg_len);
    if (step >= left) {
      break;
    }
    offset += step;
  }
  return 0;
}

}  // namespace junction
