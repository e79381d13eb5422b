// SPDX-License-Identifier: Apache-2.0
// The first answer of an instance that is just being started, over a link: all is tried again until it is there.
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "bench/http_client.h"
#include "bench/loads.h"
#include "bench/report.h"
#include "link/link_client.h"

namespace junction::bench {
namespace {

constexpr useconds_t kGap_us = 50;
// A SYN that the instance's stack lost in its start is sent anew, rather than after TCP's second.
constexpr int kConnect_ms = 2;

bool IsTooEarly(int code) {
  return code == ENOENT || code == ECONNREFUSED || code == ETIMEDOUT || code == EAGAIN || code == ECONNRESET;
}

Result<std::unique_ptr<link::LinkClient>> Attach(const StartOptions& options, uint64_t deadline_ns) {
  for (;;) {
    auto client = link::LinkClient::Open(options.link, uint64_t{options.spin_us} * 1'000);
    if (client || !IsTooEarly(client.error().code) || Now_ns() >= deadline_ns) {
      return client;
    }
    usleep(kGap_us);
  }
}

Result<link::LinkConnection*> ConnectTo(link::LinkClient& client, uint16_t port, uint64_t deadline_ns) {
  for (;;) {
    auto connection = client.Connect(port, kConnect_ms);
    if (connection || client.is_lost() || !IsTooEarly(connection.error().code) || Now_ns() >= deadline_ns) {
      return connection;
    }
    if (connection.error().code != ETIMEDOUT) {
      usleep(kGap_us);
    }
  }
}

}  // namespace

Result<void> AskOnceOverLink(const StartOptions& options, const Target& target, uint64_t deadline_ns,
                             const std::function<Result<void>()>& wait_for_listener) {
  signal(SIGPIPE, SIG_IGN);  // the pipe that wakes an instance may have lost its reader
  const auto client = Attach(options, deadline_ns);
  if (!client) {
    return std::unexpected(client.error());
  }
  // Attached while the instance starts; asked for a connection not before it listens, as a gateway would do, which is told.
  if (auto listens = wait_for_listener(); !listens) {
    return listens;
  }
  const auto connection = ConnectTo(**client, target.port, deadline_ns);
  if (!connection) {
    return std::unexpected(connection.error());
  }
  if (!(*client)->Write(**connection, RenderRequest(target, options.body))) {
    return ErrnoError("send over the link", ECONNRESET);
  }
  AnswerReader answer;
  char buffer[65536];
  auto state = AnswerReader::State::kIncomplete;
  while (state == AnswerReader::State::kIncomplete) {
    const int64_t received = (*client)->ReadSome(**connection, buffer, sizeof(buffer));
    if (received <= 0) {
      return ErrnoError("receive over the link", received == 0 ? ECONNRESET : static_cast<int>(-received));
    }
    state = answer.Feed({buffer, static_cast<size_t>(received)});
  }
  if (state != AnswerReader::State::kComplete || answer.status() != 200 ||
      (!options.expected.empty() && answer.body() != options.expected)) {
    return PlainError("wrong first answer");
  }
  return {};
}

}  // namespace junction::bench
