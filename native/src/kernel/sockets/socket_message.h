// SPDX-License-Identifier: Apache-2.0
// One send or receive, whichever of the many calls it came by. Read first: recvmsg(2), cmsg(3), struct user_msghdr in Linux.
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "kernel/guest/guest_buffer.h"
#include "kernel/sockets/socket_address.h"

namespace junction {

/// A message on its way between the guest and a socket. Guest pointers in it are unchecked.
struct SocketMessage {
  GuestBuffer data{0, 0};
  uint64_t control = 0;             // guest address of ancillary data; 0 = none
  uint64_t control_size_bytes = 0;  // its size; after a receive: what was filled in
  uint32_t flags = 0;               // MSG_* that the guest asks for
  uint32_t result_flags = 0;        // MSG_* that it is told (msg_flags)
  uint32_t name_size_bytes = 0;     // send: 0 = no address; receive: the sender's, 0 = none
  bool wants_name = false;          // receive: look for the sender's address
  bool wants_flags = false;         // receive: result_flags are of interest
  AddressBytes name;                // valid for name_size_bytes

  bool Has(int flag) const { return (flags & static_cast<uint32_t>(flag)) != 0; }
};

}  // namespace junction
