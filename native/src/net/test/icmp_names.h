// SPDX-License-Identifier: Apache-2.0
// ICMP errors as scripts name them: one meaning, both families (RFC 792, RFC 1812 section 5.2.7, RFC 4443).
#pragma once

#include "net/test/packet_spec.h"

namespace junction::net {

struct IcmpName {
  const char* name;
  uint8_t type4, code4, type6, code6;
};

inline constexpr IcmpName kIcmpNames[] = {
    {"net", 3, 0, 1, 0},        {"host", 3, 1, 1, 3},     {"protocol", 3, 2, 4, 1},   {"port", 3, 3, 1, 4},
    {"toobig", 3, 4, 2, 0},     {"admin", 3, 13, 1, 1},   {"ttl", 11, 0, 3, 0},       {"reassembly", 11, 1, 3, 1},
    {"parameter", 12, 0, 4, 0}, {"quench", 4, 0, 100, 0}, {"redirect", 5, 1, 137, 0}, {"option", 12, 0, 4, 2},
};

inline const IcmpName& FindIcmpName(const std::string& name) {
  for (const IcmpName& known : kIcmpNames) {
    if (name == known.name) {
      return known;
    }
  }
  throw ScriptError("not an ICMP error: " + name);
}

}  // namespace junction::net
