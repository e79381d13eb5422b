// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "scheduler/idle_states.h"
#include "scheduler/uplink/uplink_setup.h"

namespace junction::scheduler {

/// What the daemon is told at its start. All its files lie in one folder, the stack's run folder.
struct DaemonOptions {
  std::string socket_path;    // <run_dir>/scheduler.sock
  std::string doorbell_path;  // <run_dir>/scheduler-doorbell
  std::string registry_path;  // <run_dir>/scheduler-registry
  std::string lock_path;      // <run_dir>/scheduler-lock
  std::string events_path;    // <run_dir>/nic-events
  IdleStateOptions idle_states;
  UplinkOptions uplink;  // no device: no uplink
  uint64_t let_go_after_ms = 1000;
  uint64_t sample_every_ms = 100;  // while there is work
  bool ends_with_parent = false;
  bool is_restore_only = false;
  bool wants_help = false;
};

/// Reads argv[1...]. Returns all faults at once.
std::expected<DaemonOptions, std::vector<std::string>> ParseDaemonOptions(const std::vector<std::string>& args);

/// The text of --help.
std::string DaemonHelp();

}  // namespace junction::scheduler
