// SPDX-License-Identifier: Apache-2.0
// Inet sockets on the instance's own stack (kernel/net/instance_net.h): virtual files in the arena. Read first: net/socket.h,
// net/tcp_socket.h, net/udp_socket.h; for what the guest sees ip(7), ipv6(7), tcp(7), udp(7), icmp(7).
//
//   File::wait <-- OnNetEvent <-- Socket::notify     edges come from within the stack: they only wake, who waits looks by itself
//   handler --> stack's calls --> FlushNet           what a call sends goes out at its end, or before it parks
//
// Files: net_socket (the file), net_address, net_connect (bind, listen, connect, accept, names), net_stream and net_datagram (bytes),
// net_control (ancillary data), net_options, net_tcp_options, net_ip_options, net_ioctl, net_ports (what the host is told).
#pragma once

#include <cstdint>

#include "base/list.h"
#include "kernel/files/file.h"
#include "kernel/net/instance_net.h"
#include "kernel/sockets/socket_message.h"
#include "kernel/sockets/socket_wait.h"
#include "net/tcp_socket.h"
#include "net/udp_socket.h"

namespace junction {

enum class NetKind : uint8_t {
  kTcp,
  kUdp,
  kPing,  // with the functions of kUdp
};

/// `state` of struct socket in Linux, which decides what connect answers.
enum class NetState : uint8_t {
  kUnconnected,
  kConnecting,  // TCP: connect was called; the next connect tells how it went
  kConnected,
};

/// Options without a field of their own, a bit each. Those that the stack or the kernel acts on are named first.
enum class NetFlag : uint8_t {
  kTimestamp,  // SO_TIMESTAMP, SO_TIMESTAMPNS: SCM_TIMESTAMP with each message
  kTimestampNs,
  kPacketInfo,  // IP_PKTINFO, IPV6_RECVPKTINFO: where it was sent to
  kPacketInfo6,
  kReceiveTtl,    // IP_RECVTTL
  kReceiveTos,    // IP_RECVTOS
  kHopLimit,      // IPV6_RECVHOPLIMIT
  kTrafficClass,  // IPV6_RECVTCLASS
  kReceiveError6,
  kOriginalDestination,  // IP_RECVORIGDSTADDR
  // remembered
  kDontRoute,
  kOutOfBandInline,
  kNoCheck,
  kBroadcast,
  kPassCredentials,
  kOverflowCount,
  kSelectErrorQueue,
  kFreeBind,
  kBindAddressNoPort,
  kMulticastAll,
  kMulticastAll6,
  kReceiveError,
  kAutoFlowLabel,
  kRouterAlert,
  kFastOpenConnect,
  kReceiveFragmentSize,
  kKeepAlive,
};

struct NetSocket {
  File file;            // must be first
  net::TcpSocket* tcp;  // one of the two
  net::UdpSocket* udp;
  NetKind kind;
  NetState state;
  uint8_t shutdown;   // SHUT_RD = 1, SHUT_WR = 2 as bits
  bool is_bound;      // by the guest: its port stays when a connection is dissolved
  bool is_published;  // counted in the control block's ports
  bool has_multicast_loop6, has_multicast_loop4;
  uint16_t published_port;
  uint32_t flags;     // NetFlag
  ListNode all_node;  // Instance::net_sockets

  uint32_t bound_device;      // SO_BINDTODEVICE
  uint32_t multicast_device;  // IP_MULTICAST_IF, IPV6_MULTICAST_IF
  int32_t multicast_hops6;    // IPV6_MULTICAST_HOPS
  int32_t unicast_hops6;      // IPV6_UNICAST_HOPS as it was set: -1 = the default
  int32_t ttl4;               // IP_TTL likewise
  int32_t priority;
  int32_t receive_low_water;
  int32_t mtu_discover4, mtu_discover6;
  uint64_t cookie;        // SO_COOKIE, 0 = not asked for yet
  uint64_t pacing_bytes;  // SO_MAX_PACING_RATE, which nothing obeys
  linger linger_time;

  uint8_t* cork;  // datagrams: gathered by MSG_MORE, UDP_CORK; null = nothing
  uint32_t cork_bytes;
  bool is_corked;  // UDP_CORK
  bool cork_has_target;
  net::Endpoint cork_target;

