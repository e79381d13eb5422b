// SPDX-License-Identifier: Apache-2.0
// The loads of sequential_load.cc and throughput_load.cc with our own TCP/IP stack over a link into the instance in place of the host's.
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <vector>

#include "bench/http_client.h"
#include "bench/loads.h"
#include "bench/report.h"
#include "link/link_client.h"

namespace junction::bench {
namespace {

constexpr int kPatience_ms = 5000;

struct Lane {
  link::LinkConnection* connection = nullptr;
  AnswerReader answer;
  uint64_t sent_ns = 0;
};

uint64_t CpuTime_ns() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const auto ns = [](const timeval& time) {
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_usec) * 1'000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

Result<std::unique_ptr<link::LinkClient>> OpenLink(const std::string& path, uint32_t spin_us) {
  signal(SIGPIPE, SIG_IGN);  // the pipe that wakes an instance may have lost its reader
  return link::LinkClient::Open(path, uint64_t{spin_us} * 1'000);
}

Result<void> CheckAnswer(const AnswerReader& answer, AnswerReader::State state, const std::string& expected) {
  if (state != AnswerReader::State::kComplete || answer.status() != 200 ||
      (!expected.empty() && answer.body() != expected)) {
    return PlainError("wrong answer: status " + std::to_string(answer.status()));
  }
  return {};
}

/// What the client itself cost: with spinning, most of it is that.
void PrintCost(link::LinkClient& client, uint64_t cpu_ns) {
  const net::StackCounters& counters = net::CountersOf(client.stack().stack());
  std::printf(",\"client_cpu_ns\":%llu,\"spun_ns\":%llu,\"sleeps\":%llu,\"instance_rings\":%llu,\"retransmits\":%llu",
              static_cast<unsigned long long>(cpu_ns), static_cast<unsigned long long>(client.spun_ns()),
              static_cast<unsigned long long>(client.sleeps()),
              static_cast<unsigned long long>(client.stack().counters().instance_rings),
              static_cast<unsigned long long>(counters.tcp_retransmits));
}

/// Reads what there is for a lane; kIncomplete: no more for now. A negative errno in `error` ends the run.
AnswerReader::State ReadAnswer(link::LinkClient& client, Lane& lane, int64_t& error) {
  char buffer[65536];
  auto state = AnswerReader::State::kIncomplete;
  while (state == AnswerReader::State::kIncomplete) {
    const int64_t got = client.Read(*lane.connection, buffer, sizeof(buffer));
    if (got <= 0) {
      error = got == 0 ? -ECONNRESET : got == -EAGAIN ? 0 : got;
      return state;
    }
    state = lane.answer.Feed({buffer, static_cast<size_t>(got)});
  }
  return state;
}

}  // namespace

Result<void> RunSequentialOverLink(const SequentialOptions& options) {
  const auto target = ParseUrl(options.url);
  if (!target) {
    return std::unexpected(target.error());
  }
  auto client = OpenLink(options.link, options.spin_us);
  if (!client) {
    return std::unexpected(client.error());
  }
  const auto connection = (*client)->Connect(target->port);
  if (!connection) {
    return std::unexpected(connection.error());
  }
  const std::string request = RenderRequest(*target, options.body);
  std::vector<uint64_t> samples_ns;
  samples_ns.reserve(options.count);
  Lane lane{.connection = *connection, .answer = {}};
  uint64_t cpu_ns = 0;
  for (size_t i = 0; i < options.warmup + options.count; ++i) {
    if (options.gap_us > 0) {
      const timespec gap{.tv_sec = 0, .tv_nsec = static_cast<long>(options.gap_us) * 1000};
      nanosleep(&gap, nullptr);
    }
    if (i == options.warmup) {
      cpu_ns = CpuTime_ns();
    }
    lane.answer.Reset();
    const uint64_t begin_ns = Now_ns();
    if (!(*client)->Write(*lane.connection, request)) {
      return PlainError("cannot send request " + std::to_string(i));
    }
    auto state = AnswerReader::State::kIncomplete;
    int64_t error = 0;
    while (state == AnswerReader::State::kIncomplete) {
      if (!(*client)->Wait(kPatience_ms)) {
        return PlainError("no answer within 5 s");
      }
      state = ReadAnswer(**client, lane, error);
      if (error != 0) {
        return ErrnoError("receive answer " + std::to_string(i), static_cast<int>(-error));
      }
    }
    const uint64_t end_ns = Now_ns();
    if (auto checked = CheckAnswer(lane.answer, state, options.expected); !checked) {
      return checked;
    }
    if (i >= options.warmup) {
      samples_ns.push_back(end_ns - begin_ns);
    }
  }
  cpu_ns = CpuTime_ns() - cpu_ns;
  std::printf("{");
  PrintSamples("samples_ns", samples_ns);
  PrintCost(**client, cpu_ns);
  std::printf("}\n");
  return {};
}

Result<void> RunThroughputOverLink(const ThroughputOptions& options) {
  const auto target = ParseUrl(options.url);
  if (!target) {
    return std::unexpected(target.error());
  }
  auto opened = OpenLink(options.link, options.spin_us);
  if (!opened) {
    return std::unexpected(opened.error());
  }
  link::LinkClient& client = **opened;
  const std::string request = RenderRequest(*target, options.body);
  std::vector<Lane> lanes(options.connections);
  for (Lane& lane : lanes) {
    auto connection = client.Connect(target->port);
    if (!connection) {
      return std::unexpected(connection.error());
    }
    lane.connection = *connection;
  }
  const uint64_t start_ns = Now_ns() + static_cast<uint64_t>(options.warmup_ms) * 1'000'000;
  const uint64_t end_ns = start_ns + static_cast<uint64_t>(options.duration_ms) * 1'000'000;
  const auto send = [&](Lane& lane) {
    lane.answer.Reset();
    lane.sent_ns = Now_ns();
    return client.Write(*lane.connection, request);
  };
  for (Lane& lane : lanes) {
    if (!send(lane)) {
      return PlainError("cannot send");
    }
  }
  std::vector<uint64_t> samples_ns;
  samples_ns.reserve(1 << 20);
  uint64_t cpu_ns = 0;
  uint64_t now_ns = Now_ns();
  while (now_ns < end_ns) {
    if (!client.Wait(kPatience_ms)) {
      return PlainError("no answer within 5 s");
    }
    for (Lane& lane : lanes) {
      if (lane.connection->events == 0) {
        continue;
      }
      lane.connection->events = 0;
      int64_t error = 0;
      const auto state = ReadAnswer(client, lane, error);
      if (error != 0) {
        return ErrnoError("receive answer", static_cast<int>(-error));
      }
      if (state == AnswerReader::State::kIncomplete) {
        continue;
      }
      if (auto checked = CheckAnswer(lane.answer, state, options.expected); !checked) {
        return checked;
      }
      now_ns = Now_ns();
      if (now_ns >= start_ns) {
        cpu_ns = cpu_ns == 0 ? CpuTime_ns() : cpu_ns;
        samples_ns.push_back(now_ns - lane.sent_ns);
      }
      if (!send(lane)) {
        return PlainError("cannot send");
      }
    }
    now_ns = Now_ns();
  }
  cpu_ns = CpuTime_ns() - cpu_ns;
  PrintThroughput(samples_ns, end_ns - start_ns);
  PrintCost(client, cpu_ns);
  std::printf("}\n");
  return {};
}

Result<void> RunBulkOverLink(const BulkOptions& options) {
  const auto target = ParseUrl(options.url);
  if (!target) {
    return std::unexpected(target.error());
  }
  auto client = OpenLink(options.link, options.spin_us);
  if (!client) {
    return std::unexpected(client.error());
  }
  const auto connection = (*client)->Connect(target->port);
  if (!connection) {
    return std::unexpected(connection.error());
  }
  std::vector<char> buffer(256 * 1024, 'x');
  const uint64_t cpu_ns = CpuTime_ns();
  const uint64_t begin_ns = Now_ns();
  if (!(*client)->Write(**connection, BulkOrder(options))) {
    return PlainError("cannot send");
  }
  uint64_t left = options.is_upload ? options.size_bytes : 0;
  while (left > 0) {
    const uint64_t size = std::min<uint64_t>(left, buffer.size());
    if (!(*client)->Write(**connection, {buffer.data(), size})) {
      return PlainError("the connection ends early");
    }
    left -= size;
  }
  for (left = options.is_upload ? 1 : options.size_bytes; left > 0;) {
    const int64_t got = (*client)->ReadSome(**connection, buffer.data(), std::min<uint64_t>(left, buffer.size()));
    if (got <= 0) {
      return ErrnoError("bulk answer", got == 0 ? ECONNRESET : static_cast<int>(-got));
    }
    left -= static_cast<uint64_t>(got);
  }
  PrintBulk(options, Now_ns() - begin_ns);
  PrintCost(**client, CpuTime_ns() - cpu_ns);
  std::printf("}\n");
  return {};
}

}  // namespace junction::bench
