// SPDX-License-Identifier: Apache-2.0
// For tests: stacks on virtual time, joined by a wire in memory; and one stack whose peer is the test itself, segment by segment.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/checksum.h"
#include "net/stack.h"
#include "net/stack_state.h"
#include "net/tcp/tcp_header.h"
#include "net/tcp/tcp_layer.h"
#include "net/tcp_socket.h"

namespace junction::net {

/// The heap, counted.
struct TestMemory {
  size_t held_bytes = 0;
  uint64_t seed = 1;
  bool is_exhausted = false;

  Environment environment() { return {.allocate = Allocate, .free = Free, .random = Random, .context = this}; }
  static void* Allocate(void* context, size_t size) {
    auto& self = *static_cast<TestMemory*>(context);
    if (self.is_exhausted) {
      return nullptr;
    }
    self.held_bytes += size;
    return std::malloc(size);
  }
  static void Free(void* context, void* memory, size_t size) {
    static_cast<TestMemory*>(context)->held_bytes -= size;
    std::free(memory);
  }
  static uint64_t Random(void* context) {  // splitmix64
    uint64_t z = (static_cast<TestMemory*>(context)->seed += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
};

struct TestFrame {
  std::vector<uint8_t> bytes;
  FrameMeta meta;
  uint64_t due_ns = 0;
};

/// A TCP segment as it was seen on the wire.
struct SeenSegment {
  TcpHeader header;
  std::vector<uint8_t> payload;
  uint16_t segment_bytes = 0;
  IpAddress source, destination;
};

inline std::optional<SeenSegment> Dissect(const TestFrame& frame) {
  const uint8_t* const bytes = frame.bytes.data();
  const bool is_v4 = bytes[12] == 8 && bytes[13] == 0;
  const uint32_t at = 14 + (is_v4 ? 20 : 40);
  if (frame.bytes.size() < at + 20 || bytes[is_v4 ? 23 : 20] != kProtocolTcp) {
    return std::nullopt;
  }
  SeenSegment seen;
  seen.source = is_v4 ? IpAddress::V4(bytes + 26) : IpAddress::V6(bytes + 22);
  seen.destination = is_v4 ? IpAddress::V4(bytes + 30) : IpAddress::V6(bytes + 38);
  const auto size = static_cast<uint32_t>(frame.bytes.size()) - at;
  if (!ParseTcpHeader(bytes + at, size, seen.header)) {
    return std::nullopt;
  }
  seen.payload.assign(frame.bytes.begin() + at + seen.header.header_bytes, frame.bytes.end());
  seen.segment_bytes = frame.meta.segment_bytes;
  return seen;
}

/// A device whose frames go into a vector.
struct TestDevice {
  Device device;
  std::vector<TestFrame> out;
  std::vector<uint8_t> scratch;
  uint32_t room_frames = ~0U;  // as many more fit

  TestDevice() {
    device.ops = &kOps;
    device.mac[5] = device.peer_mac[5] = 2;
    device.is_point_to_point = true;
    std::memcpy(device.name, "test", 5);
  }

  static uint8_t* Reserve(Device& device, uint32_t length) {
    auto& self = reinterpret_cast<TestDevice&>(device);
    if (self.room_frames == 0) {
      return nullptr;
    }
    self.scratch.assign(length, 0xee);
    return self.scratch.data();
  }
  static void Commit(Device& device, uint32_t length, const FrameMeta& meta) {
    auto& self = reinterpret_cast<TestDevice&>(device);
    self.scratch.resize(length);
    self.out.push_back({self.scratch, meta, 0});
    self.room_frames -= self.room_frames == ~0U ? 0 : 1;
  }
  static void FlushDevice(Device&) {}
  static constexpr DeviceOps kOps = {Reserve, Commit, FlushDevice};
};

/// A stack, its memory and its one device.
struct TestHost {
  TestMemory memory;
  TestDevice wire;
  Stack* stack = nullptr;
  IpAddress address;
  bool is_v6 = false;

  void Start(uint64_t seed, const IpAddress& own, bool v6, const StackOptions& options = {}) {
    memory.seed = seed;
    address = own;
    is_v6 = v6;
    stack = NewStack(memory.environment(), options);
    ASSERT_NE(stack, nullptr);
    ASSERT_EQ(AddDevice(*stack, wire.device), 0);
    ASSERT_EQ(AddAddress(*stack, {wire.device.index, own, static_cast<uint8_t>(v6 ? 64 : 24)}), 0);
  }
  ~TestHost() {
    if (stack != nullptr) {
      FreeStack(stack);
      EXPECT_EQ(memory.held_bytes, 0U) << "memory leaked";
    }
  }
};

/// Edges that a socket told.
struct Events {
  uint32_t seen = 0;
  static void Note(Socket& socket, uint32_t events) { static_cast<Events*>(socket.owner)->seen |= events; }
  void Watch(TcpSocket& socket) {
    SocketOf(socket).owner = this;
    SocketOf(socket).notify = Note;
  }
};

inline size_t WriteAll(TcpSocket& socket, const void* data, size_t size, uint64_t now, bool has_more = false) {
  size_t done = 0;
  while (done < size) {
    int error = 0;
    const Span span = WriteSpan(socket, error);
    if (span.size_bytes == 0) {
      break;
    }
    const size_t piece = std::min<size_t>(span.size_bytes, size - done);
    std::memcpy(span.data, static_cast<const uint8_t*>(data) + done, piece);
    done += piece;
    CommitWrite(socket, static_cast<uint32_t>(piece), has_more || done < size, now);
  }
  return done;
}

inline std::string ReadAll(TcpSocket& socket, uint64_t now, int* error_out = nullptr) {
  std::string text;
  int error = 0;
  for (;;) {
    const Span span = ReadSpan(socket, 0, error);
    if (span.size_bytes == 0) {
      break;
    }
    text.append(reinterpret_cast<char*>(span.data), span.size_bytes);
    ConsumeRead(socket, span.size_bytes, now);
  }
  if (error_out != nullptr) {
    *error_out = error;
  }
  return text;
}

struct WireOptions {
  uint16_t mtu_bytes = 1500;
  uint32_t segment_max_bytes = 0;
  bool has_blank_checksums = false;
  uint64_t delay_ns = 1'000'000;
  bool is_v6 = false;
  uint64_t seed = 7;
};

/// Two stacks and the wire between them.
class TcpPair {
 public:
  explicit TcpPair(const WireOptions& options = {}) : options_(options) {
    uint8_t one[16] = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    for (int i = 0; i < 2; ++i) {
      TestDevice& wire = host[i].wire;
      wire.device.mtu_bytes = options.mtu_bytes;
      wire.device.segment_max_bytes = options.segment_max_bytes;
      wire.device.has_blank_checksums = wire.device.trusts_checksums = options.has_blank_checksums;
      one[15] = static_cast<uint8_t>(i + 1);
      host[i].Start(options.seed + static_cast<uint64_t>(i),
                    options.is_v6 ? IpAddress::V6(one) : IpAddress::V4(10, 0, 0, one[15]), options.is_v6);
    }
  }

  /// Says what happens to a frame from host `from`: false drops it; it may change the frame and its due time.
  std::function<bool(int from, TestFrame& frame)> filter;
  TestHost host[2];
  uint64_t now = 1'000'000'000;
  uint64_t frames = 0;
  bool records = false;
  std::vector<std::pair<int, SeenSegment>> seen;

  TcpSocket* Listen(uint16_t port, uint32_t backlog = 16) {
    TcpSocket* const socket = NewTcpSocket(*host[1].stack, options_.is_v6);
    EXPECT_EQ(BindTcp(*socket, {AnyAddress(options_.is_v6), port}), 0);
    EXPECT_EQ(ListenTcp(*socket, backlog), 0);
    return socket;
  }
  TcpSocket* Connect(uint16_t port, Events* events = nullptr) {
    TcpSocket* const socket = NewTcpSocket(*host[0].stack, options_.is_v6);
    if (events != nullptr) {
      events->Watch(*socket);
    }
    EXPECT_EQ(ConnectTcp(*socket, {host[1].address, port}, now), -EINPROGRESS);
    return socket;
  }
  /// A connection: client's and server's end.
  std::pair<TcpSocket*, TcpSocket*> Establish(uint16_t port = 80) {
    TcpSocket* const listener = Listen(port);
    TcpSocket* const client = Connect(port);
    Run(10 * options_.delay_ns);
    TcpSocket* const server = AcceptTcp(*listener);
    EXPECT_NE(server, nullptr);
    EXPECT_EQ(StateOf(*client), TcpState::kEstablished);
    CloseTcp(*listener, now);
    return {client, server};
  }

  void Flush() {
    for (int i = 0; i < 2; ++i) {
      net::Flush(*host[i].stack, now);
      Collect(i);
    }
  }
  /// All events up to `now + duration`.
  void Run(uint64_t duration_ns) {
    RunUntil([] { return false; }, duration_ns);
  }
  /// Until `done` says so (true) or time is over (false).
  bool RunUntil(const std::function<bool()>& done, uint64_t duration_ns) {
    const uint64_t end = now + duration_ns;
    Flush();
    while (!done()) {
      const uint64_t next = NextEvent();
      if (next > end) {
        now = end;
        return false;
      }
      now = std::max(now, next);
      Deliver();
    }
    return true;
  }
  uint64_t NextEvent() const {
    uint64_t next = kNever;
    for (int i = 0; i < 2; ++i) {
      next = std::min(next, NextDeadline_ns(*host[i].stack));
      for (const TestFrame& frame : flying_[i]) {
        next = std::min(next, frame.due_ns);
      }
    }
    return next;
  }

 private:
  void Collect(int from) {
    for (TestFrame& frame : host[from].wire.out) {
      ++frames;
      frame.due_ns = now + options_.delay_ns;
      if (records) {
        if (auto segment = Dissect(frame)) {
          seen.emplace_back(from, *segment);
        }
      }
      if (!filter || filter(from, frame)) {
        flying_[from].push_back(frame);
      }
    }
    host[from].wire.out.clear();
  }
  void Deliver() {
    for (int from = 0; from < 2; ++from) {
      std::deque<TestFrame> due, later;
      for (TestFrame& frame : flying_[from]) {
        (frame.due_ns <= now ? due : later).push_back(std::move(frame));
      }
      flying_[from] = std::move(later);
      std::stable_sort(due.begin(), due.end(),
                       [](const TestFrame& a, const TestFrame& b) { return a.due_ns < b.due_ns; });
      TestHost& to = host[1 - from];
      for (TestFrame& frame : due) {
        FrameView view;
        view.data = frame.bytes.data();
        view.length_bytes = static_cast<uint32_t>(frame.bytes.size());
        view.meta = frame.meta;
        Input(*to.stack, to.wire.device, view, now);
      }
    }
    for (int i = 0; i < 2; ++i) {
      RunTimers(*host[i].stack, now);
    }
    Flush();
  }

  WireOptions options_;
  std::deque<TestFrame> flying_[2];
};

/// One stack; the test is its peer.
class Bench {
 public:
  explicit Bench(uint16_t mtu_bytes = 1500) {
    host.wire.device.mtu_bytes = mtu_bytes;
    host.wire.device.trusts_checksums = true;
    host.Start(3, IpAddress::V4(10, 0, 0, 1), false);
  }

  TestHost host;
  uint64_t now = 1'000'000'000;
  IpAddress peer = IpAddress::V4(10, 0, 0, 2);
  uint16_t peer_port = 4000;
  uint16_t port = 80;
  TcpOptionsSeen options;  // of the peer's next segments
  uint16_t window = 65535;

  void Inject(uint8_t flags, uint32_t seq, uint32_t ack, const std::string& payload = {}) {
    TestFrame frame;
    frame.bytes.resize(34 + 60 + payload.size());
    uint8_t* const at = frame.bytes.data();
    at[5] = at[11] = 2;
    at[12] = 8;
    TcpHeader header;
    header.source_port = peer_port;
    header.destination_port = port;
    header.seq = seq;
    header.ack = ack;
    header.flags = flags;
    header.window = window;
    header.header_bytes = 20 + WriteTcpOptions(options, (flags & kTcpSyn) != 0, at + 54);
    if ((flags & kTcpSyn) != 0 && options.max_segment_bytes == 0) {
      StoreBig16(at + 56, 1460);
    }
    WriteTcpHeader(header, at + 34);
    std::memcpy(at + 34 + header.header_bytes, payload.data(), payload.size());
    frame.bytes.resize(34 + header.header_bytes + payload.size());
    at[14] = 0x45;
    StoreBig16(at + 16, static_cast<uint16_t>(frame.bytes.size() - 14));
    at[22] = 64;
    at[23] = kProtocolTcp;
    std::memcpy(at + 26, peer.v4(), 4);
    std::memcpy(at + 30, host.address.v4(), 4);
    const auto sum = static_cast<uint16_t>(~FoldSum(SumBytes(at + 14, 20, 0)));
    std::memcpy(at + 24, &sum, 2);
    frame.meta.flags = kFrameChecksumGood;
    FrameView view;
    view.data = at;
    view.length_bytes = static_cast<uint32_t>(frame.bytes.size());
    view.meta = frame.meta;
    Input(*host.stack, host.wire.device, view, now);
    net::Flush(*host.stack, now);
  }
  void Flush() { net::Flush(*host.stack, now); }
  /// Time passes; timers fire when they are due.
  void Pass(uint64_t duration_ns) {
    const uint64_t end = now + duration_ns;
    while (NextDeadline_ns(*host.stack) <= end) {
      now = std::max(now, NextDeadline_ns(*host.stack));
      RunTimers(*host.stack, now);
      Flush();
    }
    now = end;
  }
  /// What was sent since the last call.
  std::vector<SeenSegment> Take() {
    Flush();
    std::vector<SeenSegment> segments;
    for (const TestFrame& frame : host.wire.out) {
      if (auto segment = Dissect(frame)) {
        segments.push_back(*segment);
      }
    }
    host.wire.out.clear();
    return segments;
  }
  SeenSegment TakeOne() {
    auto segments = Take();
    EXPECT_EQ(segments.size(), 1U);
    return segments.empty() ? SeenSegment{} : segments[0];
  }
  void ExpectSilence() { EXPECT_EQ(Take().size(), 0U); }

  TcpSocket* Listen(uint32_t backlog = 16) {
    TcpSocket* const socket = NewTcpSocket(*host.stack, false);
    EXPECT_EQ(BindTcp(*socket, {AnyAddress(false), port}), 0);
    EXPECT_EQ(ListenTcp(*socket, backlog), 0);
    return socket;
  }
  /// Passive open by the peer with SEG.SEQ 1000; `iss` is ours.
  TcpSocket* Accept(TcpSocket& from) {
    const TcpOptionsSeen offered = options;
    Inject(kTcpSyn, 1000, 0);
    const SeenSegment answer = TakeOne();
    EXPECT_EQ(answer.header.flags, kTcpSyn | kTcpAck);
    iss = answer.header.seq;
    if (offered.has_timestamps) {
      options.timestamp_echo = answer.header.options.timestamp;
    }
    Inject(kTcpAck, 1001, iss + 1);
    TcpSocket* const socket = AcceptTcp(from);
    EXPECT_NE(socket, nullptr);
    return socket;
  }
  TcpSocket* Established() {
    listener = Listen();
    return Accept(*listener);
  }
  TcpSocket* listener = nullptr;
  uint32_t iss = 0;
};

inline uint64_t operator""_ms(unsigned long long value) { return value * 1'000'000; }
inline uint64_t operator""_s(unsigned long long value) { return value * 1'000'000'000; }

}  // namespace junction::net
