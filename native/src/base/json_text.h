// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace junction {

/// Appends `text` to `out` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD, so that the result is
/// valid JSON whatever a guest printed. At most 6 bytes come out per byte in, plus the quotes.
void AppendJsonString(std::string& out, std::string_view text);

/// Writes one flat JSON object, field by field, in the order of the calls. Keys are our own literals and are not escaped.
class JsonObjectWriter {
 public:
  explicit JsonObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  JsonObjectWriter& String(std::string_view key, std::string_view value);
  JsonObjectWriter& Unsigned(std::string_view key, uint64_t value);
  JsonObjectWriter& Signed(std::string_view key, int64_t value);
  JsonObjectWriter& Bool(std::string_view key, bool value);
  JsonObjectWriter& Null(std::string_view key);
  /// A 64-bit number as a decimal string: JavaScript's numbers hold 53 bits.
  JsonObjectWriter& DecimalString(std::string_view key, uint64_t value);
  /// `json` goes in as it is.
  JsonObjectWriter& Raw(std::string_view key, std::string_view json);
  void End() { out_ += '}'; }

 private:
  void Key(std::string_view key);
  std::string& out_;
  bool first_ = true;
};

}  // namespace junction
