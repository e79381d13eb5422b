// SPDX-License-Identifier: Apache-2.0
#include "ingress/call_identity.h"

#include <cstring>

#include "ingress/http_chars.h"
#include "ingress/text_writer.h"

namespace junction::ingress {
namespace {

constexpr size_t kUuidLength = 36;

void WriteUuid(char* out, Rng& rng) {
  const uint64_t high = (rng.Next() & ~uint64_t{0xf000}) | 0x4000;                 // version 4
  const uint64_t low = (rng.Next() & ~(uint64_t{3} << 62)) | (uint64_t{2} << 62);  // variant 10
  TextWriter writer(out, kUuidLength);
  writer.Hex(high >> 32, 8);
  writer.Char('-');
  writer.Hex(high >> 16, 4);
  writer.Char('-');
  writer.Hex(high, 4);
  writer.Char('-');
  writer.Hex(low >> 48, 4);
  writer.Char('-');
  writer.Hex(low, 12);
}

bool IsLowerHex(std::string_view text) {
  bool has_digit = false;  // other than 0: all-zero identifiers are invalid
  for (const char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
      return false;
    }
    has_digit = has_digit || c != '0';
  }
  return has_digit;
}

}  // namespace

void CallIdentity::Take(const MessageHead& head, Rng& rng, uint64_t unix_ns) {
  TextWriter start(start_time_, sizeof(start_time_));
  start.Decimal(unix_ns);
  start_time_length_ = static_cast<uint8_t>(start.size());
  for (const HeadField& field : head.fields) {
    if (field.id == FieldId::kXCallId) {
      const std::string_view value = head.Value(field);
      if (!value.empty() && value.size() <= kMaxLength && AllChars(value, chars::kTarget)) {
        std::memcpy(id_, value.data(), value.size());
        length_ = static_cast<uint8_t>(value.size());
        return;
      }
    }
  }
  WriteUuid(id_, rng);
  length_ = kUuidLength;
}

bool IsTraceparent(std::string_view value) {
  if (value.size() < kTraceparentLength || value[2] != '-' || value[35] != '-' || value[52] != '-') {
    return false;
  }
  const std::string_view version = value.substr(0, 2);
  if (version == "ff" || (version != "00" && !IsLowerHex(version))) {
    return false;
  }
  // Version 00 has exactly these four parts; later ones may have more behind a dash.
  if (value.size() > kTraceparentLength && (version == "00" || value[kTraceparentLength] != '-')) {
    return false;
  }
  const std::string_view flags = value.substr(53, 2);
  return IsLowerHex(value.substr(3, 32)) && IsLowerHex(value.substr(36, 16)) && (flags == "00" || IsLowerHex(flags));
}

void WriteTraceparent(char* out, Rng& rng) {
  TextWriter writer(out, kTraceparentLength);
  writer.Text("00-");
  writer.Hex(rng.Next(), 16);
  writer.Hex(rng.Next() | 1, 16);  // never all zero
  writer.Char('-');
  writer.Hex(rng.Next() | 1, 16);
  writer.Text("-01");
}

}  // namespace junction::ingress
