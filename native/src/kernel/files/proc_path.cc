// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/proc_path.h"

#include <cstdint>

namespace junction {
namespace {

using Kind = ProcPath::Kind;

// Reads a path from left to right.
class Cursor {
 public:
  explicit Cursor(const char* text) : text_(text) {}

  bool Skip(const char* prefix) {
    const char* at = text_;
    while (*prefix != '\0') {
      if (*at++ != *prefix++) {
        return false;
      }
    }
    text_ = at;
    return true;
  }
  bool SkipLast(const char* rest) {
    const char* const before = text_;
    if (Skip(rest) && *text_ == '\0') {
      return true;
    }
    text_ = before;
    return false;
  }
  // A number without leading zeros, as procfs names them.
  bool SkipNumber(int32_t* value) {
    const char* at = text_;
    int64_t number = 0;
    while (*at >= '0' && *at <= '9' && number <= INT32_MAX) {
      number = number * 10 + (*at++ - '0');
    }
    const bool is_padded = *text_ == '0' && at != text_ + 1;
    if (at == text_ || number > INT32_MAX || is_padded) {
      return false;
    }
    *value = static_cast<int32_t>(number);
    text_ = at;
    return true;
  }
  bool is_at_end() const { return *text_ == '\0'; }

 private:
  const char* text_;
};

ProcPath ParseDevice(Cursor cursor) {
  ProcPath path;
  if (cursor.SkipLast("stdin")) {
    return {Kind::kStdio, 0, 0};
  }
  if (cursor.SkipLast("stdout")) {
    return {Kind::kStdio, 0, 1};
  }
  if (cursor.SkipLast("stderr")) {
    return {Kind::kStdio, 0, 2};
  }
  if (cursor.SkipLast("fd") || cursor.SkipLast("fd/")) {
    path.kind = Kind::kFds;
  } else if (cursor.Skip("fd/") && cursor.SkipNumber(&path.fd) && cursor.is_at_end()) {
    path.kind = Kind::kFd;
  }
  return path;
}

// In the order of ProcNet.
constexpr const char* kNetFiles[] = {"arp",      "dev",       "if_inet6", "netstat", "route", "snmp",
                                     "sockstat", "sockstat6", "tcp",      "tcp6",    "udp",   "udp6"};

ProcPath ParseNet(Cursor cursor) {
  ProcPath path;
  uint8_t index = 0;
  for (const char* const name : kNetFiles) {
    if (cursor.SkipLast(name)) {
      path.kind = Kind::kNet;
      path.net = static_cast<ProcNet>(index);
    }
    ++index;
  }
  return path;
}

ProcPath ParseProcess(Cursor cursor) {
  ProcPath path;
  if (cursor.Skip("net/")) {
    return ParseNet(cursor);
  }
  if (!cursor.Skip("self/") && !cursor.Skip("thread-self/") && !(cursor.SkipNumber(&path.pid) && cursor.Skip("/"))) {
    return path;
  }
  if (cursor.Skip("net/")) {
    return ParseNet(cursor);  // all processes have the same
  }
  if (cursor.SkipLast("exe")) {
    path.kind = Kind::kExe;
  } else if (cursor.SkipLast("maps")) {
    path.kind = Kind::kMaps;
  } else if (cursor.SkipLast("fd") || cursor.SkipLast("fd/")) {
    path.kind = Kind::kFds;
  } else if (cursor.Skip("fd/") && cursor.SkipNumber(&path.fd) && cursor.is_at_end()) {
    path.kind = Kind::kFd;
  }
  return path;
}

}  // namespace

ProcPath ParseProcPath(const char* text) {
  Cursor cursor(text);
  if (cursor.Skip("/proc/")) {
    return ParseProcess(cursor);
  }
  return cursor.Skip("/dev/") ? ParseDevice(cursor) : ProcPath{};
}

}  // namespace junction
