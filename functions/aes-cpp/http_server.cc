// SPDX-License-Identifier: Apache-2.0
#include "http_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr size_t kReadBytes = 64 * 1024;
// While this much output waits for a slow client, no further request of it is read.
constexpr size_t kMaxWaitingOutputBytes = 1024 * 1024;

volatile std::sig_atomic_t is_terminated = 0;

void OnSignal(int) { is_terminated = 1; }

const char* Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 405:
      return "Method Not Allowed";
    case 413:
      return "Content Too Large";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 505:
      return "HTTP Version Not Supported";
  }
  return "Unknown";
}

void AppendAnswer(std::string& output, const Response& response, bool keep_alive, bool has_body) {
  output += "HTTP/1.1 " + std::to_string(response.status) + " " + Reason(response.status) + "\r\n";
  output += response.extra_headers;
  output += "Content-Type: text/plain\r\n";
  output += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  if (!keep_alive) output += "Connection: close\r\n";
  output += "\r\n";
  if (has_body) output += response.body;
}

[[noreturn]] void Die(const char* call) {
  std::perror(call);
  std::abort();
}

}  // namespace

HttpServer::HttpServer(Handler handler) : handler_(std::move(handler)) {
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd_ < 0) Die("epoll_create1");
}

HttpServer::~HttpServer() {
  for (const auto& [fd, connection] : connections_) close(fd);
  if (listen_fd_ >= 0) close(listen_fd_);
  close(epoll_fd_);
}

bool HttpServer::Listen(uint16_t port) {
  listen_fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listen_fd_ < 0) return false;
  const int on = 1;
  setsockopt(listen_fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  if (bind(listen_fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return false;
  if (listen(listen_fd_, SOMAXCONN) != 0) return false;
  epoll_event event{.events = EPOLLIN, .data = {.fd = listen_fd_}};
  return epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, listen_fd_, &event) == 0;
}

void HttpServer::RunUntilTerminated() {
  // The signals stay blocked but inside epoll_pwait: one that comes just before it is not missed.
  sigset_t blocked, while_waiting;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGINT);
  sigprocmask(SIG_BLOCK, &blocked, &while_waiting);
  sigdelset(&while_waiting, SIGTERM);
  sigdelset(&while_waiting, SIGINT);
  struct sigaction action{};
  action.sa_handler = OnSignal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);

  std::array<epoll_event, 64> events;
  while (!is_draining_ || !connections_.empty()) {
    const int count = epoll_pwait(epoll_fd_, events.data(), static_cast<int>(events.size()), -1, &while_waiting);
    if (count < 0 && errno != EINTR) Die("epoll_pwait");
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listen_fd_) {
        Accept();
      } else {
        OnEvents(fd, events[i].events);
      }
    }
    if (is_terminated && !is_draining_) Drain();
  }
}

void HttpServer::Accept() {
  while (true) {
    const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    // Also when out of descriptors: the listening socket is reported again when one is free.
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    auto connection = std::make_unique<Connection>();
    connection->events = EPOLLIN;
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
      close(fd);
      continue;
    }
    connections_.emplace(fd, std::move(connection));
  }
}

void HttpServer::Drain() {
  is_draining_ = true;
  close(listen_fd_);
  listen_fd_ = -1;
  std::vector<int> open_fds;
  for (const auto& [fd, connection] : connections_) open_fds.push_back(fd);
  for (const int fd : open_fds) {
    // A request that has arrived already but was not read yet is still answered.
    OnEvents(fd, EPOLLIN);
  }
}

void HttpServer::OnEvents(int fd, uint32_t events) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  if ((events & EPOLLERR) != 0) return Close(fd);
  if ((events & (EPOLLIN | EPOLLHUP)) != 0 && !Read(fd, connection)) return Close(fd);
  do {
    ParseAndAnswer(connection);
    if (!Write(fd, connection)) return Close(fd);
    // What was read may hold further requests that only waited for the output to go out.
  } while (connection.output.empty() && !connection.input.empty() && !connection.ends_after_output);

  const bool has_output = !connection.output.empty();
  const bool is_over =
      connection.ends_after_output || connection.input_ended || (is_draining_ && connection.parser.idle());
  if ((is_over && !has_output) || !Watch(fd, connection)) Close(fd);
}

bool HttpServer::Read(int fd, Connection& connection) {
  if ((connection.events & EPOLLIN) == 0) return true;  // held back: see Watch
  std::array<char, kReadBytes> buffer;
  const ssize_t size_bytes = recv(fd, buffer.data(), buffer.size(), 0);
  if (size_bytes > 0) {
    connection.input.append(buffer.data(), static_cast<size_t>(size_bytes));
  } else if (size_bytes == 0) {
    connection.input_ended = true;
  } else if (errno != EAGAIN && errno != EINTR) {
    return false;
  }
  return true;
}

void HttpServer::ParseAndAnswer(Connection& connection) {
  std::string_view rest = connection.input;
  while (!rest.empty() && !connection.ends_after_output && connection.output.size() < kMaxWaitingOutputBytes) {
    rest.remove_prefix(connection.parser.Feed(rest));
    if (const int status = connection.parser.error_status(); status != 0) {
      AppendAnswer(connection.output, {.status = status, .body = "", .extra_headers = ""}, false, true);
      connection.ends_after_output = true;
    } else if (connection.parser.complete()) {
      const Request request = connection.parser.Take();
      const bool keep_alive = request.keep_alive && !is_draining_;
      AppendAnswer(connection.output, handler_(request), keep_alive, request.method != "HEAD");
      connection.ends_after_output = !keep_alive;
    } else if (connection.parser.TakeExpectsContinue()) {
      connection.output += "HTTP/1.1 100 Continue\r\n\r\n";
    }
  }
  connection.input.erase(0, connection.input.size() - rest.size());
}

bool HttpServer::Write(int fd, Connection& connection) {
  while (connection.output_sent < connection.output.size()) {
    const ssize_t size_bytes = send(fd, connection.output.data() + connection.output_sent,
                                    connection.output.size() - connection.output_sent, MSG_NOSIGNAL);
    if (size_bytes < 0) return errno == EAGAIN || errno == EINTR;
    connection.output_sent += static_cast<size_t>(size_bytes);
  }
  connection.output.clear();
  connection.output_sent = 0;
  return true;
}

bool HttpServer::Watch(int fd, Connection& connection) {
  // Either wait for requests, or for room to send: a client that does not read its answers is not read from.
  const uint32_t events = connection.output.empty() ? EPOLLIN : EPOLLOUT;
  if (events == connection.events) return true;
  connection.events = events;
  epoll_event event{.events = events, .data = {.fd = fd}};
  return epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) == 0;
}

void HttpServer::Close(int fd) {
  close(fd);
  connections_.erase(fd);
}
