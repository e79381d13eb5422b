// SPDX-License-Identifier: Apache-2.0
#include "run/status_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "base/json_text.h"
#include "base/parse_number.h"
#include "base/read_file.h"
#include "base/unique_fd.h"

namespace junction {

std::string StatusJson(const InstanceStatus& status) {
  std::string text;
  JsonObjectWriter json(text);
  json.String("state", status.exit ? "exited" : "running")
      .Signed("pid", status.pid)
      .Signed("monitorPid", status.monitor_pid)
      .DecimalString("startTimeTicks", status.start_time_ticks)
      .DecimalString("monitorStartTimeTicks", status.monitor_start_time_ticks)
      .DecimalString("startedAtNs", status.started_at_ns)
      .Signed("uidBase", status.owner.uid_base)
      .Signed("hostUid", status.owner.host_uid)
      .Signed("hostGid", status.owner.host_gid);
  if (!status.links_path.empty()) {
    json.String("linksPath", status.links_path);
  }
  if (status.exit) {
    json.DecimalString("exitedAtNs", status.exit->exited_at_ns)
        .Signed("exitCode", status.exit->exit_code)
        .Signed("signal", status.exit->signal)
        .Bool("oomKilled", status.exit->is_oom_killed);
    if (!status.exit->error.empty()) {
      json.String("error", status.exit->error);
    }
  }
  json.End();
  text += '\n';
  return text;
}

Result<void> WriteStatusFile(const std::string& dir, const InstanceStatus& status) {
  const std::string path = dir + "/status.json";
  const std::string temporary = path + ".new";
  const std::string text = StatusJson(status);
  const UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid() || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      rename(temporary.c_str(), path.c_str()) != 0) {
    return ErrnoError("write " + path);
  }
  return {};
}

Result<uint64_t> StartTimeTicks(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const auto stat = ReadFile(path, 4096);
  if (!stat) {
    return std::unexpected(stat.error());
  }
  // The name, field 2, may hold anything but stands in the last parentheses; field 3 follows it.
  std::string_view rest = *stat;
  rest.remove_prefix(std::min(rest.rfind(')'), rest.size() - 1) + 1);
  for (int field = 3; field <= 22; ++field) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::string_view word = rest.substr(0, rest.find(' '));
    if (field == 22) {
      if (const auto ticks = ParseNumber<uint64_t>(word)) {
        return *ticks;
      }
    }
    rest.remove_prefix(word.size());
  }
  return PlainError(path + ": no start time");
}

}  // namespace junction
