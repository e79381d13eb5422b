// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "scheduler/uplink/addresses.h"

namespace junction::scheduler {

/// Who resolves names for the host, best first.
struct Resolvers {
  std::vector<Ip4> ip4;
  std::vector<Ip6> ip6;

  bool empty() const { return ip4.empty() && ip6.empty(); }
};

/// Reads a resolv.conf (resolv.conf(5)): at most the first three of its servers, as resolvers do. Link-local ones with a zone are left out.
Resolvers ReadResolvers(std::string_view resolv_conf);

/// The resolvers that instances are led to. `host` is /etc/resolv.conf's text; `upstream` that of systemd-resolved's own file with the servers
/// that it asks: its stub at 127.0.0.53 takes nothing that came by another device than lo, so that it cannot be led to. A resolver at ::1 is
/// taken for one that listens on 127.0.0.1, too: Linux cannot lead packets to ::1.
Resolvers ChooseResolvers(std::string_view host, std::string_view upstream);

}  // namespace junction::scheduler
