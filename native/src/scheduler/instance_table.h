// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "scheduler/control_protocol.h"

namespace junction::scheduler {

/// What the last sample found of an instance.
struct InstanceActivity {
  uint64_t guest_syscalls = 0;
  uint32_t threads = 0;
  bool is_active = false;       // its counters moved since the sample before
  uint64_t last_active_ns = 0;  // since 1970; 0: never seen active
  std::string fault;            // why the control block could not be read; empty if it could
};

/// The registered instances and their activity. One thread.
class InstanceTable {
 public:
  struct Entry {
    Registration registration;
    InstanceActivity activity;
    UniqueFd control;
  };

  /// False if the table is full.
  bool Add(const Registration& instance);

  /// False if there is no such instance.
  bool Update(const std::string& id, uint32_t core_limit);
  bool Remove(const std::string& id);

  /// Makes `instances` the whole set. Who stays keeps the activity seen so far.
  void Sync(const std::vector<Registration>& instances);

  /// Reads all control blocks. An instance's block is untrusted: whatever it holds, only its own entry shows it.
  void Sample(uint64_t now_ns);

  const std::map<std::string, Entry>& entries() const { return entries_; }

 private:
  std::map<std::string, Entry> entries_;
};

}  // namespace junction::scheduler
