// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/check.h"

namespace junction::ingress {

/// Appends text to memory whose capacity the caller has computed; running past it is a broken invariant.
class TextWriter {
 public:
  TextWriter(char* begin, size_t capacity) : begin_(begin), at_(begin), end_(begin + capacity) {}

  size_t size() const { return static_cast<size_t>(at_ - begin_); }

  void Text(std::string_view text) {
    JUNCTION_CHECK(static_cast<size_t>(end_ - at_) >= text.size());
    if (!text.empty()) {  // an empty view may be null, which memcpy does not take
      std::memcpy(at_, text.data(), text.size());
      at_ += text.size();
    }
  }

  void Char(char c) {
    JUNCTION_CHECK(at_ < end_);
    *at_++ = c;
  }

  void Decimal(uint64_t value) {
    char digits[20];
    char* p = digits + sizeof(digits);
    do {
      *--p = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value > 0);
    Text(std::string_view(p, static_cast<size_t>(digits + sizeof(digits) - p)));
  }

  /// The lowest `digits` digits (at most 16), in lower case.
  void Hex(uint64_t value, int digits) {
    JUNCTION_CHECK(end_ - at_ >= digits && digits >= 1 && digits <= 16);
    for (int i = digits - 1; i >= 0; --i) {
      at_[i] = "0123456789abcdef"[value & 15];
      value >>= 4;
    }
    at_ += digits;
  }

  /// Seconds with six decimals.
  void Seconds(uint64_t ns) {
    Decimal(ns / 1'000'000'000);
    Char('.');
    JUNCTION_CHECK(end_ - at_ >= 6);
    uint64_t us = ns / 1'000 % 1'000'000;
    for (int i = 5; i >= 0; --i) {
      at_[i] = static_cast<char>('0' + us % 10);
      us /= 10;
    }
    at_ += 6;
  }

 private:
  char* const begin_;
  char* at_;
  char* const end_;
};

}  // namespace junction::ingress
