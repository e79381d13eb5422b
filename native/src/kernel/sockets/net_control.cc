// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/net_control.h"

#include <asm/socket.h>
#include <netinet/in.h>

#include <cstring>
#include <ctime>

#include "kernel/sockets/control_writer.h"
#include "uthread/clock.h"

namespace junction {
namespace {

constexpr int kHighestTtl = 255;

// An int, as most of them are.
int64_t ReadInt(const cmsghdr& header, uint64_t data, int32_t lowest, int32_t highest, int32_t& out) {
  if (header.cmsg_len != kControlHeader_bytes + sizeof(out)) {
    return -EINVAL;
  }
  int32_t value;
  if (!CopyFromGuest(&value, data, sizeof(value))) {
    return -EFAULT;
  }
  if (value < lowest || value > highest) {
    return -EINVAL;
  }
  out = value;
  return 0;
}

int64_t ReadTypeOfService(const cmsghdr& header, uint64_t data, int32_t& out) {
  if (header.cmsg_len != kControlHeader_bytes + 1) {
    return ReadInt(header, data, 0, kHighestTtl, out);
  }
  uint8_t value;
  if (!CopyFromGuest(&value, data, sizeof(value))) {
    return -EFAULT;
  }
  out = value;
  return 0;
}

int64_t ReadPacketInfo(const cmsghdr& header, uint64_t data, SendControl& control) {
  in_pktinfo info;
  if (header.cmsg_len != kControlHeader_bytes + sizeof(info)) {
    return -EINVAL;
  }
  if (!CopyFromGuest(&info, data, sizeof(info))) {
    return -EFAULT;
  }
  if (info.ipi_ifindex != 0) {
    control.device_index = static_cast<uint32_t>(info.ipi_ifindex);
  }
  uint8_t octets[4];
  std::memcpy(octets, &info.ipi_spec_dst, sizeof(octets));
  control.source = net::IpAddress::V4(octets);
  control.has_source = !control.source.is_any();
  return 0;
}

int64_t ReadPacketInfo6(const NetSocket& socket, const cmsghdr& header, uint64_t data, SendControl& control) {
  in6_pktinfo info;
  if (header.cmsg_len < kControlHeader_bytes + sizeof(info)) {
    return -EINVAL;
  }
  if (!CopyFromGuest(&info, data, sizeof(info))) {
    return -EFAULT;
  }
  if (info.ipi6_ifindex != 0) {
    if (socket.bound_device != 0 && socket.bound_device != info.ipi6_ifindex) {
      return -EINVAL;
    }
    control.device_index = info.ipi6_ifindex;
  }
  uint8_t octets[16];
  std::memcpy(octets, &info.ipi6_addr, sizeof(octets));
  control.source = net::IpAddress::V6(octets);
  control.has_source = !control.source.is_any();
  return 0;
}

int64_t ReadOfIp(const cmsghdr& header, uint64_t data, SendControl& control) {
  switch (header.cmsg_type) {
    case IP_PKTINFO:
      return ReadPacketInfo(header, data, control);
    case IP_TTL:
      return ReadInt(header, data, 1, kHighestTtl, control.ttl);
    case IP_TOS:
      return ReadTypeOfService(header, data, control.type_of_service);
    default:
      return -EINVAL;
  }
}

int64_t ReadOfIp6(const NetSocket& socket, const cmsghdr& header, uint64_t data, SendControl& control) {
  switch (header.cmsg_type) {
    case IPV6_PKTINFO:
      return ReadPacketInfo6(socket, header, data, control);
    case IPV6_HOPLIMIT:
      return ReadInt(header, data, -1, kHighestTtl, control.ttl);
    case IPV6_TCLASS:
      return ReadInt(header, data, -1, kHighestTtl, control.type_of_service);
    case IPV6_DONTFRAG: {
      int32_t ignored;
      return ReadInt(header, data, 0, 1, ignored);
    }
    default:
      return -EINVAL;
  }
}

int64_t ReadOfSocket(const cmsghdr& header) {
  switch (header.cmsg_type) {
    case SO_MARK:
      return -EPERM;
    case SO_TIMESTAMPING_OLD:
    case SCM_RIGHTS:  // of unix sockets; elsewhere Linux takes no notice
    case SCM_CREDENTIALS:
      return 0;
    default:
      return -EINVAL;
  }
}

// The time of the call: that of the arrival is not kept.
void WriteTimestamp(const NetSocket& socket, ControlWriter& writer) {
  if (!socket.Has(NetFlag::kTimestamp) && !socket.Has(NetFlag::kTimestampNs)) {
    return;
  }
  timespec now = {};
  ReadClock(CLOCK_REALTIME, &now);
  if (socket.Has(NetFlag::kTimestampNs)) {
    writer.Put(SOL_SOCKET, SO_TIMESTAMPNS_OLD, &now, sizeof(now));
    return;
  }
  const int64_t timeval[2] = {now.tv_sec, now.tv_nsec / 1000};
  writer.Put(SOL_SOCKET, SO_TIMESTAMP_OLD, timeval, sizeof(timeval));
}

void WriteInt(ControlWriter& writer, int level, int type, int32_t value) {
  writer.Put(level, type, &value, sizeof(value));
}

void WriteOfIp(const NetSocket& socket, const net::Datagram& datagram, ControlWriter& writer) {
  if (socket.Has(NetFlag::kPacketInfo)) {
    in_pktinfo info = {};
    info.ipi_ifindex = static_cast<int>(datagram.device_index);
    std::memcpy(&info.ipi_addr, datagram.to.v4(), sizeof(info.ipi_addr));
    // The own address to answer from: where it went, or the interface's for a multicast, which nobody needs to know.
    if (!datagram.to.is_multicast()) {
      info.ipi_spec_dst = info.ipi_addr;
    }
    writer.Put(IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
  }
  if (socket.Has(NetFlag::kReceiveTtl)) {
    WriteInt(writer, IPPROTO_IP, IP_TTL, datagram.ttl);
  }
  if (socket.Has(NetFlag::kReceiveTos)) {
    writer.Put(IPPROTO_IP, IP_TOS, &datagram.type_of_service, sizeof(datagram.type_of_service));
  }
  if (socket.Has(NetFlag::kOriginalDestination)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = __builtin_bswap16(socket.socket().local.port);
    std::memcpy(&address.sin_addr, datagram.to.v4(), sizeof(address.sin_addr));
    writer.Put(IPPROTO_IP, IP_ORIGDSTADDR, &address, sizeof(address));
  }
}

void WriteOfIp6(const NetSocket& socket, const net::Datagram& datagram, ControlWriter& writer) {
  if (socket.Has(NetFlag::kPacketInfo6)) {
    in6_pktinfo info = {};
    info.ipi6_ifindex = datagram.device_index;
    std::memcpy(&info.ipi6_addr, datagram.to.bytes, sizeof(info.ipi6_addr));
    writer.Put(IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
  }
  if (datagram.to.is_v4()) {
    return;  // as Linux: these are of IPv6 packets
  }
  if (socket.Has(NetFlag::kHopLimit)) {
    WriteInt(writer, IPPROTO_IPV6, IPV6_HOPLIMIT, datagram.ttl);
  }
  if (socket.Has(NetFlag::kTrafficClass)) {
    WriteInt(writer, IPPROTO_IPV6, IPV6_TCLASS, datagram.type_of_service);
  }
}

}  // namespace

int64_t ReadSendControl(const NetSocket& socket, const SocketMessage& message, SendControl& control) {
  return ForEachControl(message, [&](const cmsghdr& header, uint64_t data) -> int64_t {
    switch (header.cmsg_level) {
      case SOL_SOCKET:
        return ReadOfSocket(header);
      case IPPROTO_IP:
        return ReadOfIp(header, data, control);
      case IPPROTO_IPV6:
        return socket.is_v6() ? ReadOfIp6(socket, header, data, control) : 0;
      case IPPROTO_UDP:
        return -EINVAL;  // no UDP_SEGMENT
      default:
        return 0;
    }
  });
}

void WriteDatagramControl(const NetSocket& socket, const net::Datagram& datagram, SocketMessage& message) {
  ControlWriter writer(message);
  WriteTimestamp(socket, writer);
  if (socket.is_v6()) {
    WriteOfIp6(socket, datagram, writer);
  }
  if (datagram.to.is_v4()) {
    WriteOfIp(socket, datagram, writer);
  }
}

void WriteStreamControl(const NetSocket& socket, SocketMessage& message) {
  ControlWriter writer(message);
  WriteTimestamp(socket, writer);
}

}  // namespace junction
