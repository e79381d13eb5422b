// SPDX-License-Identifier: Apache-2.0
// NETLINK_ROUTE sockets of an instance with a NIC. Read first: netlink(7), rtnetlink(7); af_netlink.c and rtnetlink.c of Linux.
//
// The network is configured from outside and never changes, so there are only questions: each is answered as it is sent, into the socket's
// own queue, from which it is received. Groups may be joined; nothing is ever told to them.
#pragma once

#include <linux/netlink.h>

#include <cstdint>

#include "kernel/files/file.h"
#include "kernel/sockets/socket_message.h"

namespace junction {

/// One datagram of answers: as many messages as it holds.
struct NetlinkDatagram {
  ListNode node;
  uint32_t size_bytes;
  uint32_t reserved;
  static constexpr uint32_t kCapacity_bytes = 8192 - 24;
  uint8_t data[kCapacity_bytes];
};
static_assert(sizeof(NetlinkDatagram) == 8192);

struct NetlinkSocket {
  File file;         // must be first
  uint32_t port_id;  // nl_pid; 0 = not bound yet
  uint32_t groups;
  uint32_t peer_port_id;  // connect; only the kernel's 0 makes sense
  uint32_t peer_groups;
  uint32_t option_bits;  // NETLINK_* that are on
  uint32_t receive_buffer_bytes;
  uint32_t send_buffer_bytes;
  List datagrams;
  uint32_t datagram_count;
};

extern const FileOps kNetlinkSocketOps;

inline NetlinkSocket& NetlinkSocketOf(File& file) { return reinterpret_cast<NetlinkSocket&>(file); }

/// socket(2) for NETLINK_ROUTE: the descriptor. `type` is SOCK_RAW or SOCK_DGRAM. Kernel lock held.
int64_t OpenNetlinkSocket(int type, uint32_t flags);

/// Puts messages into a socket's queue.
class NetlinkAnswer {
 public:
  /// To `request`; of several messages with `is_multi`.
  NetlinkAnswer(NetlinkSocket& socket, const nlmsghdr& request, bool is_multi)
      : socket_(socket), request_(request), is_multi_(is_multi) {}

  /// Begins a message with its fixed part. Attributes follow, then End.
  void Begin(uint16_t type, const void* fixed, uint32_t size_bytes);
  void Attribute(uint16_t type, const void* data, uint32_t size_bytes);
  void Attribute32(uint16_t type, uint32_t value) { Attribute(type, &value, sizeof(value)); }
  void Attribute8(uint16_t type, uint8_t value) { Attribute(type, &value, sizeof(value)); }
  void AttributeText(uint16_t type, const char* text);
  void End();
  /// The end of several.
  void Done();
  /// An acknowledgement or, with `error` negative, a refusal, which quotes the request (`request_bytes` of it at `request_data`).
  void Acknowledge(int32_t error, const uint8_t* request_data, uint32_t request_bytes);

  bool has_overflowed() const { return has_overflowed_; }

 private:
  void NewDatagram();
  void Put(const void* data, uint32_t size_bytes);

  NetlinkSocket& socket_;
  const nlmsghdr request_;
  const bool is_multi_;
  bool has_overflowed_ = false;
  NetlinkDatagram* datagram_ = nullptr;
  uint32_t begun_at_ = 0;
};

/// netlink_route.cc: answers one request, `size_bytes` of payload behind its header. 0 = answered; else -errno for the acknowledgement.
int64_t AnswerRoute(NetlinkSocket& socket, const nlmsghdr& request, const uint8_t* payload, uint32_t size_bytes);

}  // namespace junction
