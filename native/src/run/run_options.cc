// SPDX-License-Identifier: Apache-2.0
#include "run/run_options.h"

#include <arpa/inet.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/parse_number.h"
#include "nic/nic_layout.h"

namespace junction {
namespace {

// A fault's text, or nothing when the value was taken.
using Problem = std::optional<std::string>;

struct Option {
  std::string_view name;     // without the dashes
  std::string_view operand;  // empty: a switch
  bool is_repeatable;
  std::string_view help;
  Problem (*take)(RunOptions&, const std::string& value);
};

constexpr size_t kMaxHostname_bytes = 63;         // a DNS label; Linux allows 64
constexpr uint32_t kUidRange = 65536;             // ids of one instance
constexpr uint32_t kMaxLinks = kMaxNicPorts - 1;  // besides the uplink
constexpr uint32_t kMaxLogLevel = 7;              // as in the configuration
constexpr uint64_t kMinLog_bytes = 64 * 1024;     // two files of two lines of the greatest length

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

bool IsPlainName(const std::string& text, size_t max_bytes) {
  return !text.empty() && text.size() <= max_bytes && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), IsNameCharacter);
}

bool IsAbsolute(std::string_view path) { return path.starts_with('/'); }

template <std::string RunOptions::* field>
Problem TakeAbsolutePath(RunOptions& options, const std::string& value) {
  if (!IsAbsolute(value)) {
    return "'" + value + "' is not an absolute path";
  }
  options.*field = value;
  return std::nullopt;
}

template <std::string RunOptions::* field>
Problem TakePath(RunOptions& options, const std::string& value) {
  if (value.empty()) {
    return "the path is empty";
  }
  options.*field = value;
  return std::nullopt;
}

template <std::string RunOptions::* field, size_t max_bytes>
Problem TakeName(RunOptions& options, const std::string& value) {
  if (!IsPlainName(value, max_bytes)) {
    return "'" + value + "' is not a name of 1 to " + std::to_string(max_bytes) + " letters, digits and '-', '_', '.'";
  }
  options.*field = value;
  return std::nullopt;
}

template <bool RunOptions::* field>
Problem TakeSwitch(RunOptions& options, const std::string&) {
  options.*field = true;
  return std::nullopt;
}

template <typename T>
Problem TakeInRange(T& field, const std::string& value, T low, T high) {
  const auto number = ParseNumber<T>(value);
  if (!number || *number < low || *number > high) {
    return "'" + value + "' is not a number from " + std::to_string(low) + " to " + std::to_string(high);
  }
  field = *number;
  return std::nullopt;
}

Problem TakeEnv(RunOptions& options, const std::string& value) {
  if (const size_t equals = value.find('='); equals == std::string::npos || equals == 0) {
    return "'" + value.substr(0, value.find('=')) + "' is not NAME=VALUE";
  }
  options.env.push_back(value);
  return std::nullopt;
}

Problem TakeMount(RunOptions& options, const std::string& value) {
  MountOption mount;
  std::string_view rest = value;
  if (rest.ends_with(":ro")) {
    mount.is_read_only = true;
    rest.remove_suffix(3);
  }
  const size_t colon = rest.find(':');
  if (colon == std::string_view::npos || !IsAbsolute(rest) || !IsAbsolute(rest.substr(colon + 1)) ||
      rest.find(':', colon + 1) != std::string_view::npos) {
    return "'" + value + "' is not /HOST/DIR:/GUEST/DIR[:ro]";
  }
  mount.host_path = rest.substr(0, colon);
  mount.guest_path = rest.substr(colon + 1);
  if (mount.guest_path == "/") {
    return "the guest's root is set by --chroot_path";
  }
  options.mounts.push_back(std::move(mount));
  return std::nullopt;
}

Problem TakeHost(RunOptions& options, const std::string& value) {
  const size_t equals = value.find('=');
  in6_addr address{};
  if (equals == std::string::npos || !IsPlainName(value.substr(0, equals), 253) ||
      (inet_pton(AF_INET, value.c_str() + equals + 1, &address) != 1 &&
       inet_pton(AF_INET6, value.c_str() + equals + 1, &address) != 1)) {
    return "'" + value + "' is not NAME=IP-ADDRESS";
  }
  options.hosts.push_back({.name = value.substr(0, equals), .address = value.substr(equals + 1)});
  return std::nullopt;
}

