// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/socket_options.h"

#include <asm/socket.h>
#include <sys/socket.h>

#include "kernel/guest/guest_memory.h"
#include "uthread/clock.h"

namespace junction {
namespace {

struct Timeval {  // of 64 bits in both forms of the options
  int64_t seconds;
  int64_t microseconds;
};
constexpr int64_t kMicro = 1000000;

bool IsReceive(int option) { return option == SO_RCVTIMEO_OLD || option == SO_RCVTIMEO_NEW; }
bool IsTimeout(int level, int option) {
  return level == SOL_SOCKET && (IsReceive(option) || option == SO_SNDTIMEO_OLD || option == SO_SNDTIMEO_NEW);
}

// 0 means no limit, a negative time means not at all.
int64_t ParseTimeout(uint64_t value, int32_t size_bytes, uint64_t& out_ns) {
  Timeval time;
  if (size_bytes < static_cast<int32_t>(sizeof(time))) {
    return -EINVAL;
  }
  if (!CopyFromGuest(&time, value, sizeof(time))) {
    return -EFAULT;
  }
  if (time.microseconds < 0 || time.microseconds >= kMicro) {
    return -EDOM;
  }
  constexpr int64_t kLongest_s = 1LL << 32;
  if (time.seconds < 0) {
    out_ns = 0;
  } else if ((time.seconds == 0 && time.microseconds == 0) || time.seconds > kLongest_s) {
    out_ns = kNever;
  } else {
    out_ns = static_cast<uint64_t>(time.seconds) * 1000000000 + static_cast<uint64_t>(time.microseconds) * 1000;
  }
  return 0;
}

}  // namespace

int64_t StoreOption(const void* data, uint32_t size_bytes, uint64_t value, uint64_t room) {
  int32_t size;
  if (!CopyFromGuest(&size, room, sizeof(size))) {
    return -EFAULT;
  }
  if (size < 0) {
    return -EINVAL;
  }
  const uint32_t copied = static_cast<uint32_t>(size) < size_bytes ? static_cast<uint32_t>(size) : size_bytes;
  const bool is_copied = CopyToGuest(value, data, copied) && CopyToGuest(room, &copied, sizeof(copied));
  return is_copied ? 0 : -EFAULT;
}

bool SetTimeout(File& file, int level, int option, uint64_t value, int32_t size_bytes, int64_t& result) {
  if (!IsTimeout(level, option)) {
    return false;
  }
  result = ParseTimeout(value, size_bytes, IsReceive(option) ? file.receive_timeout_ns : file.send_timeout_ns);
  return true;
}

bool GetTimeout(const File& file, int level, int option, uint64_t value, uint64_t room, int64_t& result) {
  if (!IsTimeout(level, option)) {
    return false;
  }
  const uint64_t timeout_ns = IsReceive(option) ? file.receive_timeout_ns : file.send_timeout_ns;
  Timeval time = {};
  if (timeout_ns != kNever) {
    time = {static_cast<int64_t>(timeout_ns / 1000000000), static_cast<int64_t>(timeout_ns / 1000 % kMicro)};
  }
  result = StoreOption(&time, sizeof(time), value, room);
  return true;
}

}  // namespace junction
