// SPDX-License-Identifier: Apache-2.0
#include "run/running_instance.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <optional>
#include <string_view>

#include "base/json_value.h"
#include "base/parse_number.h"
#include "base/read_file.h"
#include "run/status_file.h"

namespace junction {
namespace {

constexpr size_t kMaxStatus_bytes = 65536;

std::optional<int64_t> Integer(const JsonValue& status, std::string_view key) {
  const JsonValue* const value = status.Find(key);
  return value == nullptr ? std::nullopt : value->AsInteger();
}

std::optional<uint64_t> Ticks(const JsonValue& status) {
  const JsonValue* const value = status.Find("startTimeTicks");
  const std::string* const text = value == nullptr ? nullptr : value->AsString();
  return text == nullptr ? std::nullopt : ParseNumber<uint64_t>(*text);
}

}  // namespace

Result<RunningInstance> FindRunningInstance(const std::string& dir) {
  const std::string path = dir + "/status.json";
  const auto text = ReadFile(path, kMaxStatus_bytes);
  if (!text) {
    return std::unexpected(text.error());
  }
  const auto status = ParseJson(*text);
  if (!status) {
    return PlainError(path + ": " + status.error().message);
  }
  const JsonValue* const state = status->Find("state");
  if (state == nullptr || state->AsString() == nullptr || *state->AsString() != "running") {
    return PlainError("the instance " + dir + " does not run");
  }
  const auto pid = Integer(*status, "pid");
  const auto uid_base = Integer(*status, "uidBase");
  const auto uid = Integer(*status, "hostUid");
  const auto gid = Integer(*status, "hostGid");
  const auto ticks = Ticks(*status);
  if (!pid || !uid_base || !uid || !gid || !ticks) {
    return PlainError(path + ": not of an instance that takes requests");
  }
  RunningInstance found;
  found.pid = static_cast<pid_t>(*pid);
  found.pid_fd.Reset(static_cast<int>(syscall(SYS_pidfd_open, found.pid, 0)));
  found.uid_base = static_cast<uint32_t>(*uid_base);
  found.host_uid = static_cast<uint32_t>(*uid);
  found.host_gid = static_cast<uint32_t>(*gid);
  found.has_nic = status->Find("linksPath") != nullptr;
  // Looked at after the descriptor is there: from then on the number is nobody else's.
  const auto now = StartTimeTicks(found.pid);
  if (!found.pid_fd.valid() || !now || *now != *ticks) {
    return PlainError("the instance " + dir + " does not run any more");
  }
  return found;
}

}  // namespace junction
