// SPDX-License-Identifier: Apache-2.0
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>

#include "bench/http_client.h"
#include "bench/loads.h"
#include "bench/report.h"

namespace junction::bench {
namespace {

struct Lane {
  UniqueFd fd;
  AnswerReader answer;
  uint64_t sent_ns = 0;
};

Result<void> SendRequest(Lane& lane, const std::string& request) {
  lane.answer.Reset();
  lane.sent_ns = Now_ns();
  // A request of some hundred bytes always fits an empty socket buffer; a larger one is refused by the caller.
  if (send(lane.fd.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    return ErrnoError("send request");
  }
  return {};
}

}  // namespace

Result<void> RunThroughput(const ThroughputOptions& options) {
  const auto target = ParseUrl(options.url);
  if (!target) {
    return std::unexpected(target.error());
  }
  const std::string request = RenderRequest(*target, options.body);
  if (request.size() > 16384) {
    return PlainError("the throughput load takes requests of at most 16384 bytes");
  }
  const UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  std::vector<Lane> lanes(options.connections);
  for (size_t i = 0; i < lanes.size(); ++i) {
    auto fd = Connect(*target, true);
    if (!fd) {
      return std::unexpected(fd.error());
    }
    lanes[i].fd = std::move(*fd);
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = i}};
    if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, lanes[i].fd.get(), &event) != 0) {
      return ErrnoError("epoll_ctl");
    }
  }
  const uint64_t start_ns = Now_ns() + static_cast<uint64_t>(options.warmup_ms) * 1'000'000;
  const uint64_t end_ns = start_ns + static_cast<uint64_t>(options.duration_ms) * 1'000'000;
  for (Lane& lane : lanes) {
    if (auto sent = SendRequest(lane, request); !sent) {
      return sent;
    }
  }
  std::vector<uint64_t> samples_ns;
  samples_ns.reserve(1 << 20);
  char buffer[65536];
  epoll_event events[64];
  uint64_t now_ns = Now_ns();
  while (now_ns < end_ns) {
    const int ready = epoll_wait(epoll.get(), events, 64, 5000);
    if (ready == 0) {
      return PlainError("no answer within 5 s");
    }
    for (int i = 0; i < ready; ++i) {
      Lane& lane = lanes[events[i].data.u64];
      auto state = AnswerReader::State::kIncomplete;
      while (state == AnswerReader::State::kIncomplete) {
        const ssize_t received = recv(lane.fd.get(), buffer, sizeof(buffer), 0);
        if (received < 0 && errno == EAGAIN) {
          break;
        }
        if (received <= 0) {
          return ErrnoError("receive answer", received == 0 ? ECONNRESET : errno);
        }
        state = lane.answer.Feed({buffer, static_cast<size_t>(received)});
      }
      if (state == AnswerReader::State::kIncomplete) {
        continue;
      }
      if (state == AnswerReader::State::kMalformed || lane.answer.status() != 200 ||
          (!options.expected.empty() && lane.answer.body() != options.expected)) {
        return PlainError("wrong answer: status " + std::to_string(lane.answer.status()));
      }
      now_ns = Now_ns();
      if (now_ns >= start_ns) {
        samples_ns.push_back(now_ns - lane.sent_ns);
      }
      if (auto sent = SendRequest(lane, request); !sent) {
        return sent;
      }
    }
    now_ns = Now_ns();
  }
  if (samples_ns.empty()) {
    return PlainError("no answer within the measured time");
  }
  PrintThroughput(samples_ns, end_ns - start_ns);
  std::printf("}\n");
  return {};
}

}  // namespace junction::bench
