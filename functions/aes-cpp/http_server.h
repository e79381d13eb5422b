// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "request_parser.h"

struct Response {
  int status = 200;
  std::string body;
  std::string extra_headers;  // whole lines with their line ends
};

// An HTTP/1.1 server on one thread: keep-alive, pipelining, epoll.
class HttpServer {
 public:
  using Handler = std::function<Response(const Request&)>;

  explicit HttpServer(Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Binds `port` on all addresses; false where that fails, with errno set.
  bool Listen(uint16_t port);

  // Serves until SIGTERM or SIGINT; then takes no new connection, ends the idle ones and returns when
  // the requests in flight are answered. Takes over the handlers of both signals for the process.
  void RunUntilTerminated();

 private:
  struct Connection {
    RequestParser parser;
    std::string input;   // read, but not yet parsed: later requests of a pipeline
    std::string output;  // answers from `output_sent` on are still to be sent
    size_t output_sent = 0;
    bool ends_after_output = false;
    bool input_ended = false;
    uint32_t events = 0;  // what epoll reports
  };

  void Accept();
  void Drain();
  void OnEvents(int fd, uint32_t events);
  // These return false when the connection is over.
  bool Read(int fd, Connection& connection);
  void ParseAndAnswer(Connection& connection);
  bool Write(int fd, Connection& connection);
  bool Watch(int fd, Connection& connection);
  void Close(int fd);

  Handler handler_;
  int epoll_fd_ = -1;
  int listen_fd_ = -1;
  bool is_draining_ = false;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
};
