// SPDX-License-Identifier: Apache-2.0
#include "run/env_file.h"

#include <algorithm>

#include "base/read_file.h"

namespace junction {
namespace {

constexpr size_t kMaxEnvFile_bytes = 4 * 1024 * 1024;  // twice what Linux passes to a new program by default

}  // namespace

Result<std::vector<std::string>> ParseEnvFile(std::string_view text) {
  std::vector<std::string> env;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\0'), text.size());
    const std::string_view entry = text.substr(0, end);
    if (const size_t equals = entry.find('='); equals == std::string_view::npos || equals == 0) {
      return PlainError("entry " + std::to_string(env.size() + 1) + " is not NAME=VALUE");
    }
    env.emplace_back(entry);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return env;
}

Result<std::vector<std::string>> ReadEnvFile(const std::string& path) {
  const auto text = ReadFile(path, kMaxEnvFile_bytes);
  if (!text) {
    return std::unexpected(text.error());
  }
  auto env = ParseEnvFile(*text);
  if (!env) {
    return PlainError(path + ": " + env.error().message);
  }
  return env;
}

}  // namespace junction
