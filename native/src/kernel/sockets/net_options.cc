// SPDX-License-Identifier: Apache-2.0
// Options of inet sockets at the level SOL_SOCKET (and IPPROTO_UDP). Read first: socket(7); sk_setsockopt and sk_getsockopt of Linux'
// net/core/sock.c. tcp and ip levels: net_tcp_options.cc, net_ip_options.cc.
#include <asm/socket.h>
#include <netinet/in.h>
#include <poll.h>

#include <cstring>

#include "kernel/sockets/net_address.h"
#include "kernel/sockets/net_option_value.h"
#include "kernel/sockets/net_socket.h"

namespace junction {
namespace {

constexpr uint32_t kDeviceName_bytes = 16;    // IFNAMSIZ
constexpr int32_t kHighestPriority = 6;       // more needs CAP_NET_ADMIN
constexpr int kUdpCork = 1;                   // UDP_CORK
constexpr uint32_t kMinReceive_bytes = 2304;  // SOCK_MIN_RCVBUF
constexpr uint32_t kMinSend_bytes = 4608;     // SOCK_MIN_SNDBUF

// Remembered for getsockopt; what acts on them looks at the flag.
struct FlagOption {
  int option;
  NetFlag flag;
};
constexpr FlagOption kFlagOptions[] = {
    {SO_DONTROUTE, NetFlag::kDontRoute},    {SO_OOBINLINE, NetFlag::kOutOfBandInline},
    {SO_NO_CHECK, NetFlag::kNoCheck},       {SO_PASSCRED, NetFlag::kPassCredentials},
    {SO_RXQ_OVFL, NetFlag::kOverflowCount}, {SO_SELECT_ERR_QUEUE, NetFlag::kSelectErrorQueue},
};

const FlagOption* FindFlag(int option) {
  for (const FlagOption& entry : kFlagOptions) {
    if (entry.option == option) {
      return &entry;
    }
  }
  return nullptr;
}

// net.core.rmem_max and wmem_max: more is cut, the FORCE variants included (they need CAP_NET_ADMIN for more).
uint32_t BufferSize(int32_t wanted) {
  constexpr uint32_t kMost_bytes = 4 * 1024 * 1024;
  const auto size = static_cast<uint32_t>(wanted);
  return size < kMost_bytes ? size : kMost_bytes;
}

void SetReceiveBuffer(NetSocket& socket, int32_t wanted) {
  if (socket.is_tcp()) {
    net::SetTcpReceiveBuffer(*socket.tcp, BufferSize(wanted));
  } else {
    const uint32_t doubled = 2 * BufferSize(wanted);
    net::SetUdpBuffers(*socket.udp, doubled < kMinReceive_bytes ? kMinReceive_bytes : doubled,
                       net::UdpSendBuffer_bytes(*socket.udp));
  }
}

void SetSendBuffer(NetSocket& socket, int32_t wanted) {
  if (socket.is_tcp()) {
    net::SetTcpSendBuffer(*socket.tcp, BufferSize(wanted));
  } else {
    const uint32_t doubled = 2 * BufferSize(wanted);
    net::SetUdpBuffers(*socket.udp, net::UdpReceiveBuffer_bytes(*socket.udp),
                       doubled < kMinSend_bytes ? kMinSend_bytes : doubled);
  }
  socket.file.wait.Wake(POLLOUT);
}

int32_t ReceiveBuffer(const NetSocket& socket) {
  return static_cast<int32_t>(socket.is_tcp() ? net::TcpReceiveBuffer_bytes(*socket.tcp)
                                              : net::UdpReceiveBuffer_bytes(*socket.udp));
}

int32_t SendBuffer(const NetSocket& socket) {
  return static_cast<int32_t>(socket.is_tcp() ? net::TcpSendBuffer_bytes(*socket.tcp)
                                              : net::UdpSendBuffer_bytes(*socket.udp));
}

int64_t SetLinger(NetSocket& socket, uint64_t value, int32_t size) {
  linger wanted;
  if (size < static_cast<int32_t>(sizeof(wanted))) {
    return -EINVAL;
  }
  if (!CopyFromGuest(&wanted, value, sizeof(wanted))) {
    return -EFAULT;
  }
  const bool is_on = wanted.l_onoff != 0;
  constexpr int kLongest_s = 1 << 20;  // a time that no uint32 of the stack overflows by
  const int seconds = wanted.l_linger < 0 || wanted.l_linger > kLongest_s ? kLongest_s : wanted.l_linger;
  socket.linger_time = {is_on ? 1 : 0, is_on ? seconds : socket.linger_time.l_linger};
  if (socket.is_tcp()) {
    net::OptionsOf(*socket.tcp).lingers = is_on;
    net::OptionsOf(*socket.tcp).linger_s = static_cast<uint32_t>(socket.linger_time.l_linger);
  }
  return 0;
}

int64_t BindToIndex(NetSocket& socket, uint32_t index) {
  if (index != 0 && net::FindDevice(InstanceStack(), index) == nullptr) {
    return -ENODEV;
  }
  socket.bound_device = index;
  socket.socket().device_index = index;
  return 0;
}

// SO_BINDTODEVICE: a name, or nothing to undo it. Once bound, only CAP_NET_RAW may change it.
int64_t BindToDevice(NetSocket& socket, uint64_t value, int32_t size) {
  char name[kDeviceName_bytes] = {};
  const auto room = static_cast<int32_t>(sizeof(name) - 1);
  if (!CopyFromGuest(name, value, static_cast<size_t>(size < room ? size : room))) {
    return -EFAULT;
  }
  if (socket.bound_device != 0) {
    return -EPERM;
  }
  if (name[0] == '\0') {
    return 0;
  }
  const uint32_t index = DeviceByName(name);
  return index == 0 ? -ENODEV : BindToIndex(socket, index);
}

int64_t StoreDeviceName(const NetSocket& socket, uint64_t value, uint64_t room) {
  int32_t size;
  if (!CopyFromGuest(&size, room, sizeof(size))) {
    return -EFAULT;
  }
  const net::Device* const device =
      socket.bound_device == 0 ? nullptr : net::FindDevice(InstanceStack(), socket.bound_device);
  if (device == nullptr) {
    const int32_t none = 0;
    return CopyToGuest(room, &none, sizeof(none)) ? 0 : -EFAULT;
  }
  if (size < static_cast<int32_t>(kDeviceName_bytes)) {
    return -EINVAL;
  }
  const auto length = static_cast<uint32_t>(std::strlen(device->name)) + 1;
  return StoreOption(device->name, length, value, room);
}

void SetKeepAlive(NetSocket& socket, bool is_on) {
  if (socket.is_tcp()) {
    net::OptionsOf(*socket.tcp).has_keep_alive = is_on;
    net::TcpOptionsChanged(*socket.tcp, NetNow_ns());
  } else {
    socket.Set(NetFlag::kKeepAlive, is_on);  // remembered
  }
}

void SetTimestamp(NetSocket& socket, NetFlag flag, bool is_on) {
  socket.Set(NetFlag::kTimestamp, is_on && flag == NetFlag::kTimestamp);
  socket.Set(NetFlag::kTimestampNs, is_on && flag == NetFlag::kTimestampNs);
}

int64_t SetSocketInt(NetSocket& socket, int option, int32_t number) {
  if (const FlagOption* const entry = FindFlag(option); entry != nullptr) {
    socket.Set(entry->flag, number != 0);
    return 0;
  }
  switch (option) {
    case SO_REUSEADDR:
      socket.socket().reuses_address = number != 0;
      return 0;
    case SO_REUSEPORT:
      socket.socket().reuses_port = number != 0;
      return 0;
    case SO_BROADCAST:
      socket.Set(NetFlag::kBroadcast, number != 0);
      if (!socket.is_tcp()) {
        net::OptionsOf(*socket.udp).may_broadcast = number != 0;
      }
      return 0;
    case SO_SNDBUF:
    case SO_SNDBUFFORCE:
      SetSendBuffer(socket, number);
      return 0;
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
      SetReceiveBuffer(socket, number);
      return 0;
    case SO_KEEPALIVE:
      SetKeepAlive(socket, number != 0);
      return 0;
    case SO_PRIORITY:
      if (number < 0 || number > kHighestPriority) {
        return -EPERM;
      }
      socket.priority = number;
      return 0;
    case SO_RCVLOWAT:
      socket.receive_low_water = number < 0 ? 0x7fffffff : (number == 0 ? 1 : number);
      return 0;
    case SO_TIMESTAMP_OLD:
      SetTimestamp(socket, NetFlag::kTimestamp, number != 0);
      return 0;
    case SO_TIMESTAMPNS_OLD:
      SetTimestamp(socket, NetFlag::kTimestampNs, number != 0);
      return 0;
    case SO_BINDTOIFINDEX:
      return number < 0 ? -EINVAL : BindToIndex(socket, static_cast<uint32_t>(number));
    case SO_MAX_PACING_RATE:
      socket.pacing_bytes = number == -1 ? ~0ULL : static_cast<uint32_t>(number);
      return 0;
    case SO_BSDCOMPAT:
    case SO_INCOMING_CPU:  // there is one queue of sockets for all cores
      return 0;
    case SO_DEBUG:
      return number != 0 ? -EACCES : 0;
    case SO_MARK:
    case SO_BUSY_POLL:
    case SO_TXTIME:
      return number != 0 ? -EPERM : 0;
    case SO_DETACH_FILTER:
      return -ENOENT;
    case SO_ZEROCOPY:
      return number != 0 ? -EOPNOTSUPP : 0;
    default:
      return -ENOPROTOOPT;
  }
}

bool IsListening(const NetSocket& socket) {
  return socket.is_tcp() && net::StateOf(*socket.tcp) == net::TcpState::kListen;
}

// The options whose value is an int. False: it is none of those.
bool GetSocketInt(NetSocket& socket, int option, int32_t& out) {
  if (const FlagOption* const entry = FindFlag(option); entry != nullptr) {
    out = socket.Has(entry->flag) ? 1 : 0;
    return true;
  }
  switch (option) {
    case SO_TYPE:
      out = socket.file.host_type;
      return true;
    case SO_DOMAIN:
      out = socket.file.host_domain;
      return true;
    case SO_PROTOCOL:
      out = socket.file.host_protocol;
      return true;
    case SO_ERROR:
      out = -net::TakeError(socket.socket());
      return true;
    case SO_ACCEPTCONN:
      out = IsListening(socket) ? 1 : 0;
      return true;
    case SO_REUSEADDR:
      out = socket.socket().reuses_address ? 1 : 0;
      return true;
    case SO_REUSEPORT:
      out = socket.socket().reuses_port ? 1 : 0;
      return true;
    case SO_BROADCAST:
      out = socket.Has(NetFlag::kBroadcast) ? 1 : 0;
      return true;
    case SO_KEEPALIVE:
      out = (socket.is_tcp() ? net::OptionsOf(*socket.tcp).has_keep_alive : socket.Has(NetFlag::kKeepAlive)) ? 1 : 0;
      return true;
    case SO_SNDBUF:
      out = SendBuffer(socket);
      return true;
    case SO_RCVBUF:
      out = ReceiveBuffer(socket);
      return true;
    case SO_PRIORITY:
      out = socket.priority;
      return true;
    case SO_RCVLOWAT:
      out = socket.receive_low_water;
      return true;
    case SO_SNDLOWAT:
      out = 1;
      return true;
    case SO_TIMESTAMP_OLD:
      out = socket.Has(NetFlag::kTimestamp) ? 1 : 0;
      return true;
    case SO_TIMESTAMPNS_OLD:
      out = socket.Has(NetFlag::kTimestampNs) ? 1 : 0;
      return true;
    case SO_BINDTOIFINDEX:
      out = static_cast<int32_t>(socket.bound_device);
      return true;
    case SO_INCOMING_CPU:
      out = -1;
      return true;
    case SO_PEEK_OFF:
      out = -1;
      return true;
    case SO_DEBUG:
    case SO_MARK:
    case SO_BUSY_POLL:
    case SO_BSDCOMPAT:
    case SO_INCOMING_NAPI_ID:
    case SO_LOCK_FILTER:
    case SO_TIMESTAMPING_OLD:
    case SO_ZEROCOPY:
      out = 0;
      return true;
    default:
      return false;
  }
}

int64_t StoreMemory(const NetSocket& socket, uint64_t value, uint64_t room) {
  uint32_t figures[9] = {};  // SK_MEMINFO_*: of those that the stack knows
  figures[0] = socket.is_tcp() ? net::Readable_bytes(*socket.tcp) : net::NextDatagram_bytes(*socket.udp);
  figures[1] = static_cast<uint32_t>(ReceiveBuffer(socket));
  figures[2] = socket.is_tcp() ? net::Unacknowledged_bytes(*socket.tcp) : 0;
  figures[3] = static_cast<uint32_t>(SendBuffer(socket));
  return StoreOption(figures, sizeof(figures), value, room);
}

int64_t StorePeerName(NetSocket& socket, uint64_t value, uint64_t room) {
  AddressBytes bytes;
  uint32_t size = 0;
  if (const int64_t error = NameNet(socket, true, bytes, size); error != 0) {
    return error;
  }
  int32_t given;
  if (!CopyFromGuest(&given, room, sizeof(given))) {
    return -EFAULT;
  }
  return given < static_cast<int32_t>(size) ? -EINVAL : StoreOption(bytes, size, value, room);
}

int64_t GetSocketOption(NetSocket& socket, int option, uint64_t value, uint64_t room) {
  if (int32_t number; GetSocketInt(socket, option, number)) {
    return StoreIntOption(number, value, room);
  }
  switch (option) {
    case SO_LINGER:
      return StoreOption(&socket.linger_time, sizeof(socket.linger_time), value, room);
    case SO_PEERCRED: {
      const ucred nobody = {0, static_cast<uid_t>(-1), static_cast<gid_t>(-1)};
      return StoreOption(&nobody, sizeof(nobody), value, room);
    }
    case SO_PEERNAME:
      return StorePeerName(socket, value, room);
    case SO_BINDTODEVICE:
      return StoreDeviceName(socket, value, room);
    case SO_COOKIE:
      if (socket.cookie == 0) {
        socket.cookie = socket.file.inode;  // of one count for all files: never given twice
      }
      return StoreOption(&socket.cookie, sizeof(socket.cookie), value, room);
    case SO_MAX_PACING_RATE: {
      int32_t size;
      if (!CopyFromGuest(&size, room, sizeof(size))) {
        return -EFAULT;
      }
      const auto narrow = static_cast<uint32_t>(socket.pacing_bytes < ~0U ? socket.pacing_bytes : ~0U);
      return size >= static_cast<int32_t>(sizeof(socket.pacing_bytes))
                 ? StoreOption(&socket.pacing_bytes, sizeof(socket.pacing_bytes), value, room)
                 : StoreOption(&narrow, sizeof(narrow), value, room);
    }
    case SO_MEMINFO:
      return StoreMemory(socket, value, room);
    default:
      return -ENOPROTOOPT;
  }
}

int64_t SetSocketOption(NetSocket& socket, int option, uint64_t value, int32_t size) {
  if (option == SO_BINDTODEVICE) {
    return BindToDevice(socket, value, size);
  }
  int32_t number;
  if (const int64_t error = LoadIntOption(value, size, number); error != 0) {
    return error;
  }
  return option == SO_LINGER ? SetLinger(socket, value, size) : SetSocketInt(socket, option, number);
}

int64_t SetUdpOption(NetSocket& socket, int option, uint64_t value, int32_t size) {
  int32_t number;
  if (const int64_t error = LoadIntOption(value, size, number); error != 0) {
    return error;
  }
  if (option != kUdpCork) {
    return -ENOPROTOOPT;  // no UDP_SEGMENT, UDP_GRO: senders that try them go on without
  }
  socket.is_corked = number != 0;
  return number != 0 ? 0 : PushCork(socket);
}

}  // namespace

int64_t SetNetOption(NetSocket& socket, int level, int option, uint64_t value, int32_t size_bytes) {
  const FileReference kept(socket.file);
  switch (level) {
    case SOL_SOCKET:
      return SetSocketOption(socket, option, value, size_bytes);
    case IPPROTO_TCP:
      return socket.is_tcp() ? SetTcpOption(socket, option, value, size_bytes) : -ENOPROTOOPT;
    case IPPROTO_UDP:
      return socket.kind == NetKind::kUdp ? SetUdpOption(socket, option, value, size_bytes) : -ENOPROTOOPT;
    case IPPROTO_IP:
      return SetIpOption(socket, option, value, size_bytes);
    case IPPROTO_IPV6:
      return socket.is_v6() ? SetIp6Option(socket, option, value, size_bytes) : -ENOPROTOOPT;
    default:
      return -ENOPROTOOPT;
  }
}

int64_t GetNetOption(NetSocket& socket, int level, int option, uint64_t value, uint64_t room) {
  const int64_t unknown = socket.is_v6() ? -ENOPROTOOPT : -EOPNOTSUPP;  // ipv6_getsockopt, ip_getsockopt
  switch (level) {
    case SOL_SOCKET:
      return GetSocketOption(socket, option, value, room);
    case IPPROTO_TCP:
      return socket.is_tcp() ? GetTcpOption(socket, option, value, room) : unknown;
    case IPPROTO_UDP:
      if (socket.kind != NetKind::kUdp) {
        return unknown;
      }
      return option == kUdpCork ? StoreIntOption(socket.is_corked ? 1 : 0, value, room) : -ENOPROTOOPT;
    case IPPROTO_IP:
      return GetIpOption(socket, option, value, room);
    case IPPROTO_IPV6:
      return socket.is_v6() ? GetIp6Option(socket, option, value, room) : unknown;
    default:
      return unknown;
  }
}

}  // namespace junction
