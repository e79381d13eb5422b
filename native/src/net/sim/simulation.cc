// SPDX-License-Identifier: Apache-2.0
#include "net/sim/simulation.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include <algorithm>
#include <cerrno>

#include "net/stack_state.h"
#include "net/tcp_socket.h"

namespace junction::net {
namespace {

constexpr uint64_t kSecond_ns = 1'000'000'000;
constexpr uint64_t kLimit_ns = 3600 * kSecond_ns;
constexpr uint16_t kPort = 8080;

uint8_t ByteAt(uint32_t connection, uint32_t offset, bool is_forth) {
  return static_cast<uint8_t>(offset * 31 + offset / 257 + connection * 7 + (is_forth ? 0 : 101));
}

/// A stack with a device whose frames wait to be taken.
struct Host {
  Device device;  // first
  std::deque<FaultyFrame> sent;
  std::vector<uint8_t> scratch;
  uint64_t random = 0;
  uint64_t held_bytes = 0;
  Stack* stack = nullptr;

  static Host& Of(Device& device) { return reinterpret_cast<Host&>(device); }
  static constexpr DeviceOps kOps = {
      [](Device& device, uint32_t length) {
        Of(device).scratch.resize(length);
        return Of(device).scratch.data();
      },
      [](Device& device, uint32_t length, const FrameMeta& meta) {
        Host& host = Of(device);
        host.sent.push_back({{host.scratch.begin(), host.scratch.begin() + length}, meta});
      },
      [](Device&) {}};
  Environment environment() {
    return {[](void* context, size_t size) {
              static_cast<Host*>(context)->held_bytes += size;
              return std::malloc(size);
            },
            [](void* context, void* memory, size_t size) {
              static_cast<Host*>(context)->held_bytes -= size;
              std::free(memory);
            },
            [](void* context) {
              uint64_t z = (static_cast<Host*>(context)->random += 0x9e3779b97f4a7c15);
              z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
              return z ^ (z >> 31);
            },
            this};
  }
};

/// One end of a connection: writes all it has, reads all that comes, then closes.
struct End {
  TcpSocket* socket = nullptr;
  uint32_t connection = 0;
  bool is_client = false;
  uint32_t write_bytes = 0;
  uint32_t read_bytes = 0;
  uint32_t written = 0;
  uint32_t got = 0;
  bool is_shut = false;
  bool is_done = false;
};

class World {
 public:
  explicit World(const SimulationOptions& options)
      : options_(options), there_(options.faults, options.seed * 2 + 1), back_(options.faults, options.seed * 2 + 2) {}
  ~World() {
    for (Host& host : hosts_) {
      if (host.stack != nullptr) {
        FreeStack(host.stack);
      }
    }
  }

  SimulationResult Run() {
    SimulationResult result;
    if (!Start()) {
      return Failed(result, "set-up");
    }
    while (failure_.empty() && !IsDone()) {
      if (now_ns_ - kStart_ns > kLimit_ns) {
        return Failed(result, "no progress: not complete after an hour");
      }
      Step();
    }
    if (!failure_.empty()) {
      return Failed(result, failure_);
    }
    result.completed_us = (now_ns_ - kStart_ns) / 1000;
    // What the protocol still has to do: TIME-WAIT, retransmissions of the last FIN.
    const uint64_t end_ns = now_ns_ + 1200 * kSecond_ns;
    while (failure_.empty() && NextTime() <= end_ns &&
           (HasConnections(*hosts_[0].stack) || HasConnections(*hosts_[1].stack))) {
      Step();
    }
    Collect(result);
    return Failed(result, CheckRemains(result));
  }

 private:
  static constexpr uint64_t kStart_ns = 1000 * kSecond_ns;

  SimulationResult Failed(SimulationResult result, const std::string& why) {
    result.failure = why;
    return result;
  }
  IpAddress AddressOf(int host) const {
    IpAddress address = IpAddress::V4(10, 0, 0, static_cast<uint8_t>(1 + host));
    if (options_.is_v6) {
      address = IpAddress();
      address.bytes[0] = 0xfd;
      address.bytes[15] = static_cast<uint8_t>(1 + host);
    }
    return address;
  }

