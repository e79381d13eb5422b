// SPDX-License-Identifier: Apache-2.0
// Names of unix sockets. Abstract ones are in a table of the instance only; a path is a socket node in the file system, made by the host,
// and found in the same table by its device and inode: so links, renames and other working directories lead to the same socket.
#pragma once

#include "kernel/sockets/unix_socket.h"

namespace junction {

/// Checks what the guest gave as a unix address: 0 or -EINVAL.
int64_t CheckUnixAddress(const AddressBytes& address, uint32_t size_bytes);

/// The socket that an address leads to, of the right type: -ECONNREFUSED, -ENOENT, -EACCES, -EPROTOTYPE … Paths are looked up by the
/// host with the lock released. The caller links what it keeps.
int64_t FindUnixSocket(const AddressBytes& address, uint32_t size_bytes, int type, UnixSocket*& out);

/// Gives up a reference to a name. Null is fine.
void UnreferenceUnixName(UnixName* name);
/// The socket that had the name is gone: nobody finds it any more.
void RetireUnixName(UnixSocket& socket);

}  // namespace junction
