// SPDX-License-Identifier: Apache-2.0
#include "scheduler/registry.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>

#include "base/read_file.h"
#include "base/unique_fd.h"

namespace junction::scheduler {

Result<void> Registry::Save(const std::vector<Registration>& instances) const {
  std::string text;
  for (const Registration& instance : instances) {
    text += AddLine(instance);
  }
  const std::string temporary = path_ + ".new";
  const UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid() || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      rename(temporary.c_str(), path_.c_str()) != 0) {
    return ErrnoError("write " + path_);
  }
  return {};
}

std::vector<Registration> Registry::Load() const {
  std::vector<Registration> instances;
  const std::string text = ReadFile(path_, kMaxLine_bytes).value_or("");
  for (std::string_view rest = text; !rest.empty() && instances.size() < kMaxInstances;) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    if (auto request = ParseRequest(rest.substr(0, end)); request) {
      if (auto* add = std::get_if<AddRequest>(&*request)) {
        instances.push_back(std::move(add->instance));
      }
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return instances;
}

}  // namespace junction::scheduler
