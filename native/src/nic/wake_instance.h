// SPDX-License-Identifier: Apache-2.0
// Host side only.
#pragma once

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <climits>

#include "nic/doorbell.h"
#include "nic/nic_layout.h"

namespace junction {

/// Takes the wake-ups off a port's eventfd. Never blocks, whatever the instance did to the flags of the open file that it shares
/// (RWF_NOWAIT, preadv2(2)).
inline void DrainEvent(int fd) {
  uint64_t count;
  const iovec all = {.iov_base = &count, .iov_len = sizeof(count)};
  [[maybe_unused]] const ssize_t size = preadv2(fd, &all, 1, -1, RWF_NOWAIT);
}

/// Wakes whoever sleeps on a doorbell word in the way that the word says. At most one host call; any thread. Never blocks: of a full
/// pipe the reader is awake, and an eventfd does not fill up.
inline bool WakeSleeper(std::atomic<uint32_t>& word, int event_fd) {
  switch (ShouldRing(word)) {
    case kAwake:
      return false;
    case kInFutex:
      // Not FUTEX_PRIVATE: the sleeper is another process. All of them: each uProc of an instance may sleep there.
      syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
      return true;
    default: {
      const uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = write(event_fd, &one, sizeof(one));
      return true;
    }
  }
}

/// What a peer does after it rang.
enum class Ringer : uint8_t {
  kPolls,   // looks for the answer on its CPU, which the instance had better leave
  kSleeps,  // works on, or sleeps until it is rung in turn
};

/// Tells the instance to look at its rings and ports, if it sleeps; whether it did.
inline bool WakeInstance(NicHeader& header, int instance_event_fd, Ringer ringer) {
  if (ringer == Ringer::kPolls) {
    const auto cpu = static_cast<uint32_t>(sched_getcpu() + 1);
    if (header.peer_cpu.load(std::memory_order_relaxed) != cpu) {
      header.peer_cpu.store(cpu, std::memory_order_relaxed);
    }
  }
  if (!WakeSleeper(header.instance_doorbell, instance_event_fd)) {
    return false;
  }
  header.instance_rings.fetch_add(1, std::memory_order_relaxed);
  return true;
}

}  // namespace junction
