// SPDX-License-Identifier: Apache-2.0
// What the network stack costs: two stacks in one thread, joined by two real rings as on a link. Prints one line a figure:
//   net_bench            all figures
//   net_bench ROUNDS     only an exchange over a link against a plain byte stream through the same rings
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "net/stack.h"
#include "net/tcp_socket.h"
#include "nic/frame_ring.h"
#include "nic/nic_layout.h"

namespace junction::net {
namespace {

uint64_t Now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// CPU time of this thread: other work on the machine does not count, but for the caches that it takes.
uint64_t Cpu_ns() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void* Allocate(void*, size_t size) { return std::aligned_alloc(64, (size + 63) / 64 * 64); }
void Free(void*, void* memory, size_t) { std::free(memory); }
uint64_t Random(void*) {
  static uint64_t state = 88172645463325252;
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

struct LinkDevice {
  Device device;
  RingProducer out;
  RingConsumer in;

  static uint8_t* Reserve(Device& device, uint32_t length) {
    return reinterpret_cast<LinkDevice&>(device).out.Reserve(length);
  }
  static void Commit(Device& device, uint32_t length, const FrameMeta& meta) {
    reinterpret_cast<LinkDevice&>(device).out.Commit(length, meta);
  }
  static void FlushDevice(Device& device) { reinterpret_cast<LinkDevice&>(device).out.Publish(); }
  static constexpr DeviceOps kOps = {Reserve, Commit, FlushDevice};
};

struct Shape {
  uint16_t mtu_bytes = 65535;
  bool has_blank_checksums = true;
};

struct Side {
  LinkDevice link;
  Stack* stack = nullptr;
  IpAddress address;

  void Start(uint8_t number, Ring& out, Ring& in, const Shape& shape) {
    Device& device = link.device;
    device.ops = &LinkDevice::kOps;
    device.mac[5] = number;
    device.peer_mac[5] = static_cast<uint8_t>(3 - number);
    device.mtu_bytes = shape.mtu_bytes;
    device.has_blank_checksums = device.trusts_checksums = shape.has_blank_checksums;
    device.is_point_to_point = true;
    link.out.Attach(out);
    link.in.Attach(in, true);
    address = IpAddress::V4(10, 0, 0, number);
    stack = NewStack({.allocate = Allocate, .free = Free, .random = Random, .context = nullptr}, {});
    AddDevice(*stack, device);
    AddAddress(*stack, {device.index, address, 24});
  }
  // Takes frames in; true if there were any.
  bool Poll(uint64_t now) {
    FrameView frame;
    bool any = false;
    while (link.in.Peek(frame)) {
      Input(*stack, link.device, frame, now);
      link.in.Pop();
      any = true;
    }
    if (any) {
      link.in.Release();
    }
    return any;
  }
  void After(uint64_t now) {
    if (NextDeadline_ns(*stack) <= now) {
      RunTimers(*stack, now);
    }
    if (link.device.waiting.first() != nullptr) {
      DeviceHasRoom(*stack, link.device, now);
    }
    Flush(*stack, now);
  }
};

uint32_t ReadSome(TcpSocket& socket, uint8_t* to, uint32_t most, uint64_t now) {
  uint32_t done = 0;
  while (done < most) {
    int error = 0;
    const Span span = ReadSpan(socket, 0, error);
    if (span.size_bytes == 0) {
      break;
    }
    const uint32_t piece = span.size_bytes < most - done ? span.size_bytes : most - done;
    std::memcpy(to + done, span.data, piece);
    ConsumeRead(socket, piece, now);
    done += piece;
  }
  return done;
}

uint32_t WriteSome(TcpSocket& socket, const uint8_t* from, uint32_t most, uint64_t now) {
  uint32_t done = 0;
  while (done < most) {
    int error = 0;
    const Span span = WriteSpan(socket, error);
    if (span.size_bytes == 0) {
      break;
    }
    const uint32_t piece = span.size_bytes < most - done ? span.size_bytes : most - done;
    std::memcpy(span.data, from + done, piece);
    done += piece;
    CommitWrite(socket, piece, done < most, now);
  }
  return done;
}

struct Connection {
  TcpSocket* client;
  TcpSocket* server;
};

class Link {
 public:
  explicit Link(const Shape& shape) {
    for (int i = 0; i < 2; ++i) {
      memory_[i] = std::aligned_alloc(4096, kRingSize_bytes);
      std::memset(memory_[i], 0, kRingSize_bytes);
    }
    auto& forth = *static_cast<Ring*>(memory_[0]);
    auto& back = *static_cast<Ring*>(memory_[1]);
    client.Start(1, forth, back, shape);
    server.Start(2, back, forth, shape);
  }
  ~Link() {
    FreeStack(client.stack);
    FreeStack(server.stack);
    std::free(memory_[0]);
    std::free(memory_[1]);
  }
  std::vector<Connection> Connect(uint32_t count) {
    TcpSocket* const listener = NewTcpSocket(*server.stack, false);
    BindTcp(*listener, {IpAddress::V4(0, 0, 0, 0), 80});
    ListenTcp(*listener, 128);
    std::vector<Connection> connections;
    for (uint32_t i = 0; i < count; ++i) {
      TcpSocket* const socket = NewTcpSocket(*client.stack, false);
      ConnectTcp(*socket, {server.address, 80}, Now_ns());
      for (int turn = 0; turn < 4; ++turn) {
        Turn();
      }
      TcpSocket* const accepted = AcceptTcp(*listener);
      if (accepted == nullptr || StateOf(*socket) != TcpState::kEstablished) {
        std::fprintf(stderr, "net_bench: no connection\n");
        std::exit(1);
      }
      connections.push_back({socket, accepted});
    }
    return connections;
  }
  void Turn() {
    const uint64_t now = Now_ns();
    client.Poll(now);
    client.After(now);
    server.Poll(now);
    server.After(now);
  }
  Side client, server;

 private:
  void* memory_[2];
};

void BenchExchange(const char* name, const Shape& shape, uint32_t connections, uint32_t rounds) {
  Link link(shape);
  std::vector<Connection> all = link.Connect(connections);
  std::vector<uint8_t> request(600, 'q'), answer(1200, 'a'), buffer(65536);
  const auto run = [&](uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      Connection& at = all[i % connections];
      uint64_t now = Now_ns();
      WriteSome(*at.client, request.data(), 600, now);
      link.client.After(now);
      link.server.Poll(now);
      if (ReadSome(*at.server, buffer.data(), 65536, now) != 600) {
        std::fprintf(stderr, "net_bench: the request is not there\n");
        std::exit(1);
      }
      now = Now_ns();
      WriteSome(*at.server, answer.data(), 1200, now);
      link.server.After(now);
      link.client.Poll(now);
      if (ReadSome(*at.client, buffer.data(), 65536, now) != 1200) {
        std::fprintf(stderr, "net_bench: the answer is not there\n");
        std::exit(1);
      }
    }
  };
  run(rounds / 10 + connections * 40);
  const StackCounters before = CountersOf(*link.client.stack);
  const uint64_t begin = Cpu_ns();
  run(rounds);
  const uint64_t spent = Cpu_ns() - begin;
  const StackCounters& after = CountersOf(*link.client.stack);
  std::printf("%s: %.0f ns an exchange, %.2f frames each way\n", name, static_cast<double>(spent) / rounds,
              static_cast<double>(after.tcp_out - before.tcp_out) / rounds);
}

// The same exchange as a plain byte stream: the payload goes through the same rings without a protocol, and is copied as often.
void BenchStream(const char* name, uint32_t rounds) {
  void* memory[2];
  RingProducer client_out, server_out;
  RingConsumer client_in, server_in;
  for (void*& ring : memory) {
    ring = std::aligned_alloc(4096, kRingSize_bytes);
    std::memset(ring, 0, kRingSize_bytes);
  }
  client_out.Attach(*static_cast<Ring*>(memory[0]));
  server_in.Attach(*static_cast<Ring*>(memory[0]), true);
  server_out.Attach(*static_cast<Ring*>(memory[1]));
  client_in.Attach(*static_cast<Ring*>(memory[1]), true);
  std::vector<uint8_t> request(600, 'q'), answer(1200, 'a'), queue(65536), buffer(65536);
  // As a socket does: into the sender's queue, into the ring, into the receiver's queue, to the reader.
  const auto move = [&](const std::vector<uint8_t>& from, RingProducer& out, RingConsumer& in) {
    const auto size = static_cast<uint32_t>(from.size());
    std::memcpy(queue.data(), from.data(), size);
    uint8_t* const place = out.Reserve(size);
    FrameView frame;
    if (place == nullptr) {
      std::fprintf(stderr, "net_bench: the ring is full\n");
      std::exit(1);
    }
    std::memcpy(place, queue.data(), size);
    out.Commit(size, {});
    out.Publish();
    if (!in.Peek(frame) || frame.length_bytes != size) {
      std::fprintf(stderr, "net_bench: the bytes are not there\n");
      std::exit(1);
    }
    std::memcpy(queue.data(), frame.data, size);
    in.Pop();
    in.Release();
    std::memcpy(buffer.data(), queue.data(), size);
  };
  const auto run = [&](uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      [[maybe_unused]] const uint64_t first_now = Now_ns();  // both ends look at the clock, as with TCP
      move(request, client_out, server_in);
      [[maybe_unused]] const uint64_t second_now = Now_ns();
      move(answer, server_out, client_in);
    }
  };
  run(rounds / 10);
  const uint64_t begin = Cpu_ns();
  run(rounds);
  std::printf("%s: %.0f ns an exchange\n", name, static_cast<double>(Cpu_ns() - begin) / rounds);
  std::free(memory[0]);
  std::free(memory[1]);
}

void BenchBulk(const char* name, const Shape& shape, uint64_t total, uint32_t piece) {
  Link link(shape);
  Connection at = link.Connect(1)[0];
  std::vector<uint8_t> data(1 << 20), buffer(1 << 20);
  for (size_t i = 0; i < data.size(); ++i) {
    data[i] = static_cast<uint8_t>(i * 31 + (i >> 8));
  }
  uint64_t sent = 0, got = 0;
  bool is_intact = true;
  const uint64_t begin = Cpu_ns();
  while (got < total) {
    const uint64_t now = Now_ns();
    const auto offset = static_cast<uint32_t>(sent % data.size());
    const auto most = static_cast<uint32_t>(std::min<uint64_t>({piece, data.size() - offset, total - sent}));
    link.client.Poll(now);
    if (most != 0) {
      sent += WriteSome(*at.client, data.data() + offset, most, now);
    }
    link.client.After(now);
    link.server.Poll(now);
    const uint32_t count = ReadSome(*at.server, buffer.data(), static_cast<uint32_t>(buffer.size()), now);
    if (count != 0) {
      is_intact &= buffer[0] == data[got % data.size()] && buffer[count - 1] == data[(got + count - 1) % data.size()];
    }
    got += count;
    link.server.After(now);
  }
  const uint64_t spent = Cpu_ns() - begin;
  std::printf("%s: %.1f Gbit/s%s\n", name, static_cast<double>(total) * 8 / static_cast<double>(spent),
              is_intact ? "" : " BROKEN");
}

}  // namespace
}  // namespace junction::net

int main(int argc, char** argv) {
  using junction::net::BenchBulk;
  using junction::net::BenchExchange;
  const auto rounds = static_cast<uint32_t>(argc > 1 ? std::atoi(argv[1]) : 2'000'000);
  junction::net::BenchStream("600 + 1200 bytes, plain stream", rounds);
  BenchExchange("600 + 1200 bytes, link", {}, 1, rounds);
  if (argc > 1) {
    return 0;
  }
  BenchExchange("600 + 1200 bytes, link, 64 connections", {}, 64, rounds);
  BenchExchange("600 + 1200 bytes, checksums", {1500, false}, 1, rounds);
  BenchBulk("bulk, link, 64 KiB writes", {}, 8ULL << 30, 65536);
  BenchBulk("bulk, link, 1 MiB writes", {}, 8ULL << 30, 1 << 20);
  BenchBulk("bulk, MTU 1500", {1500, true}, 4ULL << 30, 65536);
  BenchBulk("bulk, MTU 1500, checksums", {1500, false}, 2ULL << 30, 65536);
  return 0;
}
