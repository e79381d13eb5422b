// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace junction {

/// Tells junctiond what happens to an instance: one connection to its unix stream socket and one line of JSON an event.
/// Best effort by contract: who does not listen, or has no room, misses the event and reads status.json and the control
/// block instead. Never blocks. Any thread.
class Notifier {
 public:
  /// An empty path: nobody wants to know.
  explicit Notifier(std::string socket_path) : socket_path_(std::move(socket_path)) {}

  bool is_wanted() const { return !socket_path_.empty(); }

  /// `event` is a JSON object without the line's end. False if it could not be delivered.
  bool Send(std::string_view event) const;

 private:
  std::string socket_path_;
};

}  // namespace junction
