// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace junction {

/// A folder or file of the host that the guest is to see.
struct MountOption {
  std::string host_path;   // absolute
  std::string guest_path;  // absolute, within the guest's root
  bool is_read_only = false;
};

/// One line of the guest's /etc/hosts.
struct HostOption {
  std::string name;
  std::string address;
};

/// What the command line asks for. The table in run_options.cc says what each is for (`junction_run --help` prints it).
struct RunOptions {
  std::string config_path;
  std::vector<std::string>
      program;  // argv of the guest; program[0] is looked up in the guest's PATH if it has no slash

  std::string name;
  std::string hostname;
  std::string chroot_path;  // empty: the host's root, read-only
  bool has_read_only_root = false;
  std::vector<std::string> env;  // K=V
  std::string env_file;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t uid_base = 0x0fff0000;  // below junctiond's first range
  std::string cwd = "/";
  std::vector<MountOption> mounts;
  std::vector<HostOption> hosts;
  std::string resolv_conf;   // empty: the host's
  std::string add_to;        // --instance_dir of the instance that gets a further program; empty: a start or a clone
  bool has_attach = false;   // that program gets our stdio, else its output goes to the instance's log
  std::string clone_of;      // --instance_dir of the template; empty: a start from the program
  std::string instance_dir;  // empty: in the foreground, with the caller's stdio
  std::string control_path;  // empty: an unnamed file
  std::string notify_path;
  std::optional<uint32_t> links;  // the instance has a NIC, with an uplink and so many links
  std::string links_path;         // where peers attach; set if links is
  std::string netns_path;         // an empty network namespace; empty: one is made for each instance with a NIC
  std::string mntns_path;         // an empty mount namespace to begin with; empty: the caller's own
  std::string plan_dir;           // empty: each start scans what it loads
  std::vector<std::string> cgroup_dirs;
  uint64_t log_max_bytes = 8 * 1024 * 1024;
  uint64_t scratch_max_bytes = 512 * 1024 * 1024;
  bool has_strace = false;
  bool has_stats = false;
  std::optional<uint32_t> log_level;  // overrides the configuration's

  std::string make_mntns;  // make this --mntns file and end
  bool wants_help = false;
};

/// Reads argv[1...]. Returns all faults at once, one sentence each.
std::expected<RunOptions, std::vector<std::string>> ParseRunOptions(const std::vector<std::string>& args);

/// The text of --help.
std::string RunHelp();

}  // namespace junction
