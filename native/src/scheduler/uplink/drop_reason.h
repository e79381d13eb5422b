// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace junction::scheduler {

/// Why the switch dropped a frame.
enum class DropReason : uint8_t {
  kMalformed,    // its headers contradict each other
  kUnsupported,  // no ARP, IPv4 or IPv6; IPv4 options; extension headers
  kSpoofed,      // a sender's MAC or address that is not the instance's own
  kMulticast,    // to many, and nothing that the switch has to pass on
  kForbidden,    // to another instance or place without leave
  kTooLong,      // for the MTU, and not to be segmented
  kOffload,      // checksum or segmentation wishes that do not fit the packet
  kFull,         // the receiver's ring has no room
  kRefused,      // the host's kernel did not take it
  kNobody,       // no such instance
};

inline constexpr size_t kDropReasons = 10;

inline constexpr std::string_view kDropReasonNames[kDropReasons] = {
    "malformed", "unsupported", "spoofed", "multicast", "forbidden", "tooLong", "offload", "full", "refused", "nobody"};

inline std::string_view Name(DropReason reason) { return kDropReasonNames[static_cast<size_t>(reason)]; }

}  // namespace junction::scheduler
