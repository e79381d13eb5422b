// SPDX-License-Identifier: Apache-2.0
// Read first: select(2), and core_sys_select of Linux' fs/select.c.
#include <poll.h>
#include <sys/select.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/events/poll_set.h"
#include "kernel/events/wait_timeout.h"
#include "kernel/guest/guest_memory.h"
#include "uthread/arena.h"

namespace junction {
namespace {

constexpr PollEvents kIn = POLLIN | 0x040 | 0x080 | POLLHUP | POLLERR;  // POLLIN_SET: with POLLRDNORM, POLLRDBAND
constexpr PollEvents kOut = POLLOUT | 0x100 | 0x200 | POLLERR;          // POLLOUT_SET: with POLLWRNORM, POLLWRBAND
constexpr PollEvents kExcept = POLLPRI;
constexpr PollEvents kMeaning[3] = {kIn, kOut, kExcept};

// The three sets of a select as bits in words, on the stack for the usual 1024 descriptors.
class DescriptorSets {
 public:
  explicit DescriptorSets(uint32_t count) : word_count_((count + 63) / 64), last_bits_(count % 64) {
    const size_t size_bytes = static_cast<size_t>(word_count_) * 3 * sizeof(uint64_t);
    words_ = word_count_ <= kInlineWords ? inline_ : static_cast<uint64_t*>(ArenaAllocate(size_bytes));
  }
  ~DescriptorSets() {
    if (words_ != nullptr && words_ != inline_) {
      ArenaFree(words_, static_cast<size_t>(word_count_) * 3 * sizeof(uint64_t));
    }
  }
  DescriptorSets(const DescriptorSets&) = delete;
  DescriptorSets& operator=(const DescriptorSets&) = delete;

  bool has_memory() const { return words_ != nullptr; }
  uint32_t word_count() const { return word_count_; }

  // `address` 0 = an empty set. False at a bad address.
  bool Read(int set, uint64_t address) {
    uint64_t* const words = Words(set);
    Clear(set);
    if (address == 0) {
      return true;
    }
    if (word_count_ != 0 && !CopyFromGuest(words, address, word_count_ * sizeof(uint64_t))) {
      return false;
    }
    if (last_bits_ != 0) {
      words[word_count_ - 1] &= (1ULL << last_bits_) - 1;
    }
    return true;
  }
  bool Write(int set, uint64_t address) {
    return address == 0 || word_count_ == 0 || CopyToGuest(address, Words(set), word_count_ * sizeof(uint64_t));
  }
  uint64_t word(int set, uint32_t index) { return Words(set)[index]; }
  void Clear(int set) {
    for (uint32_t i = 0; i < word_count_; ++i) {
      Words(set)[i] = 0;
    }
  }
  void Set(int set, uint32_t fd) { Words(set)[fd / 64] |= 1ULL << (fd % 64); }

 private:
  static constexpr uint32_t kInlineWords = 16;
  uint64_t* Words(int set) { return words_ + static_cast<size_t>(set) * word_count_; }

  uint32_t word_count_;
  uint32_t last_bits_;
  uint64_t* words_;
  uint64_t inline_[kInlineWords * 3];
};

PollEvents AskedFor(DescriptorSets& sets, uint32_t fd) {
  PollEvents events = 0;
  for (int set = 0; set < 3; ++set) {
    if ((sets.word(set, fd / 64) >> (fd % 64) & 1) != 0) {
      events |= kMeaning[set];
    }
  }
  return events;
}

// 0, -EBADF, -ENOMEM.
int64_t Enter(DescriptorSets& sets, PollSet& polled) {
  for (uint32_t word = 0; word < sets.word_count(); ++word) {
    uint64_t left = sets.word(0, word) | sets.word(1, word) | sets.word(2, word);
    for (; left != 0; left &= left - 1) {
      const uint32_t fd = word * 64 + static_cast<uint32_t>(__builtin_ctzll(left));
      if (GetFile(static_cast<int32_t>(fd)) == nullptr) {
        return -EBADF;
      }
      if (!polled.Add(static_cast<int32_t>(fd), AskedFor(sets, fd))) {
        return -ENOMEM;
      }
    }
  }
  return 0;
}

// Replaces what was asked for by what holds: how many bits that makes.
int64_t Answer(DescriptorSets& sets, PollSet& polled) {
  for (int set = 0; set < 3; ++set) {
    sets.Clear(set);
  }
  int64_t count = 0;
  polled.ForEach([&](const PollSet::Entry& entry) {
    for (int set = 0; set < 3; ++set) {
      // Each set that named the descriptor brought its whole meaning into `asked`.
      if ((entry.asked & kMeaning[set]) == kMeaning[set] && (entry.holds & kMeaning[set]) != 0) {
        sets.Set(set, static_cast<uint32_t>(entry.fd));
        ++count;
      }
    }
  });
  return count;
}

// -EINTR if interrupted.
int64_t DoSelect(Call& call, const WaitTimeout& timeout) {
  const int32_t count = call.int_arg(0);
  if (count < 0) {
    return -EINVAL;
  }
  // No descriptor is beyond the table.
  const uint32_t capacity = call.process().files->capacity;
  DescriptorSets sets(static_cast<uint32_t>(count) < capacity ? static_cast<uint32_t>(count) : capacity);
  if (!sets.has_memory()) {
    return -ENOMEM;
  }
  for (int set = 0; set < 3; ++set) {
    if (!sets.Read(set, call.arg(1 + set))) {
      return -EFAULT;
    }
  }
  PollSet polled(0);
  if (const int64_t error = Enter(sets, polled); error != 0) {
    return error;
  }
  int64_t result = polled.Wait(timeout.may_wait, timeout.deadline_ns);
  if (result < 0) {
    return result;
  }
  result = Answer(sets, polled);
  for (int set = 0; set < 3; ++set) {
    if (!sets.Write(set, call.arg(1 + set))) {
      return -EFAULT;
    }
  }
  return result;
}

// The last argument of pselect6 points to the mask's address and size.
int64_t SetSelectMask(Call& call) {
  uint64_t mask[2] = {};
  if (call.arg(5) != 0 && !CopyFromGuest(mask, call.arg(5), sizeof(mask))) {
    return -EFAULT;
  }
  return SetWaitMask(call.thread(), mask[0], mask[1]);
}

}  // namespace

int64_t SysSelect(Call& call) {
  WaitTimeout timeout;
  if (const int64_t error = timeout.ReadTimeval(call.arg(4)); error != 0) {
    return error;
  }
  return timeout.Finish(DoSelect(call, timeout));
}

int64_t SysPselect6(Call& call) {
  WaitTimeout timeout;
  if (const int64_t error = timeout.ReadTimespec(call.arg(4)); error != 0) {
    return error;
  }
  if (const int64_t error = SetSelectMask(call); error != 0) {
    return error;
  }
  const int64_t result = timeout.Finish(DoSelect(call, timeout));
  RestoreWaitMask(call.thread(), result);
  return result;
}

}  // namespace junction
