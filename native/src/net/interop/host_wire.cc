// SPDX-License-Identifier: Apache-2.0
#include "net/interop/host_wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "net/bytes.h"

namespace junction::net {
namespace {

// virtio 1.1, section 5.1.6 (Linux' header of that name is no C++).
struct VirtioHeader {
  uint8_t flags;
  uint8_t gso_type;
  uint16_t header_bytes;
  uint16_t gso_size;
  uint16_t checksum_start;
  uint16_t checksum_offset;
};
static_assert(sizeof(VirtioHeader) == 10);
constexpr uint8_t kNeedsChecksum = 1;
constexpr uint8_t kDataValid = 2;
constexpr uint8_t kGsoTcp4 = 1;
constexpr uint8_t kGsoTcp6 = 4;
constexpr uint8_t kGsoEcn = 0x80;

std::string Failure(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

FrameMeta MetaOf(const VirtioHeader& header) {
  FrameMeta meta;
  if ((header.flags & kNeedsChecksum) != 0) {
    meta.flags |= kFrameChecksumBlank;
    meta.checksum_start = header.checksum_start;
    meta.checksum_offset = header.checksum_offset;
  } else if ((header.flags & kDataValid) != 0) {
    meta.flags |= kFrameChecksumGood;
  }
  const int type = header.gso_type & ~kGsoEcn;
  if (type == kGsoTcp4 || type == kGsoTcp6) {
    meta.flags |= type == kGsoTcp4 ? kFrameSegmentTcp4 : kFrameSegmentTcp6;
    meta.segment_bytes = header.gso_size;
  }
  return meta;
}

VirtioHeader HeaderOf(const FaultyFrame& frame) {
  VirtioHeader header = {};
  const FrameMeta& meta = frame.meta;
  if ((meta.flags & kFrameChecksumBlank) != 0) {
    header.flags = kNeedsChecksum;
    header.checksum_start = meta.checksum_start;
    header.checksum_offset = meta.checksum_offset;
  }
  if ((meta.flags & (kFrameSegmentTcp4 | kFrameSegmentTcp6)) != 0) {
    header.gso_type = (meta.flags & kFrameSegmentTcp4) != 0 ? kGsoTcp4 : kGsoTcp6;
    header.gso_size = meta.segment_bytes;
    header.header_bytes =
        static_cast<uint16_t>(meta.checksum_start + (frame.bytes[meta.checksum_start + 12U] >> 4) * 4);
  }
  return header;
}

}  // namespace

HostWire::~HostWire() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
  if (kind_ == WireKind::kPacket) {
    static_cast<void>(std::system("ip link del jt0 2>/dev/null"));
  }
}

std::string HostWire::OpenTap(bool offloads) {
  descriptor_ = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (descriptor_ < 0) {
    return Failure("/dev/net/tun");
  }
  ifreq request = {};
  std::strcpy(request.ifr_name, "jt0");
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | (offloads ? IFF_VNET_HDR : 0));
  if (ioctl(descriptor_, TUNSETIFF, &request) != 0) {
    return Failure("TUNSETIFF");
  }
  if (offloads && ioctl(descriptor_, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0) {
    return Failure("TUNSETOFFLOAD");
  }
  return "";
}

std::string HostWire::OpenPacket() {
  if (std::system("ip link add jt0 type veth peer name jt1 && echo 1 > /proc/sys/net/ipv6/conf/jt1/disable_ipv6 && "
                  "ip link set jt1 up") != 0) {
    return "no veth pair";
  }
  descriptor_ = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  const int buffer = 8 * 1024 * 1024;
  sockaddr_ll address = {};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex("jt1"));
  if (descriptor_ < 0 || setsockopt(descriptor_, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0 ||
      setsockopt(descriptor_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0 ||
      setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0 ||
      bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return Failure("packet socket");
  }
  return "";
}

std::string HostWire::Open(WireKind kind, uint32_t mtu_bytes, const std::string& address4,
                           const std::string& address6) {
  kind_ = kind;
  const std::string failure = kind == WireKind::kPacket ? OpenPacket() : OpenTap(kind == WireKind::kTapOffload);
  if (!failure.empty()) {
    return failure;
  }
  std::string command =
      "ip link set jt0 mtu " + std::to_string(mtu_bytes) + " up && ip addr add " + address4 + "/24 dev jt0";
  if (mtu_bytes >= 1280) {  // IPv6 has no smaller one (RFC 8200, section 5)
    command += " && ip addr add " + address6 + "/64 dev jt0 nodad";
  }
  return std::system(command.c_str()) == 0 ? "" : "failed: " + command;
}

bool HostWire::Read(FaultyFrame& out) {
  VirtioHeader header = {};
  out.bytes.resize(kMaxFrame_bytes);
  iovec parts[2] = {{&header, sizeof header}, {out.bytes.data(), out.bytes.size()}};
  const bool has_header = kind_ != WireKind::kTapPlain;
  const ssize_t got = readv(descriptor_, has_header ? parts : parts + 1, has_header ? 2 : 1);
  const ssize_t header_bytes = has_header ? static_cast<ssize_t>(sizeof header) : 0;
  if (got < header_bytes + static_cast<ssize_t>(kMinFrame_bytes)) {
    return false;
  }
  out.bytes.resize(static_cast<size_t>(got - header_bytes));
  out.meta = MetaOf(header);
  return true;
}

bool HostWire::Write(const FaultyFrame& frame) {
  VirtioHeader header = HeaderOf(frame);
  iovec parts[2] = {{&header, sizeof header}, {const_cast<uint8_t*>(frame.bytes.data()), frame.bytes.size()}};
  const bool has_header = kind_ != WireKind::kTapPlain;
  return writev(descriptor_, has_header ? parts : parts + 1, has_header ? 2 : 1) > 0;
}

}  // namespace junction::net
