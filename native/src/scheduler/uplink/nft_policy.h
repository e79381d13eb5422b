// SPDX-License-Identifier: Apache-2.0
// The host's part of the uplink's policy: an nftables table of the stack's own. Read first: nft(8).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scheduler/uplink/addresses.h"
#include "scheduler/uplink/allow_list.h"

namespace junction::scheduler {

/// What the table is made from.
struct NftPolicy {
  std::string device;
  Cidr range4;
  std::optional<Cidr> range6;
  /// The host's resolvers. The first of each family answers DNS that is sent to the TAP's address; each may be asked directly.
  std::vector<Ip4> resolvers4;
  std::vector<Ip6> resolvers6;
  /// Functions reach the gateway on the host's loopback by the TAP's address; 0 = they do not.
  uint16_t gateway_port = 0;

  struct Grant {
    Ip4 ip4 = {};
    std::optional<Ip6> ip6;
    AllowList allow;

    bool operator==(const Grant&) const = default;
  };
  std::vector<Grant> grants;  // those with a list only
  /// Names of empty chains: what other stacks' daemons of this machine have to know (uplink_setup.h).
  std::vector<std::string> notes;
};

/// The table's name: junction_ and the device's name with what nft takes in a name.
std::string NftTable(const std::string& device);

/// The text for `nft -f -` that puts the whole table in place of the one before, in one transaction: connections go on.
std::string NftText(const NftPolicy& policy);

/// The text that removes the table, if there is one.
std::string NftRemoval(const std::string& device);

}  // namespace junction::scheduler
