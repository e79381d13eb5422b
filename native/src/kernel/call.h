// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <cstdint>

#include "kernel/thread_block.h"

namespace junction {

/// One guest syscall being answered, as its handler sees it: on the thread's kernel stack, with all signals blocked.
/// A handler returns the guest's result (-errno on failure), or the value of a Pass function.
class Call {
 public:
  explicit Call(ThreadBlock* thread) : thread_(*thread) {}

  ThreadBlock& thread() const { return thread_; }
  uint64_t arg(int index) const { return thread_.guest.args[index]; }
  int fd(int index) const { return static_cast<int>(thread_.guest.args[index]); }

  /// Leaves the kernel with the guest's own call. It may block: the guest's mask is back in place by then.
  int64_t Pass() {
    thread_.host = thread_.guest;
    passes_ = true;
    return 0;
  }

  /// As Pass, with one argument replaced. What it points to must stay valid until the call is over: memory of the thread block.
  int64_t PassWith(int index, const void* value) {
    Pass();
    return AlsoWith(index, value);
  }
  int64_t AlsoWith(int index, const void* value) {
    thread_.host.args[index] = reinterpret_cast<uint64_t>(value);
    return 0;
  }

  bool passes() const { return passes_; }

 private:
  ThreadBlock& thread_;
  bool passes_ = false;
};

}  // namespace junction
