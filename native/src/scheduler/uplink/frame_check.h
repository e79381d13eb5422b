// SPDX-License-Identifier: Apache-2.0
// What an instance may send. Pure: no state, no host call.
#pragma once

#include <optional>
#include <span>

#include "scheduler/uplink/addresses.h"
#include "scheduler/uplink/allow_list.h"
#include "scheduler/uplink/drop_reason.h"
#include "scheduler/uplink/frame_headers.h"

namespace junction::scheduler {

/// Who an instance is on the uplink.
struct UplinkIdentity {
  Mac mac = {};
  Ip4 ip4 = {};
  std::optional<Ip6> ip6;
  AllowList allow;
};

/// The host's end: the TAP.
struct UplinkHost {
  Mac mac = {};
  Ip4 ip4 = {};
  std::optional<Ip6> ip6;
};

/// Where a frame goes.
struct FrameRoute {
  enum class Kind : uint8_t { kDrop, kHost, kInstance };
  Kind kind = Kind::kDrop;
  DropReason reason = DropReason::kMalformed;  // of a drop
  bool is_v6 = false;                          // kInstance: by which address it is found
  Ip4 ip4 = {};
  Ip6 ip6 = {};
};

/// Judges a frame from the instance `from`: that it is who it says it is, and whether it is for the host (whose own policy is nftables',
/// nft_policy.h) or for another instance (then MayReach decides).
FrameRoute CheckFromInstance(const UplinkIdentity& from, const UplinkHost& host, std::span<const uint8_t> copy,
                             const FrameHeaders& headers);

/// Whether a frame that CheckFromInstance routed from one instance to the other may go there: by the sender's allow list, or as an answer by
/// the receiver's. No state is kept: an answer is a packet from the allowed port that does not open a TCP connection.
bool MayReach(const UplinkIdentity& from, const UplinkIdentity& to, std::span<const uint8_t> copy,
              const FrameHeaders& headers);

/// The address that an ARP request or neighbour solicitation from the host asks for; nothing if the frame is neither.
struct SoughtAddress {
  bool is_v6 = false;
  Ip4 ip4 = {};
  Ip6 ip6 = {};
};
std::optional<SoughtAddress> SoughtByHost(std::span<const uint8_t> copy, const FrameHeaders& headers);

}  // namespace junction::scheduler
