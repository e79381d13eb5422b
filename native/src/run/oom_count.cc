// SPDX-License-Identifier: Apache-2.0
#include "run/oom_count.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/parse_number.h"

namespace junction {

OomCount::OomCount(const std::vector<std::string>& cgroup_dirs) {
  for (const std::string& dir : cgroup_dirs) {
    for (const char* file : {"/memory.oom_control", "/memory.events"}) {
      fd_.Reset(open((dir + file).c_str(), O_RDONLY | O_CLOEXEC));
      if (fd_.valid()) {
        return;
      }
    }
  }
}

uint64_t OomCount::Read() const {
  char text[512];
  const ssize_t size = fd_.valid() ? pread(fd_.get(), text, sizeof(text), 0) : 0;
  return size > 0 ? ParseOomKills(std::string_view(text, static_cast<size_t>(size))) : 0;
}

uint64_t ParseOomKills(std::string_view text) {
  constexpr std::string_view kKey = "oom_kill ";
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (text.starts_with(kKey)) {
      return ParseNumber<uint64_t>(text.substr(kKey.size(), end - kKey.size())).value_or(0);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return 0;
}

}  // namespace junction
