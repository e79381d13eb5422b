// SPDX-License-Identifier: Apache-2.0
// Socket addresses as the guest gives them, and their host counterparts on 127.0.0.1. Hostile input: copied once, then checked.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

namespace junction {

struct InetAddress {
  bool is_v6 = false;
  bool is_any = false;
  bool is_loopback = false;
  uint16_t port = 0;     // host byte order
  bool is_host = false;  // 127.0.0.2, what `gateway` resolves to: the host's own loopback
};

/// Room for any address that the kernel looks at.
using AddressBytes = uint8_t[128];

/// Reads an IPv4 or IPv6 address; false for other families and cut-off ones.
bool ParseInetAddress(const AddressBytes& bytes, uint32_t size_bytes, InetAddress& address);

/// Overwrites address and port in place: 127.0.0.1, or ::ffff:127.0.0.1 in IPv6, which the host serves on the same port.
void SetHostLoopback(AddressBytes& bytes, bool is_v6, uint16_t port);

/// Overwrites the port only.
void SetPort(AddressBytes& bytes, bool is_v6, uint16_t port);

/// Overwrites the address by "any" or by the family's own loopback.
void SetGuestAddress(AddressBytes& bytes, bool is_v6, bool is_any);

/// Size of an address of the family.
inline uint32_t InetAddressSize(bool is_v6) { return is_v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in); }

}  // namespace junction
