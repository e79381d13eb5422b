// SPDX-License-Identifier: Apache-2.0
#include "link/link_client.h"

#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/check.h"
#include "base/never.h"

namespace junction::link {
namespace {

constexpr uint32_t kAttach_ms = 1000;

uint64_t Now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void NoteEvents(net::Socket& socket, uint32_t events) { static_cast<LinkConnection*>(socket.owner)->events |= events; }

}  // namespace

Result<std::unique_ptr<LinkClient>> LinkClient::Open(const std::string& path, uint64_t spin_ns) {
  auto attachment = NicAttachment::Open(path, AttachKind::kLink, kAttach_ms);
  if (!attachment) {
    return std::unexpected(std::move(attachment.error()));
  }
  std::unique_ptr<LinkClient> client(new LinkClient(spin_ns));
  client->epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
  if (!client->epoll_.valid()) {
    return ErrnoError("epoll_create1");
  }
  client->stack_ = LinkStack::Make(*client);
  if (client->stack_ == nullptr) {
    return ErrnoError("stack of a link", ENOMEM);
  }
  auto link = client->stack_->Add(std::move(*attachment), Now_ns());
  if (!link) {
    return std::unexpected(std::move(link.error()));
  }
  client->link_ = *link;
  client->stack_->Use(**link);
  epoll_event lease{.events = EPOLLIN | EPOLLRDHUP, .data = {.u32 = 1}};
  if (epoll_ctl(client->epoll_.get(), EPOLL_CTL_ADD, client->link_->lease_fd(), &lease) != 0) {
    return ErrnoError("epoll_ctl");
  }
  return client;
}

LinkClient::~LinkClient() {
  while (!connections_.empty()) {
    Close(*connections_.back());
  }
  if (stack_ != nullptr) {
    Flush();
  }
}

Result<LinkConnection*> LinkClient::Connect(uint16_t port, int timeout_ms) {
  auto connection = std::make_unique<LinkConnection>();
  int error = 0;
  connection->socket = stack_->Connect(*link_, port, error, Now_ns());
  if (connection->socket == nullptr) {
    return ErrnoError("connect over a link", error);
  }
  net::Socket& socket = net::SocketOf(*connection->socket);
  socket.owner = connection.get();
  socket.notify = &NoteEvents;
  connections_.push_back(std::move(connection));
  LinkConnection& added = *connections_.back();
  Flush();
  while ((added.events & (POLLOUT | POLLERR | POLLHUP)) == 0) {
    if (!Wait(timeout_ms)) {
      Close(added);
      return ErrnoError("connect over a link", ETIMEDOUT);
    }
  }
  if ((error = -net::TakeError(socket)) != 0) {
    Close(added);
    return ErrnoError("connect over a link", error);
  }
  added.events = 0;
  return &added;
}

void LinkClient::Close(LinkConnection& connection) {
  net::SocketOf(*connection.socket).notify = nullptr;
  net::CloseTcp(*connection.socket, Now_ns());
  stack_->Touch();
  std::erase_if(connections_, [&](const auto& owned) { return owned.get() == &connection; });
}

bool LinkClient::Write(LinkConnection& connection, std::string_view bytes) {
  while (!bytes.empty()) {
    int error = 0;
    const net::Span room = net::WriteSpan(*connection.socket, error);
    if (room.size_bytes == 0) {
      if (error != -EAGAIN) {
        return false;
      }
      net::CommitWrite(*connection.socket, 0, false, Now_ns());
      stack_->Touch();
      Flush();
      if (!Wait(kPatience_ms)) {
        return false;
      }
      continue;
    }
    const uint32_t size = static_cast<uint32_t>(std::min<size_t>(room.size_bytes, bytes.size()));
    std::memcpy(room.data, bytes.data(), size);
    net::CommitWrite(*connection.socket, size, size < bytes.size(), Now_ns());
    bytes.remove_prefix(size);
  }
  stack_->Touch();
  Flush();
  return true;
}

int64_t LinkClient::Read(LinkConnection& connection, char* out, size_t room) {
  size_t done = 0;
  while (done < room) {
    int error = 0;
    const net::Span span = net::ReadSpan(*connection.socket, 0, error);
    if (span.size_bytes == 0) {
      if (done == 0) {
        return error;
      }
      break;
    }
    const uint32_t size = static_cast<uint32_t>(std::min<size_t>(span.size_bytes, room - done));
    std::memcpy(out + done, span.data, size);
    net::ConsumeRead(*connection.socket, size, Now_ns());
    done += size;
  }
  stack_->Touch();
  return static_cast<int64_t>(done);
}

int64_t LinkClient::ReadSome(LinkConnection& connection, char* out, size_t room) {
  for (;;) {
    const int64_t got = Read(connection, out, room);
    if (got != -EAGAIN) {
      return got;
    }
    if (!Wait(kPatience_ms)) {
      return -ETIMEDOUT;
    }
  }
}

void LinkClient::Flush() { stack_->Flush(Now_ns()); }

bool LinkClient::Wait(int timeout_ms) {
  Flush();  // window updates of what was read
  const uint64_t begin_ns = Now_ns();
  const uint64_t end_ns = begin_ns + static_cast<uint64_t>(timeout_ms) * 1'000'000;
  uint64_t now_ns = begin_ns;
  while (!stack_->HasFrames() && now_ns - begin_ns < spin_ns_ && !stack_->SharesCpu()) {
    sched_yield();
    now_ns = Now_ns();
  }
  spun_ns_ += now_ns - begin_ns;
  for (;;) {
    const uint32_t frames = stack_->Poll(now_ns);
    stack_->Flush(now_ns);
    if (frames > 0 || is_lost_) {
      return true;
    }
    if (now_ns >= end_ns) {
      return false;
    }
    Sleep(static_cast<int>((end_ns - now_ns) / 1'000'000 + 1));
    now_ns = Now_ns();
  }
}

void LinkClient::Sleep(int timeout_ms) {
  const uint64_t now_ns = Now_ns();
  if (!stack_->PrepareToSleep(now_ns)) {
    return;
  }
  if (const uint64_t deadline_ns = stack_->NextDeadline_ns(); deadline_ns != kNever) {
    const uint64_t until_ms = deadline_ns <= now_ns ? 0 : (deadline_ns - now_ns) / 1'000'000 + 1;
    timeout_ms = static_cast<int>(std::min<uint64_t>(until_ms, static_cast<uint64_t>(timeout_ms)));
  }
  ++sleeps_;
  epoll_event events[2];
  const int count = epoll_wait(epoll_.get(), events, 2, timeout_ms);
  stack_->StayAwake();
  for (int i = 0; i < count; ++i) {
    if (events[i].data.u32 == 0) {
      stack_->OnEvent(*link_, Now_ns());
    } else if (!is_lost_) {
      stack_->OnLease(*link_, Now_ns());
    }
  }
}

void LinkClient::Watch(Link& link) {
  epoll_event event{.events = EPOLLIN, .data = {.u32 = 0}};
  JUNCTION_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, link.event_fd(), &event) == 0);
}

void LinkClient::Unwatch(Link& link) {
  JUNCTION_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, link.event_fd(), nullptr) == 0);
}

}  // namespace junction::link
