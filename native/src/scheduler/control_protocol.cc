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
constexpr size_t kMaxAddress_bytes = 64;
constexpr int64_t kMaxInstanceNumber = (1 << 24) - 1;  // kMaxEventInstance (nic/event_queue.h)

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

// An address or the like, read by `parse`.
template <typename T>
Result<T> AddressMember(const JsonValue& object, std::string_view key, std::optional<T> (*parse)(std::string_view)) {
  const auto text = TextMember(object, key, kMaxAddress_bytes);
  if (!text) {
    return std::unexpected(text.error());
  }
  const auto address = parse(*text);
  return address ? Result<T>(*address) : PlainError(std::string(key) + ": '" + *text + "' is none");
}

// As above, into a field that may stay empty.
template <typename T>
Result<void> TakeAddress(std::optional<T>& field, const JsonValue& object, std::string_view key,
                         std::optional<T> (*parse)(std::string_view)) {
  if (object.Find(key) == nullptr) {
    return {};
  }
  const auto address = AddressMember<T>(object, key, parse);
  if (!address) {
    return std::unexpected(address.error());
  }
  field = *address;
  return {};
}

Result<AllowList> ParseAllowList(const JsonValue& object) {
  const JsonValue* member = object.Find("allow");
  if (member == nullptr) {
    return AllowList{};
  }
  const JsonValue::Array* list = member->AsArray();
  if (list == nullptr || list->size() > kMaxAllows) {
    return PlainError("allow: a list of at most " + std::to_string(kMaxAllows) + " is needed");
  }
  AllowList allows;
  for (const JsonValue& item : *list) {
    const auto to = AddressMember<Cidr>(item, "to", ParseCidr);
    const auto port = item.Find("port") == nullptr ? Result<int64_t>(0) : NumberMember(item, "port", 0, 65535);
    if (!to || !port) {
      return PlainError("allow: " + (to ? port.error() : to.error()).message);
    }
    allows.push_back({.to = *to, .port = static_cast<uint16_t>(*port)});
  }
  return allows;
}

// What puts an instance on the uplink.
Result<void> ParseNic(const JsonValue& object, Registration& registration) {
  auto path = TextMember(object, "linksPath", kMaxPath_bytes);
  if (!path) {
    return std::unexpected(path.error());
  }
  registration.links_path = std::move(*path);
  const auto ip4 = AddressMember<Ip4>(object, "ip", ParseIp4);
  if (!ip4) {
    return std::unexpected(ip4.error());
  }
  registration.ip4 = *ip4;
  if (auto taken = TakeAddress(registration.ip6, object, "ip6", &ParseIp6); !taken) {
    return taken;
  }
  if (auto taken = TakeAddress(registration.mac, object, "mac", &ParseMac); !taken) {
    return taken;
  }
  auto allow = ParseAllowList(object);
  if (!allow) {
    return std::unexpected(allow.error());
  }
  registration.allow = std::move(*allow);
  return {};
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
  Registration registration;
  registration.id = std::move(*id);
  registration.control_path = std::move(*path);
  registration.pid = static_cast<pid_t>(*pid);
  registration.core_limit = static_cast<uint32_t>(*core_limit);
  if (object.Find("number") != nullptr) {
    const auto number = NumberMember(object, "number", 0, kMaxInstanceNumber);
    if (!number) {
      return std::unexpected(number.error());
    }
    registration.number = static_cast<uint32_t>(*number);
  }
  if (object.Find("linksPath") != nullptr) {
    if (auto parsed = ParseNic(object, registration); !parsed) {
      return std::unexpected(parsed.error());
    }
  }
  return registration;
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

namespace {

std::string AllowJson(const AllowList& allow) {
  std::string text;
  for (const Allow& entry : allow) {
    text += text.empty() ? "[" : ",";
    JsonObjectWriter(text).String("to", Text(entry.to)).Unsigned("port", entry.port).End();
  }
  return text + "]";
}

}  // namespace

std::string AddLine(const Registration& instance) {
  std::string line;
  JsonObjectWriter json(line);
  json.String("op", "add")
      .String("id", instance.id)
      .String("control", instance.control_path)
      .Signed("pid", instance.pid)
      .Unsigned("coreLimit", instance.core_limit);
  if (instance.number) {
    json.Unsigned("number", *instance.number);
  }
  if (!instance.links_path.empty()) {
    json.String("linksPath", instance.links_path).String("ip", Text(instance.ip4));
    if (instance.ip6) {
      json.String("ip6", Text(*instance.ip6));
    }
    if (instance.mac) {
      json.String("mac", Text(*instance.mac));
    }
    if (!instance.allow.empty()) {
      json.Raw("allow", AllowJson(instance.allow));
    }
  }
  json.End();
  return line + "\n";
}

}  // namespace junction::scheduler
