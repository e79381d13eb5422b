// SPDX-License-Identifier: Apache-2.0
#include "run/log_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/json_text.h"

namespace junction {
namespace {

// A line of kMaxLogLine_bytes grows by at most six times, and the rest of its object is less than this.
constexpr size_t kWriteAt_bytes = 64 * 1024;

}  // namespace

LogWriter::LogWriter(std::string dir, uint64_t max_file_bytes)
    : dir_(std::move(dir)), max_file_bytes_(max_file_bytes) {}

Result<LogWriter> LogWriter::Open(const std::string& dir, uint64_t max_bytes) {
  LogWriter log(dir, max_bytes / 2);
  if (!log.OpenFile()) {
    return ErrnoError("open " + dir + "/log");
  }
  return log;
}

bool LogWriter::OpenFile() {
  fd_.Reset(open((dir_ + "/log").c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat info{};
  if (!fd_.valid() || fstat(fd_.get(), &info) != 0) {
    return false;
  }
  file_bytes_ = static_cast<uint64_t>(info.st_size);
  return true;
}

void LogWriter::Append(OutputStream stream, std::string_view bytes, uint64_t now_ns) {
  std::string& partial = partial_[static_cast<size_t>(stream)];
  while (!bytes.empty()) {
    const size_t room = kMaxLogLine_bytes - partial.size();
    const size_t end = bytes.substr(0, room).find('\n');
    const bool is_line = end != std::string_view::npos;
    const size_t length = is_line ? end : std::min(room, bytes.size());
    if (is_line && partial.empty()) {
      AddLine(stream, bytes.substr(0, length), now_ns);
    } else {
      partial.append(bytes.substr(0, length));
      if (is_line || partial.size() == kMaxLogLine_bytes) {
        AddLine(stream, partial, now_ns);
        partial.clear();
      }
    }
    bytes.remove_prefix(length + (is_line ? 1 : 0));
  }
  WritePending();
}

void LogWriter::Flush(uint64_t now_ns) {
  for (const OutputStream stream : {OutputStream::kOut, OutputStream::kErr}) {
    std::string& partial = partial_[static_cast<size_t>(stream)];
    if (!partial.empty()) {
      AddLine(stream, partial, now_ns);
      partial.clear();
    }
  }
  WritePending();
}

void LogWriter::AddLine(OutputStream stream, std::string_view line, uint64_t now_ns) {
  const size_t before = pending_.size();
  JsonObjectWriter(pending_)
      .Unsigned("t", now_ns)
      .String("s", stream == OutputStream::kOut ? "out" : "err")
      .String("m", line)
      .End();
  pending_ += '\n';
  const size_t added = pending_.size() - before;
  if (file_bytes_ + pending_.size() > max_file_bytes_ && file_bytes_ + before > 0) {
    const std::string last = pending_.substr(before);
    pending_.resize(before);
    WritePending();
    Rotate();
    pending_ = last;
  }
  if (added > kWriteAt_bytes || pending_.size() > kWriteAt_bytes) {
    WritePending();
  }
}

void LogWriter::Rotate() {
  if (rename((dir_ + "/log").c_str(), (dir_ + "/log.1").c_str()) != 0 || !OpenFile()) {
    // Without a new file the old one must not grow: from here on lines are lost, and counted, until it works again.
    fd_.Reset();
  }
}

void LogWriter::WritePending() {
  if (pending_.empty()) {
    return;
  }
  if (!fd_.valid() && !OpenFile()) {
    lost_bytes_ += pending_.size();
    pending_.clear();
    return;
  }
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const ssize_t count = write(fd_.get(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      lost_bytes_ += rest.size();
      break;
    }
    file_bytes_ += static_cast<uint64_t>(count);
    rest.remove_prefix(static_cast<size_t>(count));
  }
  pending_.clear();
}

}  // namespace junction
