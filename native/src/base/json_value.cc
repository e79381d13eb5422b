// SPDX-License-Identifier: Apache-2.0
#include "base/json_value.h"

#include <charconv>

namespace junction {
namespace {

constexpr int kMaxDepth = 16;

void AppendUtf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<JsonValue> ParseWhole() {
    JsonValue value;
    if (!ParseValue(value, 0)) {
      return Fault();
    }
    SkipBlanks();
    if (at_ != text_.size()) {
      fault_ = "something stands behind the value";
      return Fault();
    }
    return value;
  }

 private:
  std::unexpected<Error> Fault() const { return PlainError("JSON, byte " + std::to_string(at_) + ": " + fault_); }

  bool Fail(const char* fault) {
    fault_ = fault;
    return false;
  }

  void SkipBlanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  bool Take(char c) {
    SkipBlanks();
    if (at_ >= text_.size() || text_[at_] != c) {
      return false;
    }
    ++at_;
    return true;
  }

  bool TakeWord(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) {
      return false;
    }
    at_ += word.size();
    return true;
  }

  bool ParseValue(JsonValue& value, int depth) {
    SkipBlanks();
    if (at_ >= text_.size()) {
      return Fail("the text ends too early");
    }
    if (depth > kMaxDepth) {
      return Fail("nested too deeply");
    }
    switch (text_[at_]) {
      case '{':
        return ParseObject(value, depth);
      case '[':
        return ParseArray(value, depth);
      case '"':
        return ParseStringValue(value);
      case 't':
        return ParseWord("true", JsonValue::Storage(true), value);
      case 'f':
        return ParseWord("false", JsonValue::Storage(false), value);
      case 'n':
        return ParseWord("null", JsonValue::Storage(nullptr), value);
      default:
        return ParseInteger(value);
    }
  }

  bool ParseWord(std::string_view word, JsonValue::Storage meaning, JsonValue& value) {
    if (!TakeWord(word)) {
      return Fail("no value");
    }
    value = JsonValue(std::move(meaning));
    return true;
  }

  bool ParseInteger(JsonValue& value) {
    int64_t number = 0;
    const char* first = text_.data() + at_;
    const auto [end, code] = std::from_chars(first, text_.data() + text_.size(), number);
    if (code != std::errc{}) {
      return Fail("no value");
    }
    at_ += static_cast<size_t>(end - first);
    if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E')) {
      return Fail("not a whole number");
    }
    value = JsonValue(JsonValue::Storage(number));
    return true;
  }

  bool ParseStringValue(JsonValue& value) {
    std::string text;
    if (!ParseString(text)) {
      return false;
    }
    value = JsonValue(JsonValue::Storage(std::move(text)));
    return true;
  }

  bool ParseString(std::string& out) {
    if (!Take('"')) {
      return Fail("no string");
    }
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') {
        return true;
      }
      if (static_cast<uint8_t>(c) < 0x20) {
        return Fail("a control character in a string");
      }
      if (c != '\\') {
        out += c;
      } else if (!ParseEscape(out)) {
        return false;
      }
    }
    return Fail("a string without an end");
  }

  bool ParseEscape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (at_ >= text_.size()) {
      return Fail("a string without an end");
    }
    const char name = text_[at_++];
    if (const size_t place = kNames.find(name); place != std::string_view::npos) {
      out += kMeanings[place];
      return true;
    }
    uint32_t code = 0;
    if (name != 'u' || !ParseHex(code)) {
      return Fail("an unknown escape");
    }
    if (code >= 0xd800 && code < 0xdc00) {  // the first half of a surrogate pair
      uint32_t low = 0;
      if (!TakeWord("\\u") || !ParseHex(low) || low < 0xdc00 || low > 0xdfff) {
        return Fail("half a surrogate pair");
      }
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
      return Fail("half a surrogate pair");
    }
    AppendUtf8(out, code);
    return true;
  }

  bool ParseHex(uint32_t& code) {
    if (text_.size() - at_ < 4) {
      return false;
    }
    const char* first = text_.data() + at_;
    const auto [end, error] = std::from_chars(first, first + 4, code, 16);
    at_ += 4;
    return error == std::errc{} && end == first + 4;
  }

  bool ParseArray(JsonValue& value, int depth) {
    JsonValue::Array items;
    ++at_;
    if (!Take(']')) {
      do {
        if (!ParseValue(items.emplace_back(), depth + 1)) {
          return false;
        }
      } while (Take(','));
      if (!Take(']')) {
        return Fail("an array without an end");
      }
    }
    value = JsonValue(JsonValue::Storage(std::move(items)));
    return true;
  }

  bool ParseObject(JsonValue& value, int depth) {
    JsonValue::Object members;
    ++at_;
    if (!Take('}')) {
      do {
        auto& [key, member] = members.emplace_back();
        SkipBlanks();
        if (!ParseString(key)) {
          return false;
        }
        if (!Take(':')) {
          return Fail("a member without ':'");
        }
        if (!ParseValue(member, depth + 1)) {
          return false;
        }
      } while (Take(','));
      if (!Take('}')) {
        return Fail("an object without an end");
      }
    }
    value = JsonValue(JsonValue::Storage(std::move(members)));
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
  const char* fault_ = "";
};

}  // namespace

const JsonValue* JsonValue::Find(std::string_view key) const {
  if (const Object* object = AsObject()) {
    for (const auto& [name, value] : *object) {
      if (name == key) {
        return &value;
      }
    }
  }
  return nullptr;
}

std::optional<int64_t> JsonValue::AsInteger() const {
  const int64_t* number = std::get_if<int64_t>(&value_);
  return number == nullptr ? std::nullopt : std::optional(*number);
}

Result<JsonValue> ParseJson(std::string_view text) { return Parser(text).ParseWhole(); }

}  // namespace junction