  bool is_tcp() const { return kind == NetKind::kTcp; }
  bool is_v6() const { return file.host_domain == AF_INET6; }
  net::Socket& socket() const { return tcp != nullptr ? net::SocketOf(*tcp) : net::SocketOf(*udp); }
  bool Has(NetFlag flag) const { return (flags >> static_cast<int>(flag) & 1) != 0; }
  void Set(NetFlag flag, bool is_on) {
    const uint32_t bit = 1U << static_cast<int>(flag);
    flags = is_on ? flags | bit : flags & ~bit;
  }
};

extern const FileOps kNetSocketFileOps;

inline bool IsNetSocket(const File& file) { return file.kind == FileKind::kNetSocket; }
inline NetSocket& NetSocketOf(File& file) { return reinterpret_cast<NetSocket&>(file); }

// All with the kernel lock held; -errno or a kRestart code on failure. Those that park say so.

/// socket(2): the descriptor. `type` without SOCK_ flags; it and the protocol are checked before.
int64_t OpenNetSocket(int domain, int type, int protocol, uint32_t flags);
/// A fresh file around what the stack made, one reference; null if memory is short (the stack's socket stays the caller's then).
NetSocket* NewNetSocket(int domain, NetKind kind, net::TcpSocket* tcp, net::UdpSocket* udp, uint32_t status_flags);
/// The file gets a stack socket, instead of the one it had.
void AdoptTcp(NetSocket& socket, net::TcpSocket& tcp);

/// Nothing there, after the stack said so: what has been sent goes out, frames that have come are taken in once a call (`has_polled`), then it
/// parks. 0 = look again, else the call's answer: -EAGAIN (non-blocking, or the deadline), or what an interrupt makes of it.
int64_t AwaitNet(NetSocket& socket, PollEvents events, bool is_nonblocking, SocketDeadline& deadline, bool& has_polled);

// net_connect.cc
int64_t BindNet(NetSocket& socket, const AddressBytes& address, uint32_t size_bytes);
int64_t ListenNet(NetSocket& socket, int backlog);
/// Parks until it is connected, unless it is non-blocking.
int64_t ConnectNet(NetSocket& socket, const AddressBytes& address, uint32_t size_bytes);
/// Parks until somebody connects. The new descriptor.
int64_t AcceptNet(NetSocket& socket, uint32_t flags, AddressBytes& address, uint32_t& size_bytes);
int64_t ShutdownNet(NetSocket& socket, int how);
int64_t NameNet(NetSocket& socket, bool is_peer, AddressBytes& address, uint32_t& size_bytes);

// Bytes. They park.
int64_t SendStream(NetSocket& socket, SocketMessage& message);
int64_t ReceiveStream(NetSocket& socket, SocketMessage& message);
int64_t SendDatagram(NetSocket& socket, SocketMessage& message);
int64_t ReceiveDatagram(NetSocket& socket, SocketMessage& message);
/// UDP_CORK was taken off: what was gathered goes out. 0 or -errno.
int64_t PushCork(NetSocket& socket);
void DropCork(NetSocket& socket);

// Options.
int64_t SetNetOption(NetSocket& socket, int level, int option, uint64_t value, int32_t size_bytes);
int64_t GetNetOption(NetSocket& socket, int level, int option, uint64_t value, uint64_t room);
int64_t SetTcpOption(NetSocket& socket, int option, uint64_t value, int32_t size_bytes);
int64_t GetTcpOption(NetSocket& socket, int option, uint64_t value, uint64_t room);
int64_t SetIpOption(NetSocket& socket, int option, uint64_t value, int32_t size_bytes);
int64_t GetIpOption(NetSocket& socket, int option, uint64_t value, uint64_t room);
int64_t SetIp6Option(NetSocket& socket, int option, uint64_t value, int32_t size_bytes);
int64_t GetIp6Option(NetSocket& socket, int option, uint64_t value, uint64_t room);

/// The device's index by its name, as SO_BINDTODEVICE and SIOCGIFINDEX give it (16 bytes); 0 = none.
uint32_t DeviceByName(const char* name);
/// SIOCGIF…: questions about devices, which any socket answers. -ENOTTY: none of those.
int64_t DeviceIoctl(uint32_t command, uint64_t argument);

// net_ports.cc
/// A listener has come (or goes): junctiond sees it in the control block, on a port of the instance's own address.
void PublishListener(NetSocket& socket);
void WithdrawListener(NetSocket& socket);
/// In a clone, whose control block is a new one.
void PublishAllListeners();

}  // namespace junction
