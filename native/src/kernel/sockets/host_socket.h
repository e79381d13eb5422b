// SPDX-License-Identifier: Apache-2.0
// Inet and netlink sockets are host sockets in an instance without a NIC (else: net_socket.h). At the host they never block (O_NONBLOCK, MSG_DONTWAIT); whether the
// guest's do is File::status_flags. An operation tries the host first and waits in the host poller on EAGAIN (host_poller.h).
//
// Descriptors stay for what such an instance has: the published port, and everything inet.
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "kernel/files/file.h"
#include "kernel/sockets/port_table.h"
#include "kernel/sockets/socket_message.h"
#include "kernel/sockets/socket_wait.h"

namespace junction {

/// File::extra of a host socket. In the arena; shared by all processes that have the socket.
struct HostSocket {
  uint16_t host_port;  // it is bound to an entry of the port table; 0 = not
  uint16_t own_port;   // UDP, bound to port 0: what the host chose is the guest's number too, and in no table
  ListNode own_port_node;
  BoundTo bound_to;
  bool is_listening;
  int32_t linger_s;  // SO_LINGER with a time: 0 = not set
  // The last read found less than it asked for, so the next one may answer EAGAIN by itself, once: the count of host writes then plus 1,
  // 0 = it may not (host_transfer.cc).
  uint64_t short_read_mark;
  uint32_t hits_in_a_row;  // reads that found bytes although the mark said that there are none
};

extern const FileOps kHostSocketOps;

inline bool IsHostSocket(const File& file) { return file.kind == FileKind::kHostStream && file.host_domain != 0; }
inline bool IsInet(const File& file) { return file.host_domain == AF_INET || file.host_domain == AF_INET6; }
inline bool IsTcp(const File& file) { return IsInet(file) && file.host_type == SOCK_STREAM; }
inline bool IsUdp(const File& file) { return IsInet(file) && file.host_type == SOCK_DGRAM; }
/// The socket's own state; null for one that came from outside, until it is bound or listens.
inline HostSocket* HostSocketOf(const File& file) { return static_cast<HostSocket*>(file.extra); }
/// The same, made if need be; null if memory is short.
HostSocket* EnsureHostSocket(File& file);

// All with the kernel lock held, released for host calls; `fd` is the file's number in the current process. -errno or a kRestart code on
// failure.

/// socket(2) of these families: the descriptor. `type` without SOCK_ flags; it and the protocol are checked before.
int64_t OpenHostSocket(int domain, int type, int protocol, uint32_t flags);
int64_t BindHostSocket(File& file, int fd, AddressBytes& address, uint32_t size_bytes);
int64_t ListenHostSocket(File& file, int fd, int backlog);
/// Parks until it is connected. `address` may be changed.
int64_t ConnectHostSocket(File& file, int fd, AddressBytes& address, uint32_t size_bytes);
/// Parks until somebody connects: the new descriptor. `size_bytes` 0 = the address is not wanted.
int64_t AcceptHostSocket(File& file, int fd, uint32_t flags, AddressBytes& address, uint32_t& size_bytes);
int64_t ShutdownHostSocket(File& file, int fd, int how);
/// getsockname and getpeername.
int64_t NameHostSocket(File& file, int fd, bool is_peer, AddressBytes& address, uint32_t& size_bytes);
int64_t SetHostOption(File& file, int fd, int level, int option, uint64_t value, int32_t size_bytes);
int64_t GetHostOption(File& file, int fd, int level, int option, uint64_t value, uint64_t room);

/// Parks until there is something, unless the socket or MSG_DONTWAIT says otherwise.
int64_t ReceiveHostSocket(File& file, int fd, SocketMessage& message);
int64_t SendHostSocket(File& file, int fd, SocketMessage& message);
/// The same for read, readv, write, writev; `flags` are MSG_*.
int64_t ReadHostSocket(File& file, int fd, GuestBuffer& to, uint32_t flags);
int64_t WriteHostSocket(File& file, int fd, GuestBuffer& from, uint32_t flags);

/// After the host's EAGAIN: 0 = try again; -EAGAIN at the deadline; -EBADF if `fd` has become another file's meanwhile.
int64_t AwaitHostSocket(File& file, int fd, PollEvents events, SocketDeadline& deadline);

/// Something of this process may have made another socket readable: no short read counts any more.
void ForgetShortReads();

}  // namespace junction
