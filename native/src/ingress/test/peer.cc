// SPDX-License-Identifier: Apache-2.0
#include "ingress/test/peer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "ingress/body_decoder.h"
#include "ingress/http_chars.h"
#include "ingress/socket.h"

namespace junction::ingress {
namespace {

// After this something will not come any more, sanitizers and a busy machine included.
constexpr int kLimit_ms = 30'000;

bool WaitFor(int fd, short events) {
  pollfd wanted{.fd = fd, .events = events, .revents = 0};
  return poll(&wanted, 1, kLimit_ms) == 1;
}

bool IsReadyNow(int fd) {
  pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&wanted, 1, 0) == 1;
}

}  // namespace

std::string Message::Field(const std::string& name) const {
  EXPECT_EQ(fields.count(name), 1u) << name << " in\n" << head;
  const auto found = fields.find(name);
  return found == fields.end() ? "" : found->second;
}

int Message::Status() const {
  EXPECT_TRUE(start.starts_with("HTTP/1.1 ")) << start;
  return start.size() < 12 ? 0 : std::stoi(start.substr(9, 3));
}

void Peer::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN && WaitFor(fd_.get(), POLLOUT)) {
      continue;
    }
    if (sent < 0) {
      ADD_FAILURE() << "cannot send: " << std::strerror(errno);
      return;
    }
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

size_t Peer::SendSome(std::string_view bytes) {
  const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<size_t>(sent);
}

bool Peer::ReadMore() {
  if (!WaitFor(fd_.get(), POLLIN)) {
    timed_out_ = true;
    ADD_FAILURE() << "nothing more comes; so far:\n" << buffer_.substr(0, 2000);
    return false;
  }
  char bytes[65536];
  const ssize_t got = recv(fd_.get(), bytes, sizeof(bytes), 0);
  if (got < 0) {
    is_reset_ = errno == ECONNRESET;
    return false;
  }
  buffer_.append(bytes, static_cast<size_t>(got));
  return got > 0;
}

std::string Peer::ReadExactly(size_t size) {
  while (buffer_.size() < size) {
    if (!ReadMore()) {
      ADD_FAILURE() << "ends after " << buffer_.size() << " of " << size << " bytes:\n" << buffer_.substr(0, 2000);
      return "";
    }
  }
  std::string bytes = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return bytes;
}

std::string Peer::ReadUntil(std::string_view end) {
  size_t at;
  while ((at = buffer_.find(end)) == std::string::npos) {
    if (!ReadMore()) {
      ADD_FAILURE() << "ends before what was waited for:\n" << buffer_.substr(0, 2000);
      return "";
    }
  }
  return ReadExactly(at + end.size());
}

std::string Peer::ReadChunk() {
  const std::string size = ReadUntil("\r\n");
  const size_t length = size.empty() ? 0 : std::stoul(size, nullptr, 16);
  std::string chunk = ReadExactly(length);
  EXPECT_EQ(ReadUntil("\r\n"), "\r\n");
  return chunk;
}

Message Peer::ReadMessage() {
  Message message;
  message.head = ReadHead();
  size_t at = message.head.find("\r\n");
  if (at == std::string::npos) {
    return message;
  }
  message.start = message.head.substr(0, at);
  while ((at += 2) + 2 < message.head.size()) {
    const size_t end = message.head.find("\r\n", at);
    const std::string line = message.head.substr(at, end - at);
    const size_t colon = line.find(':');
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), LowerChar);
    message.fields.emplace(name, TrimBlanks(std::string_view(line).substr(colon + 1)));
    at = end;
  }
  if (message.Has("content-length")) {
    message.body = ReadExactly(std::stoul(message.Field("content-length")));
  } else if (message.Has("transfer-encoding")) {
    for (std::string chunk = ReadChunk(); !chunk.empty(); chunk = ReadChunk()) {
      message.body += chunk;
    }
  }
  return message;
}

std::string Peer::ReadToEnd() {
  while (ReadMore()) {
  }
  EXPECT_FALSE(is_reset_) << "the connection was reset";
  return std::exchange(buffer_, "");
}

bool Peer::IsAtEnd() {
  if (!buffer_.empty()) {
    return false;
  }
  return !ReadMore() && !is_reset_ && !timed_out_;
}

bool Peer::IsReset() {
  while (ReadMore()) {
  }
  return is_reset_;
}

bool Peer::IsOver() {
  if (!buffer_.empty()) {
    return false;
  }
  return !ReadMore() && !timed_out_;
}

bool Peer::HasNothing() { return buffer_.empty() && !IsReadyNow(fd_.get()); }

void Peer::CloseWriting() { shutdown(fd_.get(), SHUT_WR); }

void Peer::Reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  fd_.Reset();
}

void Peer::SetReceiveBuffer(int size) { setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)); }

ScriptedServer::ScriptedServer() {
  auto listener = Listen(*MakeIpAddress("127.0.0.1", 0));
  EXPECT_TRUE(listener.has_value());
  fd_ = std::move(*listener);
  port_ = *LocalPort(fd_.get());
}

ScriptedServer::ScriptedServer(const std::string& path) {
  const auto address = MakeUnixAddress(path);
  fd_.Reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(bind(fd_.get(), address->get(), address->length), 0);
  EXPECT_EQ(listen(fd_.get(), 16), 0);
}

Peer ScriptedServer::Accept() {
  EXPECT_TRUE(WaitFor(fd_.get(), POLLIN)) << "nobody connects";
  return Peer(UniqueFd(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
}

bool ScriptedServer::HasNobody() { return !IsReadyNow(fd_.get()); }

void ScriptedServer::SetBacklog(int backlog) { EXPECT_EQ(listen(fd_.get(), backlog), 0); }

Peer ConnectTo(uint16_t port, int receive_buffer) {
  const auto address = MakeIpAddress("127.0.0.1", port);
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (receive_buffer > 0) {
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  }
  EXPECT_EQ(connect(fd.get(), address->get(), address->length), 0) << std::strerror(errno);
  return Peer(std::move(fd));
}

namespace {

std::set<uint16_t>& UnusedPorts() {
  static std::set<uint16_t> ports;
  return ports;
}

}  // namespace

bool IsUnused(uint16_t port) { return UnusedPorts().contains(port); }

uint16_t UnusedPort() {
  // Bound but not listening: connections are refused, and nobody else gets the port while the process lives.
  static std::vector<UniqueFd> held;
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = MakeIpAddress("127.0.0.1", 0);
  EXPECT_EQ(bind(fd.get(), address->get(), address->length), 0);
  const uint16_t port = *LocalPort(fd.get());
  held.push_back(std::move(fd));
  UnusedPorts().insert(port);
  return port;
}

}  // namespace junction::ingress
