// SPDX-License-Identifier: Apache-2.0
#include "ingress/acceptor.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "ingress/clients.h"

namespace junction::ingress {
namespace {

// With several workers each takes one connection a turn: the others are woken by the rest, so that they share evenly.
constexpr int kMostAlone = 64;
constexpr int kMostShared = 1;
constexpr int kMostInDrain = 4096;
constexpr uint64_t kPause_ms = 50;
constexpr uint64_t kReportEvery_ms = 1'000;

}  // namespace

Result<void> Acceptor::Open() { return Watch(); }

Result<void> Acceptor::Watch() {
  // Level-triggered: what is left in the backlog comes up again. Exclusive: one worker is woken, not all.
  auto added = core_.loop.Add(listener_, EPOLLIN | (core_.options.workers > 1 ? EPOLLEXCLUSIVE : 0u), *this);
  is_watching_ = added.has_value();
  return added;
}

void Acceptor::OnEvent() { AcceptSome(core_.options.workers > 1 ? kMostShared : kMostAlone); }

bool Acceptor::TakePlace() {
  for (;;) {
    if (core_.shared.connections.fetch_add(1, std::memory_order_relaxed) < core_.options.max_connections) {
      return true;
    }
    core_.shared.connections.fetch_sub(1, std::memory_order_relaxed);
    if (!IsAnyoneWaiting() || !core_.clients->CloseOneIdle()) {
      return false;
    }
  }
}

bool Acceptor::IsAnyoneWaiting() const {
  pollfd listener{.fd = listener_, .events = POLLIN, .revents = 0};
  return poll(&listener, 1, 0) == 1;
}

void Acceptor::AcceptSome(int most) {
  for (int i = 0; i < most; ++i) {
    if (!TakePlace()) {
      Pause();
      return;
    }
    sockaddr_storage peer{};
    socklen_t length = sizeof(peer);
    UniqueFd fd(accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.valid()) {
      core_.clients->Add(std::move(fd), peer);
      continue;
    }
    const int error = errno;
    core_.shared.connections.fetch_sub(1, std::memory_order_relaxed);
    switch (error) {
      case EAGAIN:
        return;
      case EINVAL:  // another worker has stopped the listener; our own stop follows
        Pause();
        return;
      case EINTR:
      case ECONNABORTED:
      case EPROTO:
      case ENETDOWN:
      case ENOPROTOOPT:
      case EHOSTDOWN:
      case ENONET:
      case EHOSTUNREACH:
      case EOPNOTSUPP:
      case ENETUNREACH:
        continue;  // of that connection only (accept(2))
      default:
        break;
    }
    core_.counters.accept_failures.Add();
    if (core_.loop.now_ms() >= next_report_ms_) {
      next_report_ms_ = core_.loop.now_ms() + kReportEvery_ms;
      core_.events.OnError(std::string("accept: ") + std::strerror(error));
    }
    Pause();
    return;
  }
}

void Acceptor::Pause() {
  if (is_watching_) {
    core_.loop.Remove(listener_);
    is_watching_ = false;
  }
  core_.loop.SetDeadline(*this, core_.loop.now_ms() + kPause_ms);
}

void Acceptor::OnDeadline() {
  if (!is_stopped_ && !is_watching_) {
    if (auto watched = Watch(); !watched) {
      core_.loop.SetDeadline(*this, core_.loop.now_ms() + kPause_ms);
    }
  }
}

void Acceptor::OnConnectionClosed() {
  if (!is_stopped_ && !is_watching_) {
    // Not at once: this comes from deep inside the handling of that connection.
    core_.loop.MakeReady(*this);
  }
}

void Acceptor::Stop() {
  if (is_stopped_) {
    return;
  }
  AcceptSome(kMostInDrain);
  is_stopped_ = true;
  if (is_watching_) {
    core_.loop.Remove(listener_);
    is_watching_ = false;
  }
  core_.loop.Forget(*this);
  // Closes the backlog for all workers: who comes now is refused at once and can go elsewhere.
  shutdown(listener_, SHUT_RDWR);
}

}  // namespace junction::ingress
