// SPDX-License-Identifier: Apache-2.0
#include "net/interop/interop_world.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace junction::net {
namespace {

constexpr uint64_t kPatience_ns = 120ULL * 1'000'000'000;
constexpr uint16_t kOwnPort = 8080;
constexpr uint16_t kTheirPort = 9090;

// A period of 251 * 256 bytes, which no segment size or power of two divides: bytes in another place differ.
uint8_t ByteAt(uint32_t id, uint64_t offset, bool is_own) {
  return static_cast<uint8_t>(offset + offset / 251 + id * 13 + (is_own ? 0 : 101));
}
void Fill(uint8_t* to, uint32_t count, uint32_t id, uint64_t offset, bool is_own) {
  for (uint32_t i = 0; i < count; ++i) {
    to[i] = ByteAt(id, offset + i, is_own);
  }
}
bool Check(const uint8_t* from, uint32_t count, uint32_t id, uint64_t offset, bool is_own) {
  for (uint32_t i = 0; i < count; ++i) {
    if (from[i] != ByteAt(id, offset + i, is_own)) {
      return false;
    }
  }
  return true;
}

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  SocketAddress(bool is_v6, bool is_theirs, uint16_t port) {
    if (is_v6) {
      auto& address = reinterpret_cast<sockaddr_in6&>(storage);
      address.sin6_family = AF_INET6;
      address.sin6_port = htons(port);
      inet_pton(AF_INET6, is_theirs ? "fd07::1" : "fd07::2", &address.sin6_addr);
      size = sizeof address;
    } else {
      auto& address = reinterpret_cast<sockaddr_in&>(storage);
      address.sin_family = AF_INET;
      address.sin_port = htons(port);
      inet_pton(AF_INET, is_theirs ? "10.7.0.1" : "10.7.0.2", &address.sin_addr);
      size = sizeof address;
    }
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

}  // namespace

uint64_t MonotonicNow_ns() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

InteropWorld::~InteropWorld() {
  if (their_listener_ >= 0) {
    close(their_listener_);
  }
  if (stack != nullptr) {
    FreeStack(stack);
    EXPECT_EQ(heap_.held_bytes, 0U) << "memory that the stack has not given back";
  }
}

std::string InteropWorld::Start(WireKind kind, uint32_t mtu_bytes, const FaultOptions& faults, uint64_t seed,
                                bool is_v6) {
  is_v6_ = is_v6;
  scratch_.resize(256 * 1024);
  out = std::make_unique<FaultInjector>(faults, seed);
  in = std::make_unique<FaultInjector>(faults, seed + 1);
  const std::string failure = wire_.Open(kind, mtu_bytes, "10.7.0.1", "fd07::1");
  if (!failure.empty()) {
    return failure;
  }
  now_ns = MonotonicNow_ns();
  heap_.random.seed(seed);
  stack = NewStack(heap_.environment(), {});
  Device& device = device_.device;
  device.mtu_bytes = static_cast<uint16_t>(mtu_bytes);
  if (kind == WireKind::kTapOffload) {
    device.segment_max_bytes = 60000;
    device.has_blank_checksums = true;
  }
  device.trusts_checksums = kind != WireKind::kTapPlain;
  IpAddress address6;
  inet_pton(AF_INET6, "fd07::2", address6.bytes);
  if (AddDevice(*stack, device) != 0 || AddAddress(*stack, {device.index, IpAddress::V4(10, 7, 0, 2), 24}) != 0 ||
      AddAddress(*stack, {device.index, address6, 64}) != 0) {
    return "the stack";
  }
  listener_ = NewTcpSocket(*stack, is_v6);
  if (BindTcp(*listener_, {AnyAddress(is_v6), kOwnPort}) != 0 || ListenTcp(*listener_, 4096) != 0) {
    return "our listener";
  }
  const SocketAddress any(is_v6, true, kTheirPort);
  const int on = 1;
  their_listener_ = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(their_listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(their_listener_, any.get(), any.size) != 0 || listen(their_listener_, 4096) != 0) {
    return std::string("Linux' listener: ") + std::strerror(errno);
  }
  return "";
}

std::string InteropWorld::Connect(bool linux_opens, InteropEnd& own, InteropEnd& theirs) {
  own.id = theirs.id = next_id_++;
  if (linux_opens) {
    const SocketAddress to(is_v6_, false, kOwnPort);
    theirs.descriptor = socket(is_v6_ ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (theirs.descriptor < 0 || (connect(theirs.descriptor, to.get(), to.size) != 0 && errno != EINPROGRESS)) {
      return std::string("Linux' connect: ") + std::strerror(errno);
    }
    if (!RunUntil([&] { return (own.tcp = AcceptTcp(*listener_)) != nullptr; })) {
      return "nothing to accept";
    }
  } else {
    IpAddress address = IpAddress::V4(10, 7, 0, 1);
    if (is_v6_) {
      inet_pton(AF_INET6, "fd07::1", address.bytes);
    }
    own.tcp = NewTcpSocket(*stack, is_v6_);
    const int result = ConnectTcp(*own.tcp, {address, kTheirPort}, now_ns);
    if (result != -EINPROGRESS) {
      return "our connect: " + std::to_string(result);
    }
    if (!RunUntil([&] {
          theirs.descriptor = accept4(their_listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
          return theirs.descriptor >= 0;
        })) {
      return "nothing for Linux to accept";
    }
  }
  ends.push_back(&own);
  ends.push_back(&theirs);
  return "";
}

void InteropWorld::MoveOwn(InteropEnd& end) {
  const TcpState state = StateOf(*end.tcp);
  if (state == TcpState::kSynSent || state == TcpState::kSynReceived) {
    return;
  }
  while (end.written < end.write_bytes) {
    int error = 0;
    const Span span = WriteSpan(*end.tcp, error);
    if (span.size_bytes == 0) {
      end.error = error == -EAGAIN ? end.error : error;
      CommitWrite(*end.tcp, 0, false, now_ns);
      break;
    }
    const auto piece = static_cast<uint32_t>(std::min<uint64_t>(span.size_bytes, end.write_bytes - end.written));
    Fill(span.data, piece, end.id, end.written, true);
    end.written += piece;
    CommitWrite(*end.tcp, piece, end.written < end.write_bytes, now_ns);
  }
  if (end.written == end.write_bytes && end.write_bytes != 0 && !end.is_shut) {
    end.is_shut = ShutdownTcp(*end.tcp, 2, now_ns) == 0;
  }
  while (end.reads && !end.has_ended) {
    int error = 0;
    const Span span = ReadSpan(*end.tcp, 0, error);
    if (span.size_bytes == 0) {
      end.has_ended = error == 0;
      end.error = error == 0 || error == -EAGAIN ? end.error : error;
      break;
    }
    EXPECT_TRUE(Check(span.data, span.size_bytes, end.id, end.got, false)) << "wrong bytes from Linux near " << end.got;
    end.got += span.size_bytes;
    ConsumeRead(*end.tcp, span.size_bytes, now_ns);
  }
}

void InteropWorld::MoveTheirs(InteropEnd& end) {
  while (end.written < end.write_bytes) {
    const auto piece = static_cast<uint32_t>(std::min<uint64_t>(65536, end.write_bytes - end.written));
    Fill(scratch_.data(), piece, end.id, end.written, false);
    const ssize_t sent = send(end.descriptor, scratch_.data(), piece, MSG_NOSIGNAL);
    if (sent <= 0) {
      end.error = errno == EAGAIN || errno == ENOTCONN ? end.error : -errno;
      break;
    }
    end.written += static_cast<uint64_t>(sent);
  }
  if (end.written == end.write_bytes && end.write_bytes != 0 && !end.is_shut) {
    end.is_shut = shutdown(end.descriptor, SHUT_WR) == 0;
  }
  while (end.reads && !end.has_ended) {
    const ssize_t got = recv(end.descriptor, scratch_.data(), scratch_.size(), 0);
    if (got < 0) {
      end.error = errno == EAGAIN ? end.error : -errno;
      break;
    }
    if (got == 0) {
      end.has_ended = true;
      break;
    }
    EXPECT_TRUE(Check(scratch_.data(), static_cast<uint32_t>(got), end.id, end.got, true))
        << "Linux got wrong bytes near " << end.got;
    end.got += static_cast<uint64_t>(got);
  }
}

void InteropWorld::Move(InteropEnd& end) {
  if (end.error != 0) {
    return;
  }
  if (end.tcp != nullptr) {
    MoveOwn(end);
  } else if (end.descriptor >= 0) {
    MoveTheirs(end);
  }
}

void InteropWorld::Close(InteropEnd& end, bool resets) {
  if (end.tcp != nullptr) {
    OptionsOf(*end.tcp).lingers = resets;
    CloseTcp(*end.tcp, now_ns);
    end.tcp = nullptr;
  } else if (end.descriptor >= 0) {
    const linger zero = {1, 0};
    if (resets) {
      setsockopt(end.descriptor, SOL_SOCKET, SO_LINGER, &zero, sizeof zero);
    }
    close(end.descriptor);
    end.descriptor = -1;
  }
  Flush(*stack, now_ns);
}

// One round; whether anything moved.
bool InteropWorld::Step() {
  bool has_moved = false;
  now_ns = MonotonicNow_ns();
  FaultyFrame frame;
  for (int i = 0; i < 64 && wire_.Read(frame); ++i) {
    pcap.Write(frame.bytes.data(), static_cast<uint32_t>(frame.bytes.size()), frame.meta, now_ns);
    in->Push(frame.bytes.data(), static_cast<uint32_t>(frame.bytes.size()), frame.meta, now_ns);
    has_moved = true;
  }
  while (in->Pop(now_ns, frame)) {
    FrameView view;
    view.data = frame.bytes.data();
    view.length_bytes = static_cast<uint32_t>(frame.bytes.size());
    view.meta = frame.meta;
    Input(*stack, device_.device, view, now_ns);
    has_moved = true;
  }
  if (NextDeadline_ns(*stack) <= now_ns) {
    RunTimers(*stack, now_ns);
  }
  for (InteropEnd* const end : ends) {
    const uint64_t before = end->got + end->written;
    Move(*end);
    has_moved |= end->got + end->written != before;
  }
  Flush(*stack, now_ns);
  for (; !device_.sent.empty(); device_.sent.pop_front()) {
    const WireFrame& sent = device_.sent.front();
    const auto size = static_cast<uint32_t>(sent.bytes.size());
    pcap.Write(sent.bytes.data(), size, sent.meta, now_ns);
    out->Push(sent.bytes.data(), size, sent.meta, now_ns);
    has_moved = true;
  }
  while (out->Pop(now_ns, frame)) {
    wire_.Write(frame);
    has_moved = true;
  }
  return has_moved;
}

bool InteropWorld::RunUntil(const std::function<bool()>& is_done) {
  uint64_t last_progress_ns = MonotonicNow_ns();
  uint64_t progress = 0;
  for (;;) {
    const bool has_moved = Step();
    if (is_done()) {
      Flush(*stack, now_ns);
      return true;
    }
    uint64_t total = 0;
    for (const InteropEnd* const end : ends) {
      total += end->got;
    }
    if (total != progress) {
      progress = total;
      last_progress_ns = now_ns;
    }
    if (now_ns - last_progress_ns > kPatience_ns) {
      return false;
    }
    if (has_moved) {
      continue;
    }
    const uint64_t next = std::min({NextDeadline_ns(*stack), in->next_ns(), out->next_ns(), now_ns + 1'000'000});
    const timespec wait = {0, next > now_ns ? static_cast<long>(next - now_ns) : 0};
    pollfd waits = {wire_.descriptor(), POLLIN, 0};
    ppoll(&waits, 1, &wait, nullptr);
  }
}

}  // namespace junction::net
