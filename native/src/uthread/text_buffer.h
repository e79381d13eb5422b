// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace junction {

/// Builds one line of text without libc. What does not fit is cut.
template <size_t kCapacity>
class TextBuffer {
 public:
  TextBuffer& Add(const char* text) {
    while (*text != '\0') {
      AddChar(*text++);
    }
    return *this;
  }
  TextBuffer& AddChar(char c) {
    if (size_ < kCapacity) {
      text_[size_++] = c;
    }
    return *this;
  }
  TextBuffer& AddUnsigned(uint64_t value, unsigned base = 10) {
    char digits[24];
    size_t count = 0;
    do {
      digits[count++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    while (count > 0) {
      AddChar(digits[--count]);
    }
    return *this;
  }
  TextBuffer& AddSigned(int64_t value) {
    if (value < 0) {
      AddChar('-');
      return AddUnsigned(0 - static_cast<uint64_t>(value));
    }
    return AddUnsigned(static_cast<uint64_t>(value));
  }
  TextBuffer& AddHex(uint64_t value) { return Add("0x").AddUnsigned(value, 16); }

  const char* data() const { return text_; }
  size_t size() const { return size_; }

 private:
  char text_[kCapacity];
  size_t size_ = 0;
};

}  // namespace junction
