// SPDX-License-Identifier: Apache-2.0
#include "scheduler/control_protocol.h"

#include <limits>
#include <optional>
#include <utility>

#include "base/json_text.h"
#include "base/json_value.h"

namespace junction::scheduler {
namespace {

constexpr size_t kMaxId_bytes = 253;
constexpr size_t kMaxPath_bytes = 4095;

Result<std::string> TextMember(const JsonValue& object, std::string_view key, size_t max_bytes) {
  const JsonValue* member = object.Find(key);
  const std::string* text = member == nullptr ? nullptr : member->AsString();
  if (text == nullptr || text->empty() || text->size() > max_bytes || text->find('\0') != std::string::npos) {
    return PlainError(std::string(key) + ": a text of 1 to " + std::to_string(max_bytes) + " bytes is needed");
  }
  return *text;
}

Result<int64_t> NumberMember(const JsonValue& object, std::string_view key, int64_t low, int64_t high) {
  const JsonValue* member = object.Find(key);
  const auto number = member == nullptr ? std::nullopt : member->AsInteger();
  if (!number || *number < low || *number > high) {
    return PlainError(std::string(key) + ": a number from " + std::to_string(low) + " to " + std::to_string(high) +
                      " is needed");
  }
  return *number;
}

Result<Registration> ParseInstance(const JsonValue& object) {
  auto id = TextMember(object, "id", kMaxId_bytes);
  if (!id) {
    return std::unexpected(id.error());
  }
  auto path = TextMember(object, "control", kMaxPath_bytes);
  if (!path) {
    return std::unexpected(path.error());
  }
  const auto pid = NumberMember(object, "pid", 0, std::numeric_limits<pid_t>::max());
  if (!pid) {
    return std::unexpected(pid.error());
  }
  const auto core_limit = NumberMember(object, "coreLimit", 1, kMaxCoreLimit);
  if (!core_limit) {
    return std::unexpected(core_limit.error());
  }
  return Registration{.id = std::move(*id),
                      .control_path = std::move(*path),
                      .pid = static_cast<pid_t>(*pid),
                      .core_limit = static_cast<uint32_t>(*core_limit)};
}

Result<Request> ParseSync(const JsonValue& object) {
  const JsonValue* member = object.Find("instances");
  const JsonValue::Array* list = member == nullptr ? nullptr : member->AsArray();
  if (list == nullptr || list->size() > kMaxInstances) {
    return PlainError("instances: a list of at most " + std::to_string(kMaxInstances) + " is needed");
  }
  SyncRequest request;
  for (const JsonValue& item : *list) {
    auto instance = ParseInstance(item);
    if (!instance) {
      return std::unexpected(instance.error());
    }
    request.instances.push_back(std::move(*instance));
  }
  return request;
}

Result<Request> ParseAdd(const JsonValue& object) {
  auto instance = ParseInstance(object);
  if (!instance) {
    return std::unexpected(instance.error());
  }
  return AddRequest{std::move(*instance)};
}

Result<Request> ParseUpdate(const JsonValue& object) {
  auto id = TextMember(object, "id", kMaxId_bytes);
  if (!id) {
    return std::unexpected(id.error());
  }
  const auto core_limit = NumberMember(object, "coreLimit", 1, kMaxCoreLimit);
  if (!core_limit) {
    return std::unexpected(core_limit.error());
  }
  return UpdateRequest{.id = std::move(*id), .core_limit = static_cast<uint32_t>(*core_limit)};
}

Result<Request> ParseRemove(const JsonValue& object) {
  auto id = TextMember(object, "id", kMaxId_bytes);
  if (!id) {
    return std::unexpected(id.error());
  }
  return RemoveRequest{std::move(*id)};
}

Result<Request> ParseStats(const JsonValue&) { return StatsRequest{}; }

struct Operation {
  std::string_view name;
  Result<Request> (*parse)(const JsonValue&);
};

constexpr Operation kOperations[] = {
    {"sync", ParseSync}, {"add", ParseAdd}, {"update", ParseUpdate}, {"remove", ParseRemove}, {"stats", ParseStats},
};

}  // namespace

Result<Request> ParseRequest(std::string_view line) {
  const auto object = ParseJson(line);
  if (!object) {
    return std::unexpected(object.error());
  }
  const JsonValue* op = object->Find("op");
  const std::string* name = op == nullptr ? nullptr : op->AsString();
  for (const Operation& operation : kOperations) {
    if (name != nullptr && operation.name == *name) {
      auto request = operation.parse(*object);
      if (!request) {
        return PlainError(*name + ": " + request.error().message);
      }
      return request;
    }
  }
  return PlainError("op: one of sync, add, update, remove, stats is needed");
}

std::string ErrorLine(std::string_view message) {
  std::string line;
  JsonObjectWriter(line).String("error", message).End();
  return line + "\n";
}

std::string AddLine(const Registration& instance) {
  std::string line;
  JsonObjectWriter(line)
      .String("op", "add")
      .String("id", instance.id)
      .String("control", instance.control_path)
      .Signed("pid", instance.pid)
      .Unsigned("coreLimit", instance.core_limit)
      .End();
  return line + "\n";
}

}  // namespace junction::scheduler
