// SPDX-License-Identifier: Apache-2.0
// Guest ports and host ports. A port that the guest binds becomes a port on the host's 127.0.0.1 which the host chose; the control block
// says which (DESIGN: "a port that the function binds is mapped to a private host port"). The same guest port keeps its host port as long
// as it can, so that the host itself decides about SO_REUSEADDR, SO_REUSEPORT and EADDRINUSE among the instance's sockets as it would
// natively.
#pragma once

#include "kernel/sockets/host_socket.h"

namespace junction {

/// Binds a TCP or UDP socket to what the guest means by `address`. 0 or -errno.
int64_t BindPort(File& file, int fd, const InetAddress& address);

/// Binds a UDP socket to a port of the host's choice: a client's socket, mostly, for which there need be no entry.
int64_t BindOwnPort(File& file, int fd, const AddressBytes& address, uint32_t size_bytes);

/// A bound TCP socket listens from now on: tells the host side. 0 or -EADDRINUSE: more listeners than the control block can tell of.
int64_t AnnounceListener(File& file, int fd);

/// The socket is gone.
void ReleasePort(const File& file);

/// Replaces a loopback or "any" target by the host's if the instance has that port, or if it is the host's own (127.0.0.2).
void TranslateTarget(const File& file, int fd, AddressBytes& address, uint32_t size_bytes);

/// The other way round, for a peer's address that the guest is told.
void ShowPeerAddress(const File& file, AddressBytes& address, uint32_t size_bytes);

/// And for a socket's own address.
void ShowOwnAddress(const File& file, AddressBytes& address, uint32_t size_bytes);

/// The host port that a socket is bound to, 0 = none.
uint16_t HostPortOf(int fd);

}  // namespace junction
