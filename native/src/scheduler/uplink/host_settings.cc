// SPDX-License-Identifier: Apache-2.0
#include "scheduler/uplink/host_settings.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include "base/read_file.h"
#include "base/unique_fd.h"

namespace junction::scheduler {
namespace {

constexpr size_t kMaxNote_bytes = 1024 * 1024;
constexpr std::string_view kRoot = "/proc/sys/";

Result<void> Write(const std::string& path, const std::string& text, int flags) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
  if (!fd.valid() || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return ErrnoError("write " + path);
  }
  return {};
}

}  // namespace

HostSettings::HostSettings(std::string note_path) : note_path_(std::move(note_path)) {
  const std::string note = ReadFile(note_path_, kMaxNote_bytes).value_or("");
  for (std::string_view rest = note; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t blank = line.find(' ');
    // Nothing but settings is ever written to, whoever wrote the note.
    if (blank != std::string_view::npos && line.starts_with(kRoot) && line.find("..") == std::string_view::npos) {
      before_.emplace_back(line.substr(0, blank), line.substr(blank + 1));
    }
  }
}

std::string HostSettings::Get(const std::string& path) {
  std::string text = ReadFile(path, 4096).value_or("");
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

Result<void> HostSettings::Set(const std::string& path, const std::string& value) {
  if (Get(path) == value) {
    return {};
  }
  if (auto noted = Remember(path); !noted) {
    return noted;
  }
  return Write(path, value, 0);
}

Result<void> HostSettings::Remember(const std::string& path) { return Note(path, Get(path)); }

Result<void> HostSettings::Note(const std::string& path, const std::string& value) {
  if (value.empty() || std::ranges::any_of(before_, [&](const auto& entry) { return entry.first == path; })) {
    return {};
  }
  before_.emplace_back(path, value);
  std::string text;
  for (const auto& [noted, was] : before_) {
    text += noted + " " + was + "\n";
  }
  // By a rename: killed in between, the note before it is whole.
  const std::string temporary = note_path_ + ".new";
  if (auto written = Write(temporary, text, O_CREAT | O_TRUNC); !written) {
    return written;
  }
  return rename(temporary.c_str(), note_path_.c_str()) == 0 ? Result<void>{} : ErrnoError("write " + note_path_);
}

Result<void> HostSettings::Restore() {
  Result<void> result;
  for (const auto& [path, was] : before_) {
    if (access(path.c_str(), F_OK) == 0 && Get(path) != was) {
      if (auto written = Write(path, was, 0); !written && result) {
        result = written;
      }
    }
  }
  if (result) {
    Forget();
  }
  return result;
}

std::string HostSettings::Was(const std::string& path) const {
  const auto found = std::ranges::find(before_, path, &std::pair<std::string, std::string>::first);
  return found == before_.end() ? Get(path) : found->second;
}

void HostSettings::Forget() {
  before_.clear();
  unlink(note_path_.c_str());
}

}  // namespace junction::scheduler
