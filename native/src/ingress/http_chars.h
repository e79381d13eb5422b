// SPDX-License-Identifier: Apache-2.0
// Character classes of RFC 9110 section 5.6 and RFC 9112, as tables.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace junction::ingress {

namespace chars {

inline constexpr uint8_t kToken = 1;   // tchar
inline constexpr uint8_t kTarget = 2;  // anything visible, and bytes over 127 that sloppy clients send unescaped
inline constexpr uint8_t kValue = 4;   // field-content: visible, obs-text, SP, HTAB
inline constexpr uint8_t kName = 8;    // of a function: [-a-zA-Z_0-9.]
inline constexpr uint8_t kHost = 16;   // uri-host [ ":" port ]
inline constexpr uint8_t kDigit = 32;
inline constexpr uint8_t kHex = 64;

constexpr std::array<uint8_t, 256> MakeTable() {
  std::array<uint8_t, 256> table{};
  const auto add = [&table](std::string_view set, uint8_t bits) {
    for (const char c : set) {
      table[static_cast<uint8_t>(c)] |= bits;
    }
  };
  const std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const std::string_view digits = "0123456789";
  add(letters, kToken | kName | kHost);
  add(digits, kToken | kName | kHost | kDigit | kHex);
  add("abcdefABCDEF", kHex);
  add("!#$%&'*+-.^_`|~", kToken);
  add("-_.", kName);
  add("-._~%!$&'()*+,;=:[]", kHost);
  for (int c = 0; c < 256; ++c) {
    if (c > 0x20 && c != 0x7f) {
      table[c] |= kTarget;
    }
    if ((c >= 0x20 && c != 0x7f) || c == '\t') {
      table[c] |= kValue;
    }
  }
  return table;
}

inline constexpr std::array<uint8_t, 256> kTable = MakeTable();

}  // namespace chars

/// True when `c` belongs to one of the classes in `bits`.
constexpr bool IsChar(char c, uint8_t bits) { return (chars::kTable[static_cast<uint8_t>(c)] & bits) != 0; }

/// True when each character of `text` belongs to one of the classes in `bits`; true for an empty text.
constexpr bool AllChars(std::string_view text, uint8_t bits) {
  for (const char c : text) {
    if (!IsChar(c, bits)) {
      return false;
    }
  }
  return true;
}

constexpr char LowerChar(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

/// Compares ASCII letters without case; `lower` must be in lower case.
constexpr bool EqualsLower(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) {
    return false;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    if (LowerChar(text[i]) != lower[i]) {
      return false;
    }
  }
  return true;
}

/// Without the blanks (SP, HTAB) at both ends.
constexpr std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace junction::ingress
