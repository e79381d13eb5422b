// SPDX-License-Identifier: Apache-2.0
// Blocking ends of connections, scripted byte by byte by a test: the client's and the function's.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace junction::ingress {

/// A message that has been read whole, framing taken off.
struct Message {
  std::string start;                               // request line or status line
  std::multimap<std::string, std::string> fields;  // names in lower case
  std::string head;                                // as it came
  std::string body;

  /// The only value of a field; fails the test when there is none or more.
  std::string Field(const std::string& name) const;
  bool Has(const std::string& name) const { return fields.contains(name); }
  int Status() const;
};

/// One end of a connection. Anything that does not come within the limit fails the test (and reads as empty).
class Peer {
 public:
  explicit Peer(UniqueFd fd) : fd_(std::move(fd)) {}

  void Send(std::string_view bytes);
  /// Sends without waiting for room; returns how much went out.
  size_t SendSome(std::string_view bytes);

  std::string ReadExactly(size_t size);
  std::string ReadUntil(std::string_view end);
  std::string ReadHead() { return ReadUntil("\r\n\r\n"); }
  /// A request, or an answer to a method other than HEAD.
  Message ReadMessage();
  /// Reads all that comes until the other end closes in an orderly way.
  std::string ReadToEnd();
  /// One piece of a chunked body; empty for the last, whose trailers are read too.
  std::string ReadChunk();

  /// True when the other end has closed in an orderly way and nothing else has come before.
  bool IsAtEnd();
  /// True when the other end has reset the connection, whatever came before.
  bool IsReset();
  /// Either of both: nothing comes any more.
  bool IsOver();
  /// True when nothing has come so far; does not wait.
  bool HasNothing();

  void CloseWriting();
  void Close() { fd_.Reset(); }
  void Reset();  // RST
  void SetReceiveBuffer(int size);
  int fd() const { return fd_.get(); }

 private:
  /// Reads once more. False: end, reset or time out.
  bool ReadMore();

  UniqueFd fd_;
  std::string buffer_;
  bool is_reset_ = false;
  bool timed_out_ = false;
};

/// A listening socket whose connections the test serves itself.
class ScriptedServer {
 public:
  ScriptedServer();                                  // 127.0.0.1, a free port
  explicit ScriptedServer(const std::string& path);  // unix

  uint16_t port() const { return port_; }
  /// The next connection; fails the test when none comes.
  Peer Accept();
  /// True when no connection waits; does not wait.
  bool HasNobody();
  /// How many connections may wait, less one.
  void SetBacklog(int backlog);
  void Close() { fd_.Reset(); }

 private:
  UniqueFd fd_;
  uint16_t port_ = 0;
};

/// Connects to 127.0.0.1.
Peer ConnectTo(uint16_t port, int receive_buffer = 0);

/// A port of 127.0.0.1 that nobody listens on.
uint16_t UnusedPort();
/// Whether UnusedPort gave it out.
bool IsUnused(uint16_t port);

}  // namespace junction::ingress
