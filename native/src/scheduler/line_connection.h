// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"

namespace junction::scheduler {

/// One non-blocking connection that carries lines both ways. Bounded on both sides: a line or a backlog of answers that is
/// too long ends it.
class LineConnection {
 public:
  explicit LineConnection(UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }

  /// Reads what is there and hands over each whole line, without its end. False when the connection is over.
  bool ReadLines(const std::function<void(std::string_view)>& on_line);

  /// Adds to what is to be sent. False when the other side does not read.
  bool Send(std::string_view text);

  /// Sends what can be sent. False when the connection is over.
  bool Flush();

  bool has_output() const { return !output_.empty(); }

 private:
  UniqueFd fd_;
  std::string input_;
  std::string output_;
};

}  // namespace junction::scheduler
