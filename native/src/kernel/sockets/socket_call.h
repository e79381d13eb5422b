// SPDX-License-Identifier: Apache-2.0
// What the handlers of socket calls share, and the one place where they differ by kind of socket: SocketOpsOf.
#pragma once

#include "kernel/files/file.h"
#include "kernel/sockets/socket_message.h"

namespace junction {

/// The calls of one kind of socket. Kernel lock held; those that may wait park. `fd` is the file's number in the current process.
/// -errno or a kRestart code on failure.
struct SocketOps {
  /// `size_bytes` of the address are the guest's; its family is zero where it has none. connect may change it.
  int64_t (*bind)(File& file, int fd, AddressBytes& address, uint32_t size_bytes);
  int64_t (*listen)(File& file, int fd, int backlog);
  int64_t (*connect)(File& file, int fd, AddressBytes& address, uint32_t size_bytes);
  /// The new descriptor. `flags` are SOCK_*; `size_bytes` 0 = the peer's address is not wanted, else it is filled in.
  int64_t (*accept)(File& file, int fd, uint32_t flags, AddressBytes& address, uint32_t& size_bytes);
  int64_t (*shutdown)(File& file, int fd, int how);
  /// getsockname and getpeername.
  int64_t (*name)(File& file, int fd, bool is_peer, AddressBytes& address, uint32_t& size_bytes);
  /// `value` is the guest's address of the option's value; `room` of its size.
  int64_t (*set_option)(File& file, int fd, int level, int option, uint64_t value, int32_t size_bytes);
  int64_t (*get_option)(File& file, int fd, int level, int option, uint64_t value, uint64_t room);
  int64_t (*send)(File& file, int fd, SocketMessage& message);
  int64_t (*receive)(File& file, int fd, SocketMessage& message);
};

extern const SocketOps kUnixCalls;     // unix_calls.cc: in the arena
extern const SocketOps kHostCalls;     // host_socket.cc: inet and netlink of the host, where there is no NIC
extern const SocketOps kNetCalls;      // net_socket.cc: inet on the instance's own stack
extern const SocketOps kNetlinkCalls;  // netlink_socket.cc: questions about that stack

/// Null: the file is no socket.
const SocketOps* SocketOpsOf(const File& file);

/// The socket of a descriptor; null with `error` -EBADF or -ENOTSOCK.
File* FindSocket(int fd, int64_t& error);

/// Copies a socket address in: 0, -EINVAL, -EFAULT. The family's two bytes are zero if the address has none.
int64_t CopyAddressFromGuest(uint64_t from, int32_t size_bytes, AddressBytes& address);

/// Hands an address to the guest as getsockname does: cut to its room (an int32 at `room`), the true size told. 0, -EFAULT, -EINVAL.
int64_t StoreAddress(const AddressBytes& address, uint32_t size_bytes, uint64_t to, uint64_t room);

inline uint16_t FamilyOf(const AddressBytes& address) {
  uint16_t family;
  __builtin_memcpy(&family, address, sizeof(family));
  return family;
}

}  // namespace junction
