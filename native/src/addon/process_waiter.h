// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/error.h"
#include "base/unique_fd.h"

namespace junction::addon {

/// How a process ended, where Linux tells: only a parent learns of it.
struct ProcessEnd {
  bool is_known = false;
  int exit_code = 0;  // when signal is 0
  int signal = 0;
};

/// Waits for any number of processes in one thread, which starts with the first. Children are reaped as they end.
class ProcessWaiter {
 public:
  using OnEnd = std::function<void(const ProcessEnd&)>;

  ProcessWaiter() = default;
  ProcessWaiter(const ProcessWaiter&) = delete;
  ProcessWaiter& operator=(const ProcessWaiter&) = delete;
  /// Ends the thread. No callback runs afterwards.
  ~ProcessWaiter();

  /// Calls `on_end` from the waiting thread once the process has ended, at once when it has already. `pidfd` is taken
  /// over. Returns a number for Forget.
  Result<uint64_t> Watch(UniqueFd pidfd, bool is_child, OnEnd on_end);

  /// The callback is not wanted any more, unless it is running now. A child is still reaped.
  void Forget(uint64_t number);

 private:
  struct Watched {
    UniqueFd pidfd;
    bool is_child = false;
    OnEnd on_end;  // empty: forgotten
  };

  Result<void> Start();
  void Run();
  void Unwatch(const Watched& watched);

  UniqueFd epoll_;
  UniqueFd stop_;  // eventfd
  std::thread thread_;
  std::mutex mutex_;          // of all below
  uint64_t next_number_ = 1;  // 0 is stop_
  std::unordered_map<uint64_t, Watched> watched_;
};

}  // namespace junction::addon
