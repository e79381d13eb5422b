// SPDX-License-Identifier: Apache-2.0
#include "run/signal_dispositions.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "base/read_file.h"

namespace junction {
namespace {

constexpr size_t kMaxStatus_bytes = 16 * 1024;

uint64_t HexField(std::string_view status, std::string_view key) {
  const size_t start = status.find(key);
  if (start == std::string_view::npos) {
    return 0;
  }
  status.remove_prefix(start + key.size());
  status.remove_prefix(std::min(status.find_first_not_of(" \t"), status.size()));
  uint64_t value = 0;
  std::from_chars(status.data(), status.data() + status.size(), value, 16);
  return value;
}

}  // namespace

SignalDispositions ParseSignalDispositions(std::string_view status) {
  return {.ignored = HexField(status, "\nSigIgn:"), .caught = HexField(status, "\nSigCgt:")};
}

Result<SignalDispositions> ReadSignalDispositions(pid_t pid) {
  const auto status = ReadFile("/proc/" + std::to_string(pid) + "/status", kMaxStatus_bytes);
  if (!status) {
    return std::unexpected(status.error());
  }
  return ParseSignalDispositions(*status);
}

}  // namespace junction
