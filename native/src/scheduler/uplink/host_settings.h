// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace junction::scheduler {

/// Settings of the host (files below /proc/sys) that the uplink changes, with a note of what they were before: a killed daemon's changes can be
/// put back by anyone. The note is written before each change.
class HostSettings {
 public:
  /// `note_path`: the note. What an earlier one holds is kept as what was there before.
  explicit HostSettings(std::string note_path);

  /// Makes the setting so. Nothing is noted if it is so already.
  Result<void> Set(const std::string& path, const std::string& value);

  /// Notes a setting that a change of another one changes along.
  Result<void> Remember(const std::string& path);

  /// Notes what a setting was by someone else's word.
  Result<void> Assume(const std::string& path, const std::string& was) { return Note(path, was); }

  /// What a setting is to be put back to: as noted, or else as it is.
  std::string Was(const std::string& path) const;

  /// Forgets what there was, for somebody else to put it back.
  void Forget();

  /// Whether there is anything to put back.
  bool is_empty() const { return before_.empty(); }

  /// Puts everything back, in the order in which it was noted, and removes the note. Settings that are gone are left out.
  Result<void> Restore();

  /// What a setting is, without its line's end; empty if there is none.
  static std::string Get(const std::string& path);

 private:
  Result<void> Note(const std::string& path, const std::string& value);

  std::string note_path_;
  std::vector<std::pair<std::string, std::string>> before_;
};

}  // namespace junction::scheduler
