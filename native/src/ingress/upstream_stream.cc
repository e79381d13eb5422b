// SPDX-License-Identifier: Apache-2.0
#include "ingress/upstream_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace junction::ingress {

Result<bool> UpstreamStream::OpenHost(const SocketAddress& address) {
  auto connecting = Connect(address);
  if (!connecting) {
    return std::unexpected(std::move(connecting.error()));
  }
  fd_ = std::move(connecting->fd);
  return connecting->in_progress;
}

int UpstreamStream::OpenLink(link::LinkStack& links, link::Link& link, uint16_t port, void* owner,
                             void (*notify)(net::Socket&, uint32_t), uint64_t now_ns) {
  int error = 0;
  socket_ = links.Connect(link, port, error, now_ns);
  if (socket_ == nullptr) {
    return error;
  }
  links_ = &links;
  net::SocketOf(*socket_).owner = owner;
  net::SocketOf(*socket_).notify = notify;
  return 0;
}

void UpstreamStream::Close(uint64_t now_ns) {
  fd_.Reset();
  if (socket_ != nullptr) {
    net::SocketOf(*socket_).notify = nullptr;
    net::CloseTcp(*std::exchange(socket_, nullptr), now_ns);
    links_->Touch();
  }
}

int UpstreamStream::ConnectError() {
  return socket_ != nullptr ? -net::TakeError(net::SocketOf(*socket_)) : ingress::ConnectError(fd_.get());
}

FlushResult UpstreamStream::Write(Outgoing& out, uint64_t& sent, uint64_t now_ns) {
  if (socket_ == nullptr) {
    return fd_.valid() ? out.Flush(fd_.get(), sent) : FlushResult::kBlocked;
  }
  links_->Touch();
  return out.Flush(*socket_, sent, now_ns);
}

ReadResult UpstreamStream::Read(Buffer& buffer, bool& readable, bool peer_closed, uint64_t now_ns) {
  return socket_ != nullptr ? ReadLink(buffer, readable, now_ns) : ReadOnce(fd_.get(), buffer, readable, peer_closed);
}

ReadResult UpstreamStream::ReadLink(Buffer& buffer, bool& readable, uint64_t now_ns) {
  bool has_data = false;
  while (buffer.space() > 0) {
    int error = 0;
    const net::Span span = net::ReadSpan(*socket_, 0, error);
    if (span.size_bytes == 0) {
      if (error == -EAGAIN) {
        readable = false;
      }
      if (has_data) {
        break;  // an end or an error is what the next call finds
      }
      return error == -EAGAIN ? ReadResult::kBlocked : error == 0 ? ReadResult::kEnd : ReadResult::kFailed;
    }
    const uint32_t size = std::min(span.size_bytes, buffer.space());
    std::memcpy(buffer.data() + buffer.end, span.data, size);
    buffer.end += size;
    net::ConsumeRead(*socket_, size, now_ns);
    has_data = true;
  }
  links_->Touch();
  return ReadResult::kData;
}

}  // namespace junction::ingress
