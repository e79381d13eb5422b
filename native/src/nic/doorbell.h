// SPDX-License-Identifier: Apache-2.0
// Sleeping without losing a frame. The sleeper: PrepareToSleep(word, how); look at all rings once more; sleep if they are empty; StayAwake.
// The producer: RingProducer::Publish; if ShouldRing(word), wake the sleeper in the way it returns. The fences on both sides make it
// impossible that the sleeper misses the frame and the producer misses the word (Dekker's pattern; doorbell_model_test.cc).
#pragma once

#include <atomic>
#include <cstdint>

#include "nic/nic_layout.h"

namespace junction {

/// `how`: kInFutex or kInPoller.
inline void PrepareToSleep(std::atomic<uint32_t>& word, uint32_t how) {
  word.store(how, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

/// After the sleep, or instead of it.
inline void StayAwake(std::atomic<uint32_t>& word) { word.store(kAwake, std::memory_order_relaxed); }

/// kAwake: nobody to wake. Else how the owner sleeps; the word says kAwake now, so that one wake-up is made for a sleep. The word is
/// hostile where an instance writes it: at worst its owner is woken in vain, or not.
inline uint32_t ShouldRing(std::atomic<uint32_t>& word) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (word.load(std::memory_order_relaxed) == kAwake) {
    return kAwake;
  }
  return word.exchange(kAwake, std::memory_order_relaxed);
}

}  // namespace junction
