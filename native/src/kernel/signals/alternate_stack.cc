// SPDX-License-Identifier: Apache-2.0
#include "kernel/signals/alternate_stack.h"

#include <cerrno>

namespace junction {
namespace {

constexpr uint32_t kAutoDisarm = 1U << 31;    // SS_AUTODISARM
constexpr uint64_t kLeastStack_bytes = 2048;  // MINSIGSTKSZ of the kernel

bool IsWithin(const GuestThread& thread, uint64_t rsp) {
  return rsp > thread.alternate_stack_low && rsp - thread.alternate_stack_low <= thread.alternate_stack_size_bytes;
}

}  // namespace

bool IsOnAlternateStack(const GuestThread& thread, uint64_t rsp) {
  return (thread.alternate_stack_flags & kAutoDisarm) == 0 && IsWithin(thread, rsp);
}

bool CanEnterAlternateStack(const GuestThread& thread, uint64_t rsp) {
  return thread.alternate_stack_size_bytes != 0 && !IsOnAlternateStack(thread, rsp);
}

SignalStack GetAlternateStack(const GuestThread& thread, uint64_t rsp) {
  uint32_t flags = thread.alternate_stack_flags & kAutoDisarm;
  if (thread.alternate_stack_size_bytes == 0) {
    flags |= SS_DISABLE;
  } else if (IsOnAlternateStack(thread, rsp)) {
    flags |= SS_ONSTACK;
  }
  return {.low = thread.alternate_stack_low,
          .flags = static_cast<int32_t>(flags),
          .padding = 0,
          .size_bytes = thread.alternate_stack_size_bytes};
}

int64_t SetAlternateStack(GuestThread& thread, const SignalStack& stack, uint64_t rsp) {
  if (IsOnAlternateStack(thread, rsp)) {
    return -EPERM;
  }
  const uint32_t mode = static_cast<uint32_t>(stack.flags) & ~kAutoDisarm;
  if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0) {
    return -EINVAL;
  }
  if (mode != SS_DISABLE && stack.size_bytes < kLeastStack_bytes) {
    return -ENOMEM;
  }
  thread.alternate_stack_low = mode == SS_DISABLE ? 0 : stack.low;
  thread.alternate_stack_size_bytes = mode == SS_DISABLE ? 0 : stack.size_bytes;
  thread.alternate_stack_flags = static_cast<uint32_t>(stack.flags);
  return 0;
}

void ResetAlternateStack(GuestThread& thread) {
  thread.alternate_stack_low = 0;
  thread.alternate_stack_size_bytes = 0;
  thread.alternate_stack_flags = SS_DISABLE;
}

}  // namespace junction
