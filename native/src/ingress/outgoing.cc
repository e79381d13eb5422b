// SPDX-License-Identifier: Apache-2.0
// Hot path: one system call a flush, no allocation.
#include "ingress/outgoing.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "ingress/text_writer.h"
#include "net/tcp_socket.h"

namespace junction::ingress {
namespace {

constexpr std::string_view kLastChunk = "0\r\n\r\n";
constexpr std::string_view kChunkEnd = "\r\n";
constexpr std::string_view kChunkEndAndLast = "\r\n0\r\n\r\n";

int HexDigits(uint64_t value) {
  int digits = 1;
  while (value >>= 4) {
    ++digits;
  }
  return digits;
}

}  // namespace

void Outgoing::AddText(std::string_view text) {
  if (text.empty()) {
    return;
  }
  if (empty()) {
    Clear();
  }
  JUNCTION_CHECK(count_ < kPieces);
  pieces_[count_++] = iovec{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
}

void Outgoing::AddBody(std::string_view body, bool chunked, bool last) {
  if (!chunked) {
    AddText(body);
    return;
  }
  if (body.empty()) {
    AddText(last ? kLastChunk : std::string_view());
    return;
  }
  TextWriter size(chunk_size_, sizeof(chunk_size_));
  size.Hex(body.size(), HexDigits(body.size()));
  size.Text(kChunkEnd);
  AddText(std::string_view(chunk_size_, size.size()));
  AddText(body);
  AddText(last ? kChunkEndAndLast : kChunkEnd);
}

FlushResult Outgoing::Flush(int fd, uint64_t& sent) {
  while (first_ < count_) {
    ssize_t written;
    if (count_ - first_ == 1) {
      written = send(fd, pieces_[first_].iov_base, pieces_[first_].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = pieces_ + first_;
      message.msg_iovlen = static_cast<size_t>(count_ - first_);
      written = sendmsg(fd, &message, MSG_NOSIGNAL);
    }
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      return errno == EAGAIN ? FlushResult::kBlocked : FlushResult::kFailed;
    }
    sent += static_cast<uint64_t>(written);
    size_t left = static_cast<size_t>(written);
    while (first_ < count_ && left >= pieces_[first_].iov_len) {
      left -= pieces_[first_].iov_len;
      ++first_;
    }
    if (left > 0) {
      pieces_[first_].iov_base = static_cast<char*>(pieces_[first_].iov_base) + left;
      pieces_[first_].iov_len -= left;
      // A short write means a full socket buffer: the next try would only say EAGAIN, but it also arms the edge.
    }
  }
  Clear();
  return FlushResult::kDone;
}

FlushResult Outgoing::Flush(net::TcpSocket& socket, uint64_t& sent, uint64_t now_ns) {
  while (first_ < count_) {
    iovec& piece = pieces_[first_];
    int error = 0;
    const net::Span room = net::WriteSpan(socket, error);
    if (room.size_bytes == 0) {
      if (error != -EAGAIN) {
        errno = -error;
        return FlushResult::kFailed;
      }
      net::CommitWrite(socket, 0, false,
                       now_ns);  // what is in the buffer goes out: it was committed as if more came soon
      return FlushResult::kBlocked;
    }
    const uint32_t size = static_cast<uint32_t>(std::min<uint64_t>(room.size_bytes, piece.iov_len));
    std::memcpy(room.data, piece.iov_base, size);
    const bool is_piece_done = size == piece.iov_len;
    net::CommitWrite(socket, size, !is_piece_done || first_ + 1 < count_, now_ns);
    sent += size;
    if (is_piece_done) {
      ++first_;
    } else {
      piece.iov_base = static_cast<char*>(piece.iov_base) + size;
      piece.iov_len -= size;
    }
  }
  Clear();
  return FlushResult::kDone;
}

}  // namespace junction::ingress
