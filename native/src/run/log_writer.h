// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/unique_fd.h"

namespace junction {

enum class OutputStream { kOut, kErr };

/// A longer line of output is cut into several.
inline constexpr size_t kMaxLogLine_bytes = 16 * 1024;

/// The log of an instance: two files, `log` and before it `log.1`, of JSON lines
/// `{"t":<unix ns>,"s":"out|err","m":"text"}`. Both together hold at most the bytes asked for; the oldest half goes when
/// they are full. One thread.
class LogWriter {
 public:
  /// Goes on behind what `dir` holds of an earlier start.
  static Result<LogWriter> Open(const std::string& dir, uint64_t max_bytes);

  /// Takes output as it comes. Whole lines go into the file at once, the rest waits for its end. Never fails: what the
  /// disk refuses is dropped and counted.
  void Append(OutputStream stream, std::string_view bytes, uint64_t now_ns);

  /// Writes what waits for the end of its line.
  void Flush(uint64_t now_ns);

  uint64_t lost_bytes() const { return lost_bytes_; }

 private:
  LogWriter(std::string dir, uint64_t max_file_bytes);
  void AddLine(OutputStream stream, std::string_view line, uint64_t now_ns);
  void WritePending();
  void Rotate();
  bool OpenFile();

  std::string dir_;
  uint64_t max_file_bytes_;
  UniqueFd fd_;
  uint64_t file_bytes_ = 0;
  std::string partial_[2];  // by stream
  std::string pending_;     // JSON lines not yet in the file
  uint64_t lost_bytes_ = 0;
};

}  // namespace junction
