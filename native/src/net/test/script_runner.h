// SPDX-License-Identifier: Apache-2.0
// Runs packet scripts (../scripts/README.md) against a stack on virtual time. Strict: a packet that nobody wrote down, one that does not
// come, or one that differs in anything ends the script with what was expected and what came.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "net/raw_socket.h"
#include "net/tcp_socket.h"
#include "net/test/packet_codec.h"

namespace junction::net {

/// Which families a script is for: `family 4`, `family 6`, else both.
std::vector<bool> FamiliesOf(const std::string& path);

class ScriptRunner {
 public:
  explicit ScriptRunner(bool is_v6) : is_v6_(is_v6) {}
  ScriptRunner(const ScriptRunner&) = delete;
  ScriptRunner& operator=(const ScriptRunner&) = delete;
  ~ScriptRunner();

  /// Empty if all went as written, else what did not, and the packets so far.
  std::string Run(const std::string& path);

 private:
  using Words = std::vector<std::string>;
  struct Line {
    std::string text;
    int number;
  };
  struct OpenSocket {
    TcpSocket* tcp = nullptr;
    UdpSocket* udp = nullptr;
    uint32_t read_bytes = 0;
    uint32_t written_bytes = 0;
    uint32_t events = 0;  // what notify told since the last look
  };
  struct SentFrame {
    WireFrame frame;
    uint64_t at_ns;
  };

  void RunLines(const std::vector<Line>& lines, size_t from, size_t to);
  void RunLine(std::string text);
  bool Configure(const Words& words);
  void Start();
  void Finish();

  // time
  void StepTo(uint64_t end_ns, bool until_sent);
  void Collect();
  void FlushNow();

  // packets
  void ReceivePacket(const Words& words, size_t from);
  void ExpectPacket(const Words& words, size_t from, uint64_t least_ns, uint64_t most_ns);
  void ExpectOne(const PacketSpec& spec, uint64_t least_ns, uint64_t most_ns);
  void ExpectSilence(const std::string& why);

  // calls
  void RunCall(const Words& words, size_t from);
  bool RunTcpCall(const std::string& name, const std::string& verb, const Words& words, size_t at);
  bool RunUdpCall(const std::string& name, const std::string& verb, const Words& words, size_t at);
  bool RunStackCall(const std::string& verb, const Words& words, size_t at);
  void Listen(const std::string& name, const Words& words, size_t at);
  void Connect(const std::string& name, const Words& words, size_t at);
  int Write(OpenSocket& socket, uint32_t count, bool has_more);
  int Read(OpenSocket& socket, uint32_t count, bool peeks);
  void SetOption(OpenSocket& socket, const Words& words, size_t at);
  void CheckInfo(OpenSocket& socket, const Words& words, size_t at);
  void CheckCounter(const Words& words, size_t at);
  void Establish(bool is_active, const Words& words, size_t at);
  OpenSocket& Find(const std::string& name);
  OpenSocket& Add(const std::string& name, TcpSocket* tcp, UdpSocket* udp);
  void Watch(const std::string& name);
  void ExpectResult(const Words& words, size_t at, int64_t got, int64_t otherwise);

  std::string Trace() const;

  const bool is_v6_;
  HeapEnvironment heap_;
  WireDevice wire_;
  StackOptions options_;
  Stack* stack_ = nullptr;
  std::unique_ptr<PacketCodec> codec_;
  uint64_t now_ns_ = 1000ULL * 1000 * 1000 * 1000;
  uint64_t started_ns_ = 0;
  bool knows_neighbours_ = true;
  bool keeps_announcements_ = false;
  bool is_dual_ = true;
  std::deque<SentFrame> sent_;
  std::map<std::string, OpenSocket> sockets_;
  std::vector<std::string> trace_;
  int line_ = 0;
};

/// "ECONNRESET" and so on; "" if it has no name here.
std::string ErrorName(int64_t error);

}  // namespace junction::net
