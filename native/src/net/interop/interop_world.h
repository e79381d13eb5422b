// SPDX-License-Identifier: Apache-2.0
// Our stack and Linux' at the two ends of a wire with faults, in one thread and a network namespace of its own. Sockets of both sides are
// driven by one loop: it waits for frames, deadlines and Linux' sockets, never for a time alone.
#pragma once

#include <unistd.h>

#include <functional>
#include <memory>
#include <vector>

#include "net/interop/host_wire.h"
#include "net/interop/pcap_writer.h"
#include "net/tcp_socket.h"
#include "net/test/wire_fixture.h"

namespace junction::net {

/// One end of a connection; `tcp` or `descriptor`. Not to be copied, as it closes its descriptor. Writes its bytes, reads the other's, and checks them.
struct InteropEnd {
  ~InteropEnd() {
    if (descriptor >= 0) {
      close(descriptor);
    }
  }

  TcpSocket* tcp = nullptr;
  int descriptor = -1;
  uint32_t id = 0;           // of the connection: what its bytes are
  uint64_t write_bytes = 0;  // how many it writes before it shuts its side
  uint64_t written = 0;
  uint64_t got = 0;
  bool is_shut = false;
  bool reads = true;  // false: it lets its window close
  bool has_ended = false;
  int error = 0;  // negative errno
};

class InteropWorld {
 public:
  InteropWorld() = default;
  InteropWorld(const InteropWorld&) = delete;
  InteropWorld& operator=(const InteropWorld&) = delete;
  ~InteropWorld();

  /// "" or what failed.
  std::string Start(WireKind kind, uint32_t mtu_bytes, const FaultOptions& faults, uint64_t seed, bool is_v6);
  /// A connection that Linux opens, or we do; both ends in `ends`. "" or what failed.
  std::string Connect(bool linux_opens, InteropEnd& own, InteropEnd& theirs);
  /// Runs until `is_done`; false after a minute without it, or if no byte moved for long.
  bool RunUntil(const std::function<bool()>& is_done);
  void Move(InteropEnd& end);
  void Close(InteropEnd& end, bool resets);

  std::vector<InteropEnd*> ends;  // moved by the loop; a test's own, gone before the world is
  Stack* stack = nullptr;
  uint64_t now_ns = 0;
  PcapWriter pcap;
  std::unique_ptr<FaultInjector> out;
  std::unique_ptr<FaultInjector> in;

 private:
  bool Step();
  void MoveOwn(InteropEnd& end);
  void MoveTheirs(InteropEnd& end);

  HeapEnvironment heap_;
  WireDevice device_;
  HostWire wire_;
  TcpSocket* listener_ = nullptr;
  int their_listener_ = -1;
  bool is_v6_ = false;
  uint32_t next_id_ = 0;
  std::vector<uint8_t> scratch_;
};

uint64_t MonotonicNow_ns();

}  // namespace junction::net
