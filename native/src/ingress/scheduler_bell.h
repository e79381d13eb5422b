// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/control_block.h"
#include "ingress/metrics.h"

namespace junction::ingress {

/// One worker's hold on the scheduler's doorbell page (base/control_block.h): tells the daemon that there is work, and
/// wakes it when it sleeps. The page may be missing, or be made anew by a daemon that starts again: it is looked for at
/// most once a second, and only while there is work. Owner: the worker's thread.
class SchedulerBell {
 public:
  /// An empty path rings nothing.
  SchedulerBell(std::string path, WorkerCounters& counters) : path_(std::move(path)), counters_(counters) {}
  SchedulerBell(const SchedulerBell&) = delete;
  SchedulerBell& operator=(const SchedulerBell&) = delete;
  ~SchedulerBell();

  /// One piece of work has come.
  void Ring(uint64_t now_ns) {
    if (now_ns >= next_look_ns_) {
      Look(now_ns);
    }
    if (page_ == nullptr) {
      return;
    }
    // seq_cst on both sides: either the daemon, which sets `sleeping` before it looks at `work` a last time, sees this
    // work, or we see that it sleeps.
    page_->work.fetch_add(1, std::memory_order_seq_cst);
    if (page_->sleeping.load(std::memory_order_seq_cst) != 0) {
      Wake();
    }
  }

 private:
  void Look(uint64_t now_ns);
  void Wake();
  void Unmap();

  const std::string path_;
  WorkerCounters& counters_;
  SchedulerDoorbell* page_ = nullptr;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  uint64_t next_look_ns_ = 0;
};

}  // namespace junction::ingress
