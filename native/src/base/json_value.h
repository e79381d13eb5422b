// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace junction {

/// A JSON value (RFC 8259) as our control protocols use it: numbers are whole, objects keep their order.
class JsonValue {
 public:
  using Array = std::vector<JsonValue>;
  using Object = std::vector<std::pair<std::string, JsonValue>>;
  using Storage = std::variant<std::nullptr_t, bool, int64_t, std::string, Array, Object>;

  JsonValue() = default;
  explicit JsonValue(Storage value) : value_(std::move(value)) {}

  /// The member of an object, nullptr if this is none or has no such member.
  const JsonValue* Find(std::string_view key) const;

  /// The value as the type named, nullptr or nullopt if it is of another.
  const std::string* AsString() const { return std::get_if<std::string>(&value_); }
  const Array* AsArray() const { return std::get_if<Array>(&value_); }
  const Object* AsObject() const { return std::get_if<Object>(&value_); }
  std::optional<int64_t> AsInteger() const;

 private:
  Storage value_ = nullptr;
};

/// Parses one whole JSON text. Any bytes may come in. Refuses fractions and exponents, nesting deeper than 16, half surrogate
/// pairs. Of doubled keys Find gives the first. Time and memory are linear in the text.
Result<JsonValue> ParseJson(std::string_view text);

}  // namespace junction
