// SPDX-License-Identifier: Apache-2.0
// The head of an HTTP/1.x message as it lies in a connection's buffer. Read RFC 9112 sections 2 to 5 first.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace junction::ingress {

/// Fields that the ingress itself reads, drops or writes; all others pass as they are.
enum class FieldId : uint8_t {
  kOther,
  kConnection,
  kContentLength,
  kDate,
  kExpect,
  kHost,
  kKeepAlive,
  kProxyAuthenticate,
  kProxyAuthorization,
  kProxyConnection,
  kTe,
  kTraceparent,
  kTracestate,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kXCallId,
  kXDurationSeconds,
  kXForwardedFor,
  kXForwardedHost,
  kXStartTime,
};

/// Which known field a name is, whatever its case. `name` must consist of token characters.
FieldId IdentifyField(std::string_view name);

/// One field line. Offsets count from the first byte of the head.
struct HeadField {
  uint32_t line_begin;  // of the name
  uint32_t name_end;
  uint32_t value_begin;  // without surrounding blanks
  uint32_t value_end;
  uint32_t line_end;  // behind CR LF
  FieldId id;
};

/// Views into the buffer that was parsed: use it before that buffer changes. One per worker is used again and again, so
/// that `fields` allocates only until it is as large as the largest head.
struct MessageHead {
  std::string_view raw;  // the whole head, empty line included
  uint32_t fields_begin = 0;
  uint8_t version_minor = 1;  // HTTP/1.x
  // request
  std::string_view method;
  std::string_view target;
  // response
  uint16_t status = 0;
  std::string_view reason;

  std::vector<HeadField> fields;

  std::string_view Name(const HeadField& field) const {
    return raw.substr(field.line_begin, field.name_end - field.line_begin);
  }
  std::string_view Value(const HeadField& field) const {
    return raw.substr(field.value_begin, field.value_end - field.value_begin);
  }
};

/// More field lines than that are refused like a head that is too long: each costs memory of ours beyond its bytes.
inline constexpr size_t kMaxFields = 4096;

}  // namespace junction::ingress
