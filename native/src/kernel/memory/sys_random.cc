// SPDX-License-Identifier: Apache-2.0
// getrandom. Read first: getrandom(2), random.h. Never blocks: the generator is always seeded.
#include <sys/random.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/memory/chacha.h"
#include "kernel/memory/random.h"

#ifndef GRND_INSECURE
#define GRND_INSECURE 4
#endif

namespace junction {
namespace {

constexpr size_t kSmall_bytes = 32;
constexpr size_t kBlock_words = 16;
constexpr size_t kPiece_bytes = 512;           // a copy to the guest has a cost of its own
constexpr uint64_t kSignalCheck_bytes = 4096;  // as Linux: a signal ends a large request at a page
constexpr uint64_t kYield_bytes = 65536;       // others run in between

int64_t SmallRequest(uint64_t address, size_t size_bytes) {
  uint8_t bytes[kSmall_bytes];
  const KernelLockGuard guard;
  if (const int64_t error = RandomBytes(bytes, kSmall_bytes); error != 0) {
    return error;
  }
  return CopyToGuest(address, bytes, size_bytes) ? static_cast<int64_t>(size_bytes) : -EFAULT;
}

void LetOthersRun() {
  const KernelLockGuard guard;
  Yield();
}

// A key of its own, then the key stream of that: without the lock.
int64_t LargeRequest(const GuestThread& thread, uint64_t address, uint64_t size_bytes) {
  ChaChaKey key;
  {
    const KernelLockGuard guard;
    if (const int64_t error = RandomBytes(&key, sizeof(key)); error != 0) {
      return error;
    }
  }
  uint64_t done = 0;
  uint64_t blocks = 0;
  while (done < size_bytes) {
    uint32_t words[kPiece_bytes / sizeof(uint32_t)];
    const uint64_t piece = size_bytes - done < kPiece_bytes ? size_bytes - done : kPiece_bytes;
    for (size_t at = 0; at * sizeof(uint32_t) < piece; at += kBlock_words) {
      ChaChaBlock(key, blocks++, words + at);
    }
    if (!CopyToGuest(address + done, words, piece)) {
      return done != 0 ? static_cast<int64_t>(done) : -EFAULT;
    }
    done += piece;
    if (done % kYield_bytes == 0) {
      LetOthersRun();
    }
    if (done % kSignalCheck_bytes == 0 && thread.interrupt_pending) {
      break;
    }
  }
  return static_cast<int64_t>(done);
}

}  // namespace

int64_t SysGetrandom(Call& call) {
  const auto flags = static_cast<uint32_t>(call.arg(2));
  constexpr uint32_t kKnown = GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE;
  if ((flags & ~kKnown) != 0 || (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE)) {
    return -EINVAL;
  }
  constexpr uint64_t kLimit = 0x7ffff000;  // MAX_RW_COUNT
  const uint64_t size_bytes = call.arg(1) < kLimit ? call.arg(1) : kLimit;
  if (size_bytes <= kSmall_bytes) {
    return size_bytes == 0 ? 0 : SmallRequest(call.arg(0), size_bytes);
  }
  return LargeRequest(call.thread(), call.arg(0), size_bytes);
}

}  // namespace junction