  bool Start() {
    for (int i = 0; i < 2; ++i) {
      Host& host = hosts_[i];
      host.random = options_.seed * 1000 + static_cast<uint64_t>(i);
      host.device.ops = &Host::kOps;
      host.device.mtu_bytes = static_cast<uint16_t>(options_.mtu_bytes);
      const MacAddress mac = {2, 0, 0, 0, 0, static_cast<uint8_t>(1 + i)};
      const MacAddress other = {2, 0, 0, 0, 0, static_cast<uint8_t>(2 - i)};
      std::memcpy(host.device.mac, mac, 6);
      std::strcpy(host.device.name, "eth0");
      host.stack = NewStack(host.environment(), {});
      if (host.stack == nullptr || AddDevice(*host.stack, host.device) != 0 ||
          AddAddress(*host.stack, {host.device.index, AddressOf(i), static_cast<uint8_t>(options_.is_v6 ? 64 : 24)}) !=
              0 ||
          AddStaticNeighbour(*host.stack, host.device.index, AddressOf(1 - i), other) != 0) {
        return false;
      }
      Flush(*host.stack, now_ns_);
      host.sent.clear();  // announcements
    }
    listener_ = NewTcpSocket(*hosts_[1].stack, options_.is_v6);
    if (BindTcp(*listener_, {AnyAddress(options_.is_v6), kPort}) != 0 || ListenTcp(*listener_, 1024) != 0) {
      return false;
    }
    for (uint32_t i = 0; i < options_.connections; ++i) {
      TcpSocket* const socket = NewTcpSocket(*hosts_[0].stack, options_.is_v6);
      // The port tells the server which connection it is.
      if (BindTcp(*socket, {AnyAddress(options_.is_v6), static_cast<uint16_t>(20000 + i)}) != 0 ||
          ConnectTcp(*socket, {AddressOf(1), kPort}, now_ns_) != -EINPROGRESS) {
        return false;
      }
      ends_.push_back({socket, i, true, options_.forth_bytes, options_.back_bytes});
    }
    Settle();
    return true;
  }

  void Fail(const End& end, const std::string& what) {
    failure_ = std::string(end.is_client ? "client " : "server ") + std::to_string(end.connection) + ": " + what;
  }

  void Write(End& end) {
    while (end.written < end.write_bytes) {
      int error = 0;
      const Span span = WriteSpan(*end.socket, error);
      if (span.size_bytes == 0) {
        if (error != -EAGAIN) {
          Fail(end, "write gives " + std::to_string(error));
        }
        CommitWrite(*end.socket, 0, false, now_ns_);
        return;
      }
      const uint32_t piece = std::min(span.size_bytes, end.write_bytes - end.written);
      for (uint32_t i = 0; i < piece; ++i) {
        span.data[i] = ByteAt(end.connection, end.written + i, end.is_client);
      }
      end.written += piece;
      CommitWrite(*end.socket, piece, end.written < end.write_bytes, now_ns_);
    }
    if (!end.is_shut && ShutdownTcp(*end.socket, 2, now_ns_) == 0) {
      end.is_shut = true;
    }
  }

  void Read(End& end) {
    for (;;) {
      int error = 0;
      const Span span = ReadSpan(*end.socket, 0, error);
      if (span.size_bytes == 0) {
        if (error == 0 && end.got == end.read_bytes) {
          end.is_done = end.is_shut;
        } else if (error != -EAGAIN) {
          Fail(end, "read gives " + std::to_string(error) + " after " + std::to_string(end.got) + " bytes");
        }
        return;
      }
      for (uint32_t i = 0; i < span.size_bytes; ++i) {
        if (span.data[i] != ByteAt(end.connection, end.got + i, !end.is_client)) {
          Fail(end, "byte " + std::to_string(end.got + i) + " is wrong");
          return;
        }
      }
      end.got += span.size_bytes;
      ConsumeRead(*end.socket, span.size_bytes, now_ns_);
    }
  }

