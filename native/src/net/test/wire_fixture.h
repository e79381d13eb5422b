// SPDX-License-Identifier: Apache-2.0
// For tests: a stack on virtual time whose devices are lists of frames.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "net/checksum.h"
#include "net/ethernet.h"
#include "net/stack.h"
#include "net/test/heap_environment.h"
#include "net/udp_socket.h"

namespace junction::net {

using Bytes = std::vector<uint8_t>;

inline Bytes BytesOf(const std::string& text) { return {text.begin(), text.end()}; }
inline Bytes Pattern(uint32_t size) {
  Bytes bytes(size);
  for (uint32_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<uint8_t>(i * 7 + i / 251);
  }
  return bytes;
}
inline void Append(Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); }
inline void Append16(Bytes& to, uint16_t value) {
  Append(to, {static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)});
}
inline void Append32(Bytes& to, uint32_t value) {
  Append16(to, static_cast<uint16_t>(value >> 16));
  Append16(to, static_cast<uint16_t>(value));
}

struct WireFrame {
  Bytes bytes;
  FrameMeta meta;
};

/// A device that keeps what is sent. `room` frames fit until the test takes them.
struct WireDevice {
  Device device;  // first
  std::deque<WireFrame> sent;
  size_t room = 4096;
  uint32_t flushes = 0;
  std::unique_ptr<uint8_t[]> reserved;

  WireDevice() {
    static constexpr DeviceOps kOps = {Reserve, Commit, FlushWire};
    device.ops = &kOps;
    const MacAddress mac = {2, 0, 0, 0, 0, 1};
    std::memcpy(device.mac, mac, 6);
    std::strcpy(device.name, "eth0");
  }
  WireFrame Take() {
    EXPECT_FALSE(sent.empty()) << "a frame was expected";
    if (sent.empty()) {
      return {Bytes(64), {}};
    }
    WireFrame frame = std::move(sent.front());
    sent.pop_front();
    return frame;
  }

 private:
  static WireDevice& Of(Device& device) { return reinterpret_cast<WireDevice&>(device); }
  static uint8_t* Reserve(Device& device, uint32_t length) {
    WireDevice& wire = Of(device);
    if (wire.sent.size() >= wire.room) {
      return nullptr;
    }
    wire.reserved = std::make_unique<uint8_t[]>(length);  // exactly, so that a sanitizer sees what is written behind it
    std::memset(wire.reserved.get(), 0x5a, length);
    return wire.reserved.get();
  }
  static void Commit(Device& device, uint32_t length, const FrameMeta& meta) {
    WireDevice& wire = Of(device);
    wire.sent.push_back({Bytes(wire.reserved.get(), wire.reserved.get() + length), meta});
  }
  static void FlushWire(Device& device) { ++Of(device).flushes; }
};

inline constexpr MacAddress kPeerMac = {2, 0, 0, 0, 0, 2};
inline const IpAddress kOwn4 = IpAddress::V4(10, 0, 0, 1);
inline const IpAddress kPeer4 = IpAddress::V4(10, 0, 0, 2);
inline const IpAddress kFar4 = IpAddress::V4(192, 0, 2, 7);
inline IpAddress Ip6(std::initializer_list<uint8_t> head, std::initializer_list<uint8_t> tail) {
  IpAddress address;
  std::copy(head.begin(), head.end(), address.bytes);
  std::copy(tail.begin(), tail.end(), address.bytes + 16 - tail.size());
  return address;
}
inline const IpAddress kOwn6 = Ip6({0xfd, 0}, {1});
inline const IpAddress kPeer6 = Ip6({0xfd, 0}, {2});
inline const IpAddress kFar6 = Ip6({0x20, 1, 0xd, 0xb8}, {7});
inline const IpAddress kLoopback4 = IpAddress::V4(127, 0, 0, 1);
inline const IpAddress kLoopback6 = Ip6({0}, {1});

/// What a test may change about an IP packet it makes.
struct PacketOptions {
  uint8_t ttl = 64;
  uint8_t type_of_service = 0;
  uint16_t id = 1;
  uint16_t fragment = 0;  // IPv4's field
  Bytes options;          // IPv4's, a multiple of 4
  bool breaks_header = false;
};

inline void FixSum(Bytes& bytes, size_t at, uint64_t sum, uint32_t from = 0) {
  bytes[at] = bytes[at + 1] = 0;
  const auto folded =
      static_cast<uint16_t>(~FoldSum(SumBytes(bytes.data() + from, static_cast<uint32_t>(bytes.size() - from), sum)));
  std::memcpy(bytes.data() + at, &folded, 2);
}

