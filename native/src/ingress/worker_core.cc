// SPDX-License-Identifier: Apache-2.0
#include "ingress/worker_core.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace junction::ingress {

std::string_view DateText::Get(uint64_t unix_ns) {
  constexpr size_t kLength = 29;  // IMF-fixdate, RFC 9110 section 5.6.7
  const uint64_t second = unix_ns / 1'000'000'000;
  if (second != second_) {
    second_ = second;
    const time_t time = static_cast<time_t>(second);
    tm parts;
    gmtime_r(&time, &parts);
    // Not strftime's %a and %b: they follow the locale of the process.
    constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
    constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    strftime(text_, sizeof(text_), "..., %d ... %Y %H:%M:%S GMT", &parts);
    std::memcpy(text_, kDays.data() + parts.tm_wday * 3, 3);
    std::memcpy(text_ + 8, kMonths.data() + parts.tm_mon * 3, 3);
  }
  return {text_, kLength};
}

uint64_t UnixNs() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

ReadResult ReadOnce(int fd, Buffer& buffer, bool& readable, bool peer_closed) {
  for (;;) {
    const size_t space = buffer.space();
    const ssize_t got = recv(fd, buffer.data() + buffer.end, space, 0);
    if (got > 0) {
      buffer.end += static_cast<uint32_t>(got);
      if (static_cast<size_t>(got) < space && !peer_closed) {
        readable = false;
      }
      return ReadResult::kData;
    }
    if (got == 0) {
      return ReadResult::kEnd;
    }
    if (errno == EAGAIN) {
      readable = false;
      return ReadResult::kBlocked;
    }
    if (errno != EINTR) {
      return ReadResult::kFailed;
    }
  }
}

}  // namespace junction::ingress