  void Pump() {
    while (TcpSocket* const accepted = AcceptTcp(*listener_)) {
      const uint32_t connection = SocketOf(*accepted).remote.port - 20000U;
      ends_.push_back({accepted, connection, false, options_.back_bytes, options_.forth_bytes});
    }
    for (End& end : ends_) {
      if (end.socket == nullptr || !failure_.empty()) {
        continue;
      }
      const TcpState state = StateOf(*end.socket);
      if (state == TcpState::kSynSent || state == TcpState::kSynReceived) {
        continue;
      }
      if (!end.is_shut) {
        Write(end);
      }
      Read(end);
      if (end.is_done) {
        CloseTcp(*end.socket, now_ns_);
        end.socket = nullptr;
      }
    }
  }

  // Everything that goes on at this moment.
  void Settle() {
    Pump();
    for (int i = 0; i < 2; ++i) {
      Host& host = hosts_[i];
      Flush(*host.stack, now_ns_);
      FaultInjector& way = i == 0 ? there_ : back_;
      for (; !host.sent.empty(); host.sent.pop_front()) {
        const FaultyFrame& frame = host.sent.front();
        way.Push(frame.bytes.data(), static_cast<uint32_t>(frame.bytes.size()), frame.meta, now_ns_);
      }
    }
  }

  uint64_t NextTime() const {
    uint64_t next = std::min(there_.next_ns(), back_.next_ns());
    for (const Host& host : hosts_) {
      next = std::min(next, NextDeadline_ns(*host.stack));
    }
    return next;
  }

  void Step() {
    const uint64_t next = NextTime();
    if (next == ~0ULL) {
      failure_ = "nothing will ever happen again";
      return;
    }
    now_ns_ = std::max(now_ns_, next);
    for (int i = 0; i < 2; ++i) {
      FaultyFrame frame;
      while ((i == 0 ? back_ : there_).Pop(now_ns_, frame)) {
        FrameView view;
        view.data = frame.bytes.data();
        view.length_bytes = static_cast<uint32_t>(frame.bytes.size());
        view.meta = frame.meta;
        Input(*hosts_[i].stack, hosts_[i].device, view, now_ns_);
      }
      RunTimers(*hosts_[i].stack, now_ns_);
    }
    Settle();
  }

  bool IsDone() const {
    if (ends_.size() != 2 * options_.connections) {
      return false;
    }
    for (const End& end : ends_) {
      if (end.socket != nullptr) {
        return false;
      }
    }
    return true;
  }

  void Collect(SimulationResult& result) const {
    for (const Host& host : hosts_) {
      result.retransmits += CountersOf(*host.stack).tcp_retransmits;
      result.timeouts += CountersOf(*host.stack).tcp_timeouts;
    }
    result.frames = there_.pushed + back_.pushed;
  }

  std::string CheckRemains(const SimulationResult& result) {
    if (!failure_.empty()) {
      return failure_;
    }
    // What was lost, and as much again for what seemed so; some for the ends of many connections.
    const uint64_t gone =
        there_.lost + there_.overflowed + there_.corrupted + back_.lost + back_.overflowed + back_.corrupted;
    const uint64_t late = there_.reordered + back_.reordered;
    const uint64_t most = 3 * gone + late + 20 * options_.connections + 20;
    if (result.retransmits > most) {
      return std::to_string(result.retransmits) + " retransmissions, at most " + std::to_string(most) +
             " would be reasonable";
    }
    CloseTcp(*listener_, now_ns_);
    for (Host& host : hosts_) {
      if (HasConnections(*host.stack)) {
        return "a connection is left";
      }
      if (host.stack->pool.used_blocks() != 0) {
        return std::to_string(host.stack->pool.used_blocks()) + " blocks are left";
      }
      FreeStack(host.stack);
      host.stack = nullptr;
      if (host.held_bytes != 0) {
        return std::to_string(host.held_bytes) + " bytes of memory are left";
      }
    }
    return "";
  }

  const SimulationOptions options_;
  Host hosts_[2];
  FaultInjector there_;
  FaultInjector back_;
  TcpSocket* listener_ = nullptr;
  std::vector<End> ends_;
  uint64_t now_ns_ = kStart_ns;
  std::string failure_;
};

}  // namespace

SimulationResult Simulate(const SimulationOptions& options) { return World(options).Run(); }

}  // namespace junction::net
