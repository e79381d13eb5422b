// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>

#include "base/control_block.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace junction::scheduler {

/// The doorbell page and the thread that sleeps on it. While armed it waits in a futex, which costs nothing; a ring makes
/// `rang()` readable once and disarms it. Producers follow the protocol at SchedulerDoorbell (base/control_block.h).
class Doorbell {
 public:
  /// Maps the page at `path`, made if it is not there. One that is there is kept: gateways may have it mapped.
  static Result<std::unique_ptr<Doorbell>> Open(const std::string& path);

  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;
  ~Doorbell();

  /// Begins to wait for work other than `seen_work`. Only while disarmed; at first it is.
  void Arm(uint64_t seen_work);

  /// An eventfd: readable after a ring, until Taken.
  int rang() const { return rang_.get(); }
  void Taken();

  /// The producers' counter.
  uint64_t work() const { return page_->work.load(std::memory_order_relaxed); }

  /// How often a ring has woken us.
  uint64_t wakeups() const { return wakeups_.load(std::memory_order_relaxed); }

 private:
  Doorbell(SchedulerDoorbell* page, UniqueFd rang);
  void Run();
  void WaitForWork();

  SchedulerDoorbell* page_;
  UniqueFd rang_;
  std::atomic<uint64_t> seen_work_ = 0;
  std::atomic<uint64_t> wakeups_ = 0;
  std::atomic<bool> is_stopping_ = false;
  std::binary_semaphore armed_{0};
  std::thread thread_;
};

}  // namespace junction::scheduler
