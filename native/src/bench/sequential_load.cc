// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>

#include <cstdio>
#include <ctime>

#include "bench/http_client.h"
#include "bench/loads.h"
#include "bench/report.h"

namespace junction::bench {

Result<void> RunSequential(const SequentialOptions& options) {
  const auto target = ParseUrl(options.url);
  if (!target) {
    return std::unexpected(target.error());
  }
  const auto connection = Connect(*target, false);
  if (!connection) {
    return std::unexpected(connection.error());
  }
  const std::string request = RenderRequest(*target, options.body);
  std::vector<uint64_t> samples_ns;
  samples_ns.reserve(options.count);
  AnswerReader answer;
  char buffer[65536];
  for (size_t i = 0; i < options.warmup + options.count; ++i) {
    if (options.gap_us > 0) {
      const timespec gap{.tv_sec = 0, .tv_nsec = static_cast<long>(options.gap_us) * 1000};
      nanosleep(&gap, nullptr);
    }
    answer.Reset();
    const uint64_t begin_ns = Now_ns();
    if (send(connection->get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
      return ErrnoError("send request " + std::to_string(i));
    }
    auto state = AnswerReader::State::kIncomplete;
    while (state == AnswerReader::State::kIncomplete) {
      const ssize_t received = recv(connection->get(), buffer, sizeof(buffer), 0);
      if (received <= 0) {
        return ErrnoError("receive answer " + std::to_string(i), received == 0 ? ECONNRESET : errno);
      }
      state = answer.Feed({buffer, static_cast<size_t>(received)});
    }
    const uint64_t end_ns = Now_ns();
    if (state == AnswerReader::State::kMalformed || answer.status() != 200 ||
        (!options.expected.empty() && answer.body() != options.expected)) {
      return PlainError("wrong answer to request " + std::to_string(i) + ": status " + std::to_string(answer.status()));
    }
    if (i >= options.warmup) {
      samples_ns.push_back(end_ns - begin_ns);
    }
  }
  std::printf("{");
  PrintSamples("samples_ns", samples_ns);
  std::printf("}\n");
  return {};
}

}  // namespace junction::bench
