// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>

#include "bench/loads.h"
#include "bench/report.h"

namespace junction::bench {
namespace {

constexpr uint32_t kRounds = 20'000;
constexpr uint32_t kBatches = 9;

void PinTo(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

}  // namespace

Result<void> RunPingPong() {
  if (std::thread::hardware_concurrency() < 2) {
    return PlainError("a cross-core ping-pong needs two cores");
  }
  struct alignas(64) Line {
    std::atomic<uint32_t> value{0};
  } ball;
  std::thread partner([&ball] {
    PinTo(1);
    for (uint32_t i = 1; i <= kRounds * kBatches; ++i) {
      while (ball.value.load(std::memory_order_acquire) != 2 * i - 1) {
      }
      ball.value.store(2 * i, std::memory_order_release);
    }
  });
  PinTo(0);
  std::vector<uint64_t> batches_ns;
  uint32_t turn = 0;
  for (uint32_t batch = 0; batch < kBatches; ++batch) {
    const uint64_t begin_ns = Now_ns();
    for (uint32_t i = 0; i < kRounds; ++i) {
      ball.value.store(2 * turn + 1, std::memory_order_release);
      ++turn;
      while (ball.value.load(std::memory_order_acquire) != 2 * turn) {
      }
    }
    batches_ns.push_back(Now_ns() - begin_ns);
  }
  partner.join();
  std::sort(batches_ns.begin(), batches_ns.end());
  std::printf("{\"round_trip_ns\":%.1f}\n", static_cast<double>(batches_ns[kBatches / 2]) / kRounds);
  return {};
}

}  // namespace junction::bench