Problem TakeCgroup(RunOptions& options, const std::string& value) {
  if (!IsAbsolute(value)) {
    return "'" + value + "' is not an absolute path";
  }
  options.cgroup_dirs.push_back(value);
  return std::nullopt;
}

Problem TakeLogLevel(RunOptions& options, const std::string& value) {
  uint32_t level = 0;
  auto problem = TakeInRange(level, value, 0U, kMaxLogLevel);
  if (!problem) {
    options.log_level = level;
  }
  return problem;
}

Problem TakeLinks(RunOptions& options, const std::string& value) {
  uint32_t links = 0;
  auto problem = TakeInRange(links, value, 0U, kMaxLinks);
  if (!problem) {
    options.links = links;
  }
  return problem;
}

constexpr Option kOptions[] = {
    {"name", "ID", false, "name of the instance in events and messages", TakeName<&RunOptions::name, 253>},
    {"hostname", "NAME", false, "the guest's host name (default: junction)",
     TakeName<&RunOptions::hostname, kMaxHostname_bytes>},
    {"chroot_path", "DIR", false, "unpacked root file system, never written to (default: the host's, read-only)",
     TakeAbsolutePath<&RunOptions::chroot_path>},
    {"read_only_root", "", false, "the guest can write to /tmp and /dev/shm only",
     TakeSwitch<&RunOptions::has_read_only_root>},
    {"env", "K=V", true, "environment variable of the guest; also -E K=V", TakeEnv},
    {"env_file", "FILE", false, "more of them, each ended by a NUL byte; read once before the start",
     TakePath<&RunOptions::env_file>},
    {"uid", "N", false, "the guest's user id (default 0)",
     [](RunOptions& o, const std::string& v) { return TakeInRange(o.uid, v, 0U, kUidRange - 1); }},
    {"gid", "N", false, "the guest's group id (default 0)",
     [](RunOptions& o, const std::string& v) { return TakeInRange(o.gid, v, 0U, kUidRange - 1); }},
    {"uid_base", "N", false, "host id of the guest's id 0; 65,536 ids from there on are the instance's",
     [](RunOptions& o, const std::string& v) { return TakeInRange(o.uid_base, v, kUidRange, 0xfffeU << 16); }},
    {"cwd", "DIR", false, "the guest's working folder (default /), made if it is missing",
     TakeAbsolutePath<&RunOptions::cwd>},
    {"mount", "HOSTDIR:GUESTDIR[:ro]", true, "show a folder or file of the host to the guest", TakeMount},
    {"host", "NAME=IP", true, "line of the guest's /etc/hosts", TakeHost},
    {"resolv_conf", "FILE", false, "the guest's /etc/resolv.conf (default: a copy of the host's)",
     TakePath<&RunOptions::resolv_conf>},
    {"clone_of", "DIR", false,
     "be a warm clone of the idle instance with this --instance_dir; program, root, user, environment are its own",
     TakePath<&RunOptions::clone_of>},
    {"add_to", "DIR", false, "run PROGRAM as a further uProc of the running instance with this --instance_dir",
     TakePath<&RunOptions::add_to>},
    {"attach", "", false, "with --add_to: stdin, stdout, stderr are the caller's, not /dev/null and the instance's log",
     TakeSwitch<&RunOptions::has_attach>},
    {"instance_dir", "DIR", false,
     "folder for log, log.1 and status.json (default: run in the foreground with the caller's stdio)",
     TakePath<&RunOptions::instance_dir>},
    {"control", "FILE", false, "where to make the shared control block", TakePath<&RunOptions::control_path>},
    {"links", "N", false,
     "the instance has a NIC with an uplink and N links; CONFIG says its addresses (default: no NIC)", TakeLinks},
    {"links_path", "SOCKET", false, "where peers of the NIC attach (default: links.sock in --instance_dir)",
     TakePath<&RunOptions::links_path>},
    {"netns", "FILE", false,
     "with --links: an empty network namespace for the instance's processes (default: a new one, which takes longer)",
     TakeAbsolutePath<&RunOptions::netns_path>},
    {"mntns", "FILE", false,
     "an empty mount namespace with a folder /stage to begin with (default: the caller's, emptied, which takes longer)",
     TakeAbsolutePath<&RunOptions::mntns_path>},
    {"plan_dir", "DIR", false, "patch plans of the image's programs, made by junction_plan",
     TakeAbsolutePath<&RunOptions::plan_dir>},
    {"notify", "SOCKET", false, "unix stream socket that gets a line of JSON per life-cycle event",
     TakePath<&RunOptions::notify_path>},
    {"cgroup", "DIR", true, "cgroup folder that the guest joins", TakeCgroup},
    {"log_max_bytes", "N", false, "greatest size of log and log.1 together (default 8388608)",
     [](RunOptions& o, const std::string& v) {
       return TakeInRange(o.log_max_bytes, v, kMinLog_bytes, uint64_t{1} << 40);
     }},
    {"scratch_max_bytes", "N", false,
     "greatest size of what the guest writes to its root, /tmp and /dev/shm (default 536870912)",
     [](RunOptions& o, const std::string& v) {
       return TakeInRange(o.scratch_max_bytes, v, uint64_t{1} << 16, uint64_t{1} << 40);
     }},
    {"strace", "", false, "print each guest syscall to stderr", TakeSwitch<&RunOptions::has_strace>},
    {"stats", "", false,
     "at the end print counts of guest syscalls, host waits, spins and frames to stderr; needs --control",
     TakeSwitch<&RunOptions::has_stats>},
    {"loglevel", "N", false, "0 (off) to 7 (all), over the configuration's log_level; nothing is logged by it yet",
     TakeLogLevel},
    {"make_mntns", "FILE", false, "make FILE an empty mount namespace for --mntns, and exit",
     TakeAbsolutePath<&RunOptions::make_mntns>},
    {"help", "", false, "print this and exit", TakeSwitch<&RunOptions::wants_help>},
};