inline Bytes IpBytes(uint8_t protocol, const IpAddress& source, const IpAddress& destination, const Bytes& payload,
                     const PacketOptions& options = {}) {
  Bytes ip;
  if (source.is_v4()) {
    Append(ip, {static_cast<uint8_t>(0x45 + options.options.size() / 4), options.type_of_service});
    Append16(ip, static_cast<uint16_t>(20 + options.options.size() + payload.size()));
    Append16(ip, options.id);
    Append16(ip, options.fragment);
    Append(ip, {options.ttl, protocol, 0, 0});
    Append(ip, Bytes(source.v4(), source.v4() + 4));
    Append(ip, Bytes(destination.v4(), destination.v4() + 4));
    Append(ip, options.options);
    FixSum(ip, 10, 0);
    ip[10] ^= options.breaks_header ? 1 : 0;
  } else {
    Append32(ip, 0x60000000U | static_cast<uint32_t>(options.type_of_service) << 20);
    Append16(ip, static_cast<uint16_t>(payload.size()));
    Append(ip, {protocol, options.ttl});
    Append(ip, Bytes(source.bytes, source.bytes + 16));
    Append(ip, Bytes(destination.bytes, destination.bytes + 16));
  }
  Append(ip, payload);
  return ip;
}

inline Bytes UdpBytes(const Endpoint& from, const Endpoint& to, const Bytes& payload) {
  Bytes udp;
  Append16(udp, from.port);
  Append16(udp, to.port);
  Append16(udp, static_cast<uint16_t>(8 + payload.size()));
  Append16(udp, 0);
  Append(udp, payload);
  FixSum(udp, 6, PseudoSum(from.address, to.address, kProtocolUdp, static_cast<uint32_t>(udp.size())));
  return udp;
}
inline Bytes UdpPacket(const Endpoint& from, const Endpoint& to, const Bytes& payload,
                       const PacketOptions& options = {}) {
  return IpBytes(kProtocolUdp, from.address, to.address, UdpBytes(from, to, payload), options);
}

/// An ICMP message of either family with its checksum: type, code, second word, rest.
inline Bytes IcmpPacket(const IpAddress& from, const IpAddress& to, uint8_t type, uint8_t code, uint32_t word,
                        const Bytes& rest, const PacketOptions& options = {}) {
  Bytes icmp = {type, code, 0, 0};
  Append32(icmp, word);
  Append(icmp, rest);
  const uint8_t protocol = from.is_v4() ? kProtocolIcmp : kProtocolIcmp6;
  FixSum(icmp, 2, from.is_v4() ? 0 : PseudoSum(from, to, protocol, static_cast<uint32_t>(icmp.size())));
  return IpBytes(protocol, from, to, icmp, options);
}

/// A sent frame, taken apart.
struct ParsedFrame {
  MacAddress to, from;
  uint16_t type = 0;
  Bytes ip;  // from the IP (or ARP) header on
  uint8_t protocol = 0;
  uint8_t ttl = 0;
  IpAddress source, destination;
  uint16_t fragment = 0;
  Bytes payload;  // behind the IP header
  FrameMeta meta;
};
inline ParsedFrame Parse(const WireFrame& frame) {
  ParsedFrame parsed;
  const Bytes& bytes = frame.bytes;
  std::memcpy(parsed.to, bytes.data(), 6);
  std::memcpy(parsed.from, bytes.data() + 6, 6);
  parsed.type = LoadBig16(bytes.data() + 12);
  parsed.ip.assign(bytes.begin() + 14, bytes.end());
  parsed.meta = frame.meta;
  const Bytes& ip = parsed.ip;
  if (parsed.type == kTypeIp4 && ip.size() >= 20) {
    EXPECT_EQ(LoadBig16(ip.data() + 2), ip.size());
    EXPECT_EQ(FoldSum(SumBytes(ip.data(), 20, 0)), 0xffff) << "IPv4 header checksum";
    parsed.protocol = ip[9];
    parsed.ttl = ip[8];
    parsed.source = IpAddress::V4(ip.data() + 12);
    parsed.destination = IpAddress::V4(ip.data() + 16);
    parsed.fragment = LoadBig16(ip.data() + 6);
    parsed.payload.assign(ip.begin() + 20, ip.end());
  } else if (parsed.type == kTypeIp6 && ip.size() >= 40) {
    EXPECT_EQ(LoadBig16(ip.data() + 4) + 40U, ip.size());
    parsed.protocol = ip[6];
    parsed.ttl = ip[7];
    parsed.source = IpAddress::V6(ip.data() + 8);
    parsed.destination = IpAddress::V6(ip.data() + 24);
    parsed.payload.assign(ip.begin() + 40, ip.end());
  }
  return parsed;
}
/// Whether the transport checksum of a sent packet is right.
inline bool HasGoodSum(const ParsedFrame& frame) {
  const auto size = static_cast<uint32_t>(frame.payload.size());
  const uint64_t pseudo =
      frame.protocol == kProtocolIcmp ? 0 : PseudoSum(frame.source, frame.destination, frame.protocol, size);
  return FoldSum(SumBytes(frame.payload.data(), size, pseudo)) == 0xffff;
}

/// A stack with one wire ("eth0", a neighbour's MAC is looked up) with both families' addresses and default routes.
class WireFixture : public ::testing::Test {
 protected:
  static constexpr uint64_t kMs = 1000 * 1000;
  static constexpr uint64_t kSecond = 1000 * kMs;

