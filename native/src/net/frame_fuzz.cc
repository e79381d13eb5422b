// SPDX-License-Identifier: Apache-2.0
// Frames of any contents into a stack with open sockets. Input: a mode byte, then frames: two bytes (length in the lower 11 bits, seconds
// that pass before it in the upper 5), then that many bytes (what the input ends with if they are fewer). With kIsRelative the numbers of TCP
// segments count from what the stack sent last, so that inputs get into connections whatever the initial sequence numbers are.
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "net/bytes.h"
#include "net/checksum.h"
#include "net/ip.h"
#include "net/raw_socket.h"
#include "net/stack.h"
#include "net/test/heap_environment.h"
#include "net/udp_socket.h"
#ifdef JUNCTION_NET_HAS_TCP
#include "net/tcp_socket.h"
#endif

namespace {

using namespace junction;       // NOLINT: a program of one file
using namespace junction::net;  // NOLINT

enum Mode : uint8_t {
  kKind = 3,  // 0 a wire with neighbours, 1 point to point, 2 that and trusted, 3 loopback
  kFixesHeaders = 4,
  kHasBlankChecksums = 8,
  kIsTight = 16,  // little memory
  kHasNoRoom = 32,
  kIsRelative = 64,
};

void Require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

struct NullDevice {
  Device device;
  bool has_room = true;
  std::unique_ptr<uint8_t[]> frame;
  uint32_t reserved = 0;
  // of the last TCP segment sent
  uint16_t port = 0;
  uint32_t next_sequence = 0;
  uint32_t acknowledged = 0;
};

// Where the TCP header of a frame is; 0 = there is none.
size_t TcpAt(const uint8_t* frame, size_t size) {
  const bool is_v4 = size >= 54 && frame[12] == 8 && frame[13] == 0 && frame[14] == 0x45 && frame[23] == kProtocolTcp;
  const bool is_v6 = size >= 74 && frame[12] == 0x86 && frame[13] == 0xdd && frame[20] == kProtocolTcp;
  return is_v4 ? 34 : (is_v6 ? 54 : 0);
}

void Remember(NullDevice& device, uint32_t length) {
  const uint8_t* const frame = device.frame.get();
  const size_t at = TcpAt(frame, length);
  if (at == 0) {
    return;
  }
  const uint8_t* const tcp = frame + at;
  const uint32_t payload = length - static_cast<uint32_t>(at) - (tcp[12] >> 4) * 4U;
  device.port = LoadBig16(tcp);
  device.next_sequence = LoadBig32(tcp + 4) + payload + ((tcp[13] & 1) != 0 ? 1 : 0) + ((tcp[13] & 2) != 0 ? 1 : 0);
  device.acknowledged = LoadBig32(tcp + 8);
}

constexpr DeviceOps kNullOps = {[](Device& device, uint32_t length) -> uint8_t* {
                                  auto& self = reinterpret_cast<NullDevice&>(device);
                                  if (!self.has_room) {
                                    return nullptr;
                                  }
                                  Require(length <= kMaxFrame_bytes);
                                  self.frame = std::make_unique<uint8_t[]>(length);
                                  self.reserved = length;
                                  return self.frame.get();
                                },
                                [](Device& device, uint32_t length, const FrameMeta&) {
                                  auto& self = reinterpret_cast<NullDevice&>(device);
                                  Require(length <= self.reserved);
                                  Remember(self, length);
                                },
                                [](Device&) {}};

struct World {
  HeapEnvironment heap;
  NullDevice wire;
  Stack* stack = nullptr;
  Device* input = nullptr;
  UdpSocket* sockets[5] = {};
#ifdef JUNCTION_NET_HAS_TCP
  TcpSocket* listener = nullptr;
  TcpSocket* connections[4] = {};
#endif
  uint64_t now_ns = 1'000'000'000'000;
  uint8_t mode = 0;