// What a clone has of its template.
constexpr std::string_view kTemplatesOwn[] = {"hostname", "chroot_path",       "env",   "env_file", "uid",
                                              "gid",      "uid_base",          "cwd",   "mount",    "host",
                                              "plan_dir", "scratch_max_bytes", "netns", "mntns",    "resolv_conf"};

// What goes with a further program of an instance: all else is the instance's.
constexpr std::string_view kAdditionsOwn[] = {"add_to", "attach", "cwd", "env", "env_file", "name", "notify"};

const Option* FindOption(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kOptions), std::end(kOptions), [&](const Option& o) { return o.name == name; });
  return found == std::end(kOptions) ? nullptr : found;
}

// Walks over the arguments once and collects what is wrong with them.
class ArgumentReader {
 public:
  explicit ArgumentReader(const std::vector<std::string>& args) : args_(args) {}

  void ReadAll() {
    while (next_ < args_.size()) {
      const std::string& word = args_[next_++];
      if (word == "--") {
        options.program.assign(args_.begin() + static_cast<ptrdiff_t>(next_), args_.end());
        has_separator_ = true;
        break;
      }
      if (word == "-h") {
        options.wants_help = true;
      } else if (word == "-E") {
        TakeValue(*FindOption("env"), word, std::nullopt);
      } else if (word.starts_with("--")) {
        ReadLong(word);
      } else if (word.starts_with("-")) {
        faults.push_back("unknown option " + word);
      } else if (options.config_path.empty()) {
        options.config_path = word;
      } else {
        faults.push_back("'" + word + "' is too much: the program goes behind '--'");
      }
    }
    CheckWhole();
  }

  RunOptions options;
  std::vector<std::string> faults;

 private:
  void ReadLong(const std::string& word) {
    const size_t equals = word.find('=');
    std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    std::replace(name.begin(), name.end(), '-', '_');
    const Option* option = FindOption(name);
    if (option == nullptr) {
      faults.push_back("unknown option --" + name);
      return;
    }
    if (option->operand.empty()) {
      if (equals != std::string::npos) {
        faults.push_back("--" + name + " takes no value");
      }
      option->take(options, "");
      seen_.push_back(option->name);
      return;
    }
    TakeValue(*option, "--" + name,
              equals == std::string::npos ? std::nullopt : std::optional(word.substr(equals + 1)));
  }

  void TakeValue(const Option& option, const std::string& shown, std::optional<std::string> value) {
    if (!value) {
      if (next_ == args_.size() || args_[next_] == "--") {
        faults.push_back(shown + " needs a value (" + std::string(option.operand) + ")");
        return;
      }
      value = args_[next_++];
    }
    if (!option.is_repeatable && std::find(seen_.begin(), seen_.end(), option.name) != seen_.end()) {
      faults.push_back(shown + " is given twice");
    }
    seen_.push_back(option.name);
    if (auto problem = option.take(options, *value)) {
      faults.push_back(shown + ": " + *problem);
    }
  }