  WireFixture() = default;
  ~WireFixture() override {
    if (stack_ != nullptr) {
      FreeStack(stack_);
    }
    EXPECT_EQ(heap_.held_bytes, 0U) << "memory that a stack has not given back";
  }

  void SetUp() override { Start({}, false); }
  void Start(const StackOptions& options, bool is_point_to_point) {
    if (stack_ != nullptr) {
      FreeStack(stack_);
    }
    stack_ = NewStack(heap_.environment(), options);
    ASSERT_NE(stack_, nullptr);
    wire_.device.is_point_to_point = is_point_to_point;
    std::memcpy(wire_.device.peer_mac, kPeerMac, 6);
    ASSERT_EQ(AddDevice(*stack_, wire_.device), 0);
    ASSERT_EQ(AddAddress(*stack_, {wire_.device.index, kOwn4, 24}), 0);
    ASSERT_EQ(AddAddress(*stack_, {wire_.device.index, kOwn6, 64}), 0);
    ASSERT_EQ(AddRoute(*stack_, {IpAddress::V4(0, 0, 0, 0), 0, kPeer4, wire_.device.index}), 0);
    ASSERT_EQ(AddRoute(*stack_, {IpAddress(), 0, kPeer6, wire_.device.index}), 0);
    wire_.sent.clear();  // announcements
  }
  /// The peer's MAC is known: nothing is asked.
  void KnowPeer() {
    ASSERT_EQ(AddStaticNeighbour(*stack_, wire_.device.index, kPeer4, kPeerMac), 0);
    ASSERT_EQ(AddStaticNeighbour(*stack_, wire_.device.index, kPeer6, kPeerMac), 0);
  }

  void Receive(WireDevice& wire, const Bytes& ip, uint16_t type, const FrameMeta& meta = {},
               const uint8_t* to = nullptr) {
    Bytes frame;
    Append(frame, to == nullptr ? Bytes(wire.device.mac, wire.device.mac + 6) : Bytes(to, to + 6));
    Append(frame, Bytes(kPeerMac, kPeerMac + 6));
    Append16(frame, type);
    Append(frame, ip);
    InputExact(wire, frame, meta);
    Flush(*stack_, now_);
  }
  void Receive(const Bytes& ip, const FrameMeta& meta = {}) {
    Receive(wire_, ip, !ip.empty() && ip[0] >> 4 == 6 ? kTypeIp6 : kTypeIp4, meta);
  }
  /// In memory of exactly its size.
  void InputExact(WireDevice& wire, const Bytes& frame, const FrameMeta& meta = {}) {
    auto exact = std::make_unique<uint8_t[]>(frame.size());
    std::memcpy(exact.get(), frame.data(), frame.size());
    FrameView view;
    view.data = exact.get();
    view.length_bytes = static_cast<uint32_t>(frame.size());
    view.meta = meta;
    Input(*stack_, wire.device, view, now_);
  }
  void Advance(uint64_t by_ns) {
    const uint64_t end = now_ + by_ns;
    while (NextDeadline_ns(*stack_) <= end) {
      now_ = std::max(now_, NextDeadline_ns(*stack_));
      RunTimers(*stack_, now_);
      Flush(*stack_, now_);
    }
    now_ = end;
    RunTimers(*stack_, now_);
    Flush(*stack_, now_);
  }
  ParsedFrame Sent() { return Parse(wire_.Take()); }
  const StackCounters& counters() const { return CountersOf(*stack_); }

  UdpSocket* BoundUdp(const Endpoint& local, bool is_v6) {
    UdpSocket* const udp = NewUdpSocket(*stack_, is_v6);
    EXPECT_EQ(BindUdp(*udp, local), 0);
    return udp;
  }
  int SendTo(UdpSocket& udp, const Endpoint* to, const Bytes& payload, const IpAddress* source = nullptr) {
    Span span;
    if (const int error = BeginUdp(udp, to, source, static_cast<uint32_t>(payload.size()), span, now_); error != 0) {
      return error;
    }
    EXPECT_EQ(span.size_bytes, payload.size());
    std::copy(payload.begin(), payload.end(), span.data);
    const int result = SendUdp(udp, now_);
    Flush(*stack_, now_);
    return result;
  }
  /// The first datagram, taken out of the socket; false if there is none.
  static bool ReadFrom(UdpSocket& udp, Bytes& payload, Datagram* about = nullptr) {
    Datagram datagram;
    payload.clear();
    if (!PeekUdp(udp, datagram)) {
      return false;
    }
    for (Span span = ReadUdp(udp, 0); span.size_bytes != 0;
         span = ReadUdp(udp, static_cast<uint32_t>(payload.size()))) {
      payload.insert(payload.end(), span.data, span.data + span.size_bytes);
    }
    EXPECT_EQ(payload.size(), datagram.size_bytes);
    PopUdp(udp);
    if (about != nullptr) {
      *about = datagram;
    }
    return true;
  }

  HeapEnvironment heap_;
  WireDevice wire_;
  Stack* stack_ = nullptr;
  uint64_t now_ = 1000 * kSecond;
};

}  // namespace junction::net
