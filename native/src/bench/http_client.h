// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/unique_fd.h"

namespace junction::bench {

/// Where to send requests: IPv4 address, port and path of an `http://A.B.C.D:PORT/PATH` URL.
struct Target {
  uint32_t address = 0;  // network byte order
  uint16_t port = 0;     // host byte order
  std::string host;      // for the Host header
  std::string path;
};

/// Parses an http URL with a numeric IPv4 host.
Result<Target> ParseUrl(std::string_view url);

/// One complete POST request with keep-alive, ready to be sent again and again.
std::string RenderRequest(const Target& target, std::string_view body);

/// Opens a TCP connection with TCP_NODELAY.
Result<UniqueFd> Connect(const Target& target, bool nonblocking);

/// Follows one HTTP/1.1 answer through a byte stream. Knows Content-Length and chunked bodies, which is what the
/// servers under test send; anything else counts as malformed.
class AnswerReader {
 public:
  enum class State { kIncomplete, kComplete, kMalformed };

  void Reset() { *this = AnswerReader(); }

  /// Takes the next bytes. kComplete: one answer has ended exactly at the end of what was given so far.
  State Feed(std::string_view bytes);

  int status() const { return status_; }
  size_t body_bytes() const { return body_.size(); }
  std::string_view body() const { return body_; }

 private:
  bool ParseHead();
  State ReadChunked();

  std::string buffer_;
  std::string body_;
  size_t content_length_ = 0;
  int status_ = 0;
  bool head_done_ = false;
  bool chunked_ = false;
};

}  // namespace junction::bench
