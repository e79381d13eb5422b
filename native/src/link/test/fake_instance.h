// SPDX-License-Identifier: Apache-2.0
// An instance as its peers see it, in a thread of a test: the NIC's memory, the monitor that gives out links, and our TCP/IP stack. Its
// guests' servers are either on the host (Bridge) or answer by themselves (ServeHttp).
#pragma once

#include <poll.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "net/stack.h"
#include "net/tcp_socket.h"
#include "nic/frame_ring.h"
#include "nic/link_server.h"
#include "nic/nic_memory.h"
#include "nic/rss.h"

namespace junction::link {

class FakeInstance {
 public:
  struct Options {
    uint32_t links = 1;
    uint32_t queue_pairs = 1;
    uint8_t host_byte = 2;         // address 10.99.0.x
    bool has_ip6_only = false;     // address fd00:99::x
    bool polls = false;            // never sleeps
    bool sleeps_in_futex = false;  // Bridge does not work then
  };

  explicit FakeInstance(const Options& options);
  FakeInstance(const FakeInstance&) = delete;
  FakeInstance& operator=(const FakeInstance&) = delete;
  ~FakeInstance();

  const std::string& link_path() const { return link_path_; }

  /// Connections to `port` of the instance go on to 127.0.0.1:`port` of the host, byte for byte, ends and resets included.
  void Bridge(uint16_t port);
  /// Answers each request (a head, with Content-Length bytes behind it) with `answer`.
  void ServeHttp(uint16_t port, const std::string& answer);
  /// Takes what comes and sends the same back.
  void ServeEcho(uint16_t port);

  /// As if it was killed: leases end, nothing is said to the peers.
  void Kill();
  /// The thread stands still until Resume, leases held: an instance that was stopped.
  void Pause();
  void Resume();

  /// Connections that were accepted so far.
  uint32_t accepted() const { return accepted_; }
  /// What hostile code could do: write to the memory, and ring.
  const NicView& view() const { return view_; }
  void RingPeer(uint32_t port);
  /// Sends a frame over a link as it is, behind the stack's back; only while paused. False: no room.
  bool SendRaw(uint32_t port, const std::string& frame);

 private:
  struct Port;
  struct Connection;
  enum class Service { kBridge, kHttp, kEcho };
  struct Server {
    Service service;
    uint16_t port;
    std::string answer;
    net::TcpSocket* listener = nullptr;
  };

  void MakeStack();
  void Run();
  void Do(std::function<void()> task);  // in the thread; waits for it
  void TakeCommands();
  bool PollPorts(uint64_t now_ns);
  void CheckGeneration(Port& port, uint64_t now_ns);
  bool HasFrames();
  void Listen(Server server);
  void Accept(uint64_t now_ns);
  bool Serve(Connection& connection, uint64_t now_ns);
  bool ServeBridge(Connection& connection, uint64_t now_ns);
  bool ServeHere(Connection& connection, uint64_t now_ns);
  void Answer(Connection& connection);
  void Sleep(uint64_t now_ns);

  Options options_;
  std::string folder_;
  std::string link_path_;
  NicMemory nic_;
  NicView view_;
  LinkServer link_server_;
  net::Stack* stack_ = nullptr;
  RssKey key_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<std::unique_ptr<Connection>> connections_;
  UniqueFd wake_;  // eventfd: commands
  std::mutex mutex_;
  std::vector<std::function<void()>> commands_;
  std::atomic<uint32_t> accepted_{0};
  std::atomic<bool> is_paused_{false};
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace junction::link
