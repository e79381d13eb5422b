// SPDX-License-Identifier: Apache-2.0
// Read first: poll(2), select(2), and do_sys_poll of Linux' fs/select.c for the order of checks.
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/events/poll_set.h"
#include "kernel/events/wait_timeout.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/time/guest_time.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

constexpr uint64_t kMillisecond_ns = 1'000'000;

uint64_t DescriptorLimit() {
  rlimit limit = {};
  HostCall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit);
  return limit.rlim_cur;
}

int64_t ReadSet(uint64_t address, uint64_t count, PollSet& set) {
  for (uint64_t i = 0; i < count; ++i) {
    pollfd polled;
    if (!CopyFromGuest(&polled, address + i * sizeof(polled), sizeof(polled))) {
      return -EFAULT;
    }
    if (!set.Add(polled.fd, static_cast<uint16_t>(polled.events))) {
      return -ENOMEM;
    }
  }
  return 0;
}

bool WriteSet(uint64_t address, PollSet& set) {
  bool is_written = true;
  set.ForEach([&](const PollSet::Entry& entry) {
    const auto revents = static_cast<uint16_t>(entry.holds);
    is_written &= CopyToGuest(address + offsetof(pollfd, revents), &revents, sizeof(revents));
    address += sizeof(pollfd);
  });
  return is_written;
}

// -EINTR if interrupted: the callers have their own way to go on.
int64_t DoPoll(uint64_t address, uint32_t count, const WaitTimeout& timeout) {
  PollSet set(kUnaskedEvents);
  // The limit is a host call, and no limit is that low.
  if (count > 16 && count > DescriptorLimit()) {
    return -EINVAL;
  }
  if (const int64_t error = ReadSet(address, count, set); error != 0) {
    return error;
  }
  const int64_t result = set.Wait(timeout.may_wait, timeout.deadline_ns);
  return WriteSet(address, set) ? result : -EFAULT;
}

int64_t PollOnce(GuestThread& thread, uint64_t address, uint32_t count, const WaitTimeout& timeout);

int64_t ResumePoll(GuestThread& thread) {
  const RestartBlock block = thread.restart;
  return PollOnce(thread, block.arguments[0], static_cast<uint32_t>(block.arguments[1]), {true, block.deadline_ns});
}

int64_t PollOnce(GuestThread& thread, uint64_t address, uint32_t count, const WaitTimeout& timeout) {
  const int64_t result = DoPoll(address, count, timeout);
  if (result != -EINTR) {
    return result;
  }
  thread.restart.resume = &ResumePoll;
  thread.restart.deadline_ns = timeout.deadline_ns;
  thread.restart.arguments[0] = address;
  thread.restart.arguments[1] = count;
  return kRestartBlock;
}

}  // namespace

int64_t SysPoll(Call& call) {
  const int32_t timeout_ms = call.int_arg(2);
  WaitTimeout timeout = {timeout_ms != 0, kNever};
  if (timeout_ms > 0) {
    timeout.deadline_ns = DeadlineAfter(static_cast<uint64_t>(timeout_ms) * kMillisecond_ns);
  }
  return PollOnce(call.thread(), call.arg(0), static_cast<uint32_t>(call.arg(1)), timeout);
}

int64_t SysPpoll(Call& call) {
  WaitTimeout timeout;
  if (const int64_t error = timeout.ReadTimespec(call.arg(2)); error != 0) {
    return error;
  }
  if (const int64_t error = SetWaitMask(call.thread(), call.arg(3), call.arg(4)); error != 0) {
    return error;
  }
  const int64_t result = timeout.Finish(DoPoll(call.arg(0), static_cast<uint32_t>(call.arg(1)), timeout));
  RestoreWaitMask(call.thread(), result);
  return result;
}

}  // namespace junction
