// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "scheduler/control_protocol.h"

namespace junction::scheduler {

/// The file by which registrations outlive the daemon: "add" lines of the control protocol, rewritten as a whole by a
/// rename. junctiond is the authority; this only bridges the time until its next sync.
class Registry {
 public:
  explicit Registry(std::string path) : path_(std::move(path)) {}

  Result<void> Save(const std::vector<Registration>& instances) const;

  /// What was saved last; nothing if there is no file. Lines that cannot be read are left out.
  std::vector<Registration> Load() const;

 private:
  std::string path_;
};

}  // namespace junction::scheduler