  void CheckWhole() {
    if (options.wants_help) {
      return;
    }
    if (!options.make_mntns.empty()) {
      if (seen_.size() > 1 || !options.config_path.empty() || has_separator_) {
        faults.push_back("--make_mntns goes alone");
      }
      return;
    }
    if (!options.add_to.empty()) {
      CheckAddition();
    } else if (options.config_path.empty()) {
      faults.push_back("the configuration file is missing");
    }
    if (options.has_attach && options.add_to.empty()) {
      faults.push_back("--attach goes with --add_to only");
    }
    if (options.has_stats && options.control_path.empty()) {
      faults.push_back("--stats needs --control");
    }
    CheckLinks();
    if (!options.clone_of.empty()) {
      CheckClone();
    } else if (options.program.empty()) {
      faults.push_back(has_separator_ ? "no program behind '--'" : "'-- program [args...]' is missing");
    } else if (options.program[0].empty()) {
      faults.push_back("the program's name is empty");
    }
  }

  void CheckLinks() {
    if (!options.links) {
      if (!options.links_path.empty() || !options.netns_path.empty()) {
        faults.push_back("--links_path and --netns go with --links only");
      }
    } else if (options.links_path.empty()) {
      if (options.instance_dir.empty()) {
        faults.push_back("--links needs --links_path or --instance_dir");
      }
      options.links_path = options.instance_dir + "/links.sock";
    }
  }

  void CheckAddition() {
    if (!options.config_path.empty()) {
      faults.push_back("'" + options.config_path + "' is too much: --add_to takes no configuration");
    }
    for (const std::string_view name : seen_) {
      if (std::find(std::begin(kAdditionsOwn), std::end(kAdditionsOwn), name) == std::end(kAdditionsOwn)) {
        faults.push_back("--" + std::string(name) + " does not go with --add_to");
      }
    }
  }

  void CheckClone() {
    if (has_separator_) {
      faults.push_back("--clone_of takes no program: it is the template's");
    }
    if (options.has_read_only_root) {
      faults.push_back("--read_only_root does not go with --clone_of: it is the template's");
    }
    for (const std::string_view name : seen_) {
      if (std::find(std::begin(kTemplatesOwn), std::end(kTemplatesOwn), name) != std::end(kTemplatesOwn)) {
        faults.push_back("--" + std::string(name) + " does not go with --clone_of: it is the template's");
      }
    }
  }

  const std::vector<std::string>& args_;
  size_t next_ = 0;
  bool has_separator_ = false;
  std::vector<std::string_view> seen_;
};

}  // namespace

std::expected<RunOptions, std::vector<std::string>> ParseRunOptions(const std::vector<std::string>& args) {
  ArgumentReader reader(args);
  reader.ReadAll();
  if (!reader.faults.empty() && !reader.options.wants_help) {
    return std::unexpected(std::move(reader.faults));
  }
  return std::move(reader.options);
}

std::string RunHelp() {
  std::string text =
      "Usage: junction_run CONFIG [options] -- PROGRAM [ARGS...]\n"
      "       junction_run CONFIG --clone_of DIR [options]\n"
      "       junction_run --make_mntns FILE\n"
      "       junction_run --add_to DIR [--attach] [--cwd DIR] [--env K=V] [--env_file FILE] -- PROGRAM [ARGS...]\n"
      "Runs PROGRAM as a Junction instance. CONFIG holds `key value` lines (Junction's format).\n\nOptions:\n";
  for (const Option& option : kOptions) {
    std::string left = "  --" + std::string(option.name);
    if (!option.operand.empty()) {
      left += " " + std::string(option.operand);
    }
    constexpr size_t kColumn = 34;
    left.resize(std::max(left.size() + 2, kColumn), ' ');
    text += left + std::string(option.help) + (option.is_repeatable ? " (repeatable)" : "") + "\n";
  }
  text +=
      "\nExit status: the guest's; 128 + n if signal n ended it; 125 if junction_run itself failed; 126 if PROGRAM\n"
      "cannot be run; 127 if it is not there.\n";
  return text;
}

}  // namespace junction