  void Start();
  void Take(const uint8_t* data, size_t size);
  void Drain();
  void Answer();
  void UseConnections();
  void MakeAbsolute(uint8_t* frame, size_t size) const;
};

void World::Start() {
  StackOptions options;
  options.pool_limit_bytes = (mode & kIsTight) != 0 ? 64 * 1024 : 4 * 1024 * 1024;
  stack = NewStack(heap.environment(), options);
  wire.device.ops = &kNullOps;
  wire.device.mac[0] = 2;
  wire.device.mac[5] = 1;
  wire.device.is_point_to_point = (mode & kKind) == 1 || (mode & kKind) == 2;
  wire.device.trusts_checksums = (mode & kKind) == 2;
  wire.device.has_blank_checksums = (mode & kHasBlankChecksums) != 0;
  wire.has_room = (mode & kHasNoRoom) == 0;
  Require(AddDevice(*stack, wire.device) == 0);
  input = (mode & kKind) == 3 ? NextDevice(*stack, nullptr) : &wire.device;
  const IpAddress own4 = IpAddress::V4(10, 0, 0, 1);
  IpAddress own6;
  own6.bytes[0] = 0xfd;
  own6.bytes[15] = 1;
  AddAddress(*stack, {wire.device.index, own4, 24});
  AddAddress(*stack, {wire.device.index, own6, 64});
  AddRoute(*stack, {IpAddress::V4(0, 0, 0, 0), 0, IpAddress::V4(10, 0, 0, 2), wire.device.index});
  sockets[0] = NewUdpSocket(*stack, true);
  sockets[1] = NewUdpSocket(*stack, false);
  sockets[2] = NewPingSocket(*stack, false);
  sockets[3] = NewPingSocket(*stack, true);
  sockets[4] = NewUdpSocket(*stack, false);
  BindUdp(*sockets[0], {IpAddress(), 53});
  BindUdp(*sockets[1], {own4, 54});
  ConnectUdp(*sockets[1], {IpAddress::V4(10, 0, 0, 2), 1000});
  BindUdp(*sockets[2], {IpAddress::V4(0, 0, 0, 0), 7});
  BindUdp(*sockets[3], {IpAddress(), 7});
  BindUdp(*sockets[4], {IpAddress::V4(0, 0, 0, 0), 99});
  JoinMulticast(*sockets[4], IpAddress::V4(239, 1, 2, 3), wire.device.index);
#ifdef JUNCTION_NET_HAS_TCP
  listener = NewTcpSocket(*stack, true);
  BindTcp(*listener, {IpAddress(), 80});
  ListenTcp(*listener, 4);
  TcpSocket* const client = connections[0] = NewTcpSocket(*stack, false);
  ConnectTcp(*client, {IpAddress::V4(10, 0, 0, 2), 81}, now_ns);
#endif
}

void World::Drain() {
  for (UdpSocket* udp : sockets) {
    Datagram datagram;
    while (PeekUdp(*udp, datagram)) {
      uint32_t read = 0;
      for (Span span = ReadUdp(*udp, 0); span.size_bytes != 0; span = ReadUdp(*udp, read)) {
        read += span.size_bytes;
      }
      Require(read == datagram.size_bytes);
      PopUdp(*udp);
    }
    PollUdp(*udp);
    TakeError(SocketOf(*udp));
  }
}

void World::Take(const uint8_t* data, size_t size) {
  auto frame = std::make_unique<uint8_t[]>(size);  // exactly, for the sanitizer
  if (size != 0) {
    std::memcpy(frame.get(), data, size);
  }
  if ((mode & kFixesHeaders) != 0 && size >= 34 && frame[12] == 8 && frame[13] == 0) {
    const uint32_t header = (frame[14] & 15U) * 4;
    if (header >= 20 && 14 + header <= size) {
      std::memset(&frame[24], 0, 2);
      const auto sum = static_cast<uint16_t>(~FoldSum(SumBytes(&frame[14], header, 0)));
      std::memcpy(&frame[24], &sum, 2);
    }
  }
  if ((mode & kIsRelative) != 0) {
    MakeAbsolute(frame.get(), size);
  }
  FrameView view;
  view.data = frame.get();
  view.length_bytes = static_cast<uint32_t>(size);
  view.meta.flags = (mode & kKind) == 2 ? kFrameChecksumGood : 0;
  Input(*stack, *input, view, now_ns);
  Flush(*stack, now_ns);
}

void World::MakeAbsolute(uint8_t* frame, size_t size) const {
  const size_t at = TcpAt(frame, size);
  if (at == 0) {
    return;
  }
  uint8_t* const tcp = frame + at;
  if (LoadBig16(tcp + 2) == 0) {
    StoreBig16(tcp + 2, wire.port);
  }
  if ((tcp[13] & 2) == 0) {
    StoreBig32(tcp + 4, LoadBig32(tcp + 4) + wire.acknowledged);
  }
  StoreBig32(tcp + 8, LoadBig32(tcp + 8) + wire.next_sequence);
}

// A server that reads all, writes a little, and closes its side when the peer has.
void World::UseConnections() {
#ifdef JUNCTION_NET_HAS_TCP
  for (TcpSocket*& connection : connections) {
    connection = connection == nullptr ? AcceptTcp(*listener) : connection;
    if (connection == nullptr) {
      continue;
    }
    int error = -EAGAIN;
    uint32_t read = 0;
    for (Span span = ReadSpan(*connection, 0, error); span.size_bytes != 0; span = ReadSpan(*connection, 0, error)) {
      read += span.size_bytes;
      ConsumeRead(*connection, span.size_bytes, now_ns);
    }
    Require(Readable_bytes(*connection) == 0);
    const Span room = WriteSpan(*connection, error);
    if (room.size_bytes != 0) {
      const uint32_t size = room.size_bytes < 700 ? room.size_bytes : 700;
      std::memset(room.data, 3, size);
      CommitWrite(*connection, size, (read & 1) != 0, now_ns);
    }
    PollTcp(*connection);
    InfoOf(*connection, now_ns);
    const bool is_over = StateOf(*connection) == TcpState::kClosed || StateOf(*connection) == TcpState::kCloseWait;
    if (is_over && connection != connections[0]) {
      CloseTcp(*connection, now_ns);
      connection = nullptr;
    }
  }
  Flush(*stack, now_ns);
#endif
}

// Something to send after each frame: waits for the neighbour, is cut by what ICMP said of the path, reports the error.
void World::Answer() {
  static constexpr uint32_t kSizes[] = {10, 1000, 3000};
  const Endpoint peer = {IpAddress::V4(10, 0, 0, 2), 1000};
  for (const uint32_t size : kSizes) {
    Span span;
    if (BeginUdp(*sockets[0], &peer, nullptr, size, span, now_ns) == 0) {
      Require(span.size_bytes == size);
      std::memset(span.data, 7, size);
      SendUdp(*sockets[0], now_ns);
    }
  }
  Flush(*stack, now_ns);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  World world;
  world.mode = size == 0 ? 0 : data[0];
  world.Start();
  for (size_t at = 1; at + 2 <= size;) {
    const uint32_t head = data[at] | static_cast<uint32_t>(data[at + 1]) << 8;
    at += 2;
    const size_t rest = size - at;
    const size_t length = (head & 0x7ff) < rest ? head & 0x7ff : rest;
    world.now_ns += static_cast<uint64_t>(head >> 11) * 1'000'000'000;
    RunTimers(*world.stack, world.now_ns);
    world.Take(data + at, length);
    world.Drain();
    world.Answer();
    world.UseConnections();
    at += length;
  }
  DeviceHasRoom(*world.stack, world.wire.device, world.now_ns);
  Flush(*world.stack, world.now_ns);
  FreeStack(world.stack);
  Require(world.heap.held_bytes == 0);
  return 0;
}
