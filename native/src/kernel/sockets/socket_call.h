// SPDX-License-Identifier: Apache-2.0
// What the handlers of socket calls share.
#pragma once

#include "kernel/files/file.h"
#include "kernel/sockets/socket_message.h"

namespace junction {

/// The socket of a descriptor; null with `error` -EBADF or -ENOTSOCK.
File* FindSocket(int fd, int64_t& error);

/// Copies a socket address in: 0, -EINVAL, -EFAULT. The family's two bytes are zero if the address has none.
int64_t CopyAddressFromGuest(uint64_t from, int32_t size_bytes, AddressBytes& address);

/// Hands an address to the guest as getsockname does: cut to its room (an int32 at `room`), the true size told. 0, -EFAULT, -EINVAL.
int64_t StoreAddress(const AddressBytes& address, uint32_t size_bytes, uint64_t to, uint64_t room);

}  // namespace junction
