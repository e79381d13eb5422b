// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace junction::net {
struct TcpSocket;
}

namespace junction::ingress {

enum class FlushResult {
  kDone,     // nothing is left
  kBlocked,  // the socket's buffer is full: go on when it is writable
  kFailed,   // the peer is gone
};

/// What is to be written to a socket next: up to four pieces in order (head, chunk size, body, chunk end). It only points
/// to the bytes; they must stay until Flush has said kDone or Clear was called.
class Outgoing {
 public:
  bool empty() const { return first_ == count_; }

  void Clear() {
    first_ = 0;
    count_ = 0;
  }

  /// Appends a piece; an empty one is left out. At most one head, then at most one body.
  void AddText(std::string_view text);

  /// Appends body bytes, with chunk framing around them when `chunked`, and the end of a chunked body when `last`.
  void AddBody(std::string_view body, bool chunked, bool last);

  /// Writes as much as the socket takes. `sent` grows by the bytes that went out.
  FlushResult Flush(int fd, uint64_t& sent);
  /// The same into a connection over a link, whose stack sends it at its next flush. kFailed leaves the reason in errno.
  FlushResult Flush(net::TcpSocket& socket, uint64_t& sent, uint64_t now_ns);

 private:
  static constexpr int kPieces = 4;

  uint8_t first_ = 0;
  uint8_t count_ = 0;
  char chunk_size_[20];
  iovec pieces_[kPieces];
};

}  // namespace junction::ingress
