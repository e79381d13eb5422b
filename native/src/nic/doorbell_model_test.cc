// SPDX-License-Identifier: Apache-2.0
// All interleavings of a producer and a sleeper over the doorbell of doorbell.h, on a machine with store buffers (x86-TSO: stores wait in a
// first-in-first-out buffer of their core, loads look there first; fences and locked instructions empty it). The model has the same steps
// as the code; it is small enough to be looked at in full. That it can fail is shown by the same model without one of the fences.
//
// The event pipe and the futex are part of the model: FUTEX_WAIT looks at memory and sleeps in one step, and wakes only who sleeps; a pipe keeps
// its byte.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <unordered_set>
#include <vector>

#include "nic/nic_layout.h"

namespace junction {
namespace {

// Shared memory.
enum Cell : uint8_t { kTail, kBell, kGeneration, kCells };

struct Store {
  uint8_t cell;
  uint8_t value;
};

constexpr size_t kBuffer = 4;

// One core: where it stands in its program, its registers, its store buffer.
struct Core {
  uint8_t at = 0;
  uint8_t round = 0;
  uint8_t seen = 0;  // what its last load found
  uint8_t buffered = 0;
  std::array<Store, kBuffer> buffer = {};
};

// Two producers (two peers, or a peer and the monitor) and one sleeper.
struct State {
  std::array<uint8_t, kCells> memory = {};
  Core producer[2];
  Core sleeper;
  uint8_t taken = 0;       // frames that the sleeper has seen
  uint8_t generation = 0;  // as the sleeper has seen it
  uint8_t sleeps = 0;      // kInFutex or kInPoller: it is in the host's wait
  uint8_t pipe = 0;        // bytes, at most 3
  uint8_t rung = 0;        // wake-ups that producers made
  uint8_t slept = 0;       // times that the sleeper was about to sleep, and told so

  std::string Key() const {
    std::string key;
    const auto add = [&](const void* at, size_t size) { key.append(static_cast<const char*>(at), size); };
    add(&memory, sizeof(memory));
    for (const Core* core : {&producer[0], &producer[1], &sleeper}) {
      add(&core->at, 1);
      add(&core->round, 1);
      add(&core->seen, 1);
      add(&core->buffered, 1);
      for (size_t i = 0; i < core->buffered; ++i) {
        add(&core->buffer[i], sizeof(Store));
      }
    }
    for (const uint8_t value : {taken, generation, sleeps, pipe, rung, slept}) {
      add(&value, 1);
    }
    return key;
  }
};

struct Variant {
  bool has_producer_fence = true;
  bool has_sleeper_fence = true;
  bool exchanges = true;    // false: a producer leaves the word as it is, so that it rings for each frame
  bool looks_again = true;  // the sleeper looks at its rings once more behind the word
  bool has_generation =
      false;           // the second producer is the monitor: it bumps the generation instead of publishing frames
  uint8_t frames = 2;  // each producer's
  bool has_two_producers = false;
  bool is_poller_allowed = true;  // the sleeper chooses how it sleeps, anew each time
};

struct Outcome {
  size_t states = 0;
  bool has_lost_wakeup = false;  // somebody sleeps and nothing can wake it, but there is work
  bool has_vain_ring = false;    // more wake-ups than sleeps
};

class Model {
 public:
  explicit Model(const Variant& variant) : variant_(variant) {}

  Outcome Explore() {
    std::vector<State> open = {State{}};
    if (!variant_.has_two_producers) {
      open[0].producer[1].at = kEnd;
    }
    std::unordered_set<std::string> known = {open[0].Key()};
    while (!open.empty()) {
      const State state = open.back();
      open.pop_back();
      std::vector<State> next;
      Successors(state, next);
      Judge(state, next.empty());
      for (State& one : next) {
        if (known.insert(one.Key()).second) {
          open.push_back(one);
        }
      }
    }
    outcome_.states = known.size();
    return outcome_;
  }

 private:
  static constexpr uint8_t kEnd = 255;

  static uint8_t Load(const State& state, const Core& core, Cell cell) {
    for (size_t i = core.buffered; i > 0; --i) {
      if (core.buffer[i - 1].cell == cell) {
        return core.buffer[i - 1].value;
      }
    }
    return state.memory[cell];
  }
  static bool PutStore(Core& core, Cell cell, uint8_t value) {
    if (core.buffered == kBuffer) {
      return false;  // waits for its buffer
    }
    core.buffer[core.buffered++] = {cell, value};
    return true;
  }
  static void Drain(State& state, Core& core) {
    const Store oldest = core.buffer[0];
    for (size_t i = 1; i < core.buffered; ++i) {
      core.buffer[i - 1] = core.buffer[i];
    }
    --core.buffered;
    state.memory[oldest.cell] = oldest.value;
  }

  void Successors(const State& state, std::vector<State>& next) const {
    for (int i = 0; i < 3; ++i) {
      if (CoreOf(state, i).buffered > 0) {
        State after = state;
        Drain(after, CoreOf(after, i));
        next.push_back(after);
      }
    }
    for (int i = 0; i < 2; ++i) {
      StepProducer(state, i, next);
    }
    StepSleeper(state, next);
  }
  static const Core& CoreOf(const State& state, int i) { return i < 2 ? state.producer[i] : state.sleeper; }
  static Core& CoreOf(State& state, int i) { return i < 2 ? state.producer[i] : state.sleeper; }

  // 0 publish - 1 fence - 2 load the word - 3 exchange it - 4 wake
  void StepProducer(const State& state, int i, std::vector<State>& next) const {
    State after = state;
    Core& core = after.producer[i];
    switch (core.at) {
      case 0: {
        // Two producers of the model share the tail, as a locked add, which stands for two rings of one sleeper.
        const Cell cell = variant_.has_generation && i == 1 ? kGeneration : kTail;
        if (variant_.has_two_producers && !variant_.has_generation) {
          if (core.buffered > 0) {
            return;
          }
          ++after.memory[cell];
        } else if (!PutStore(core, cell, static_cast<uint8_t>(Load(state, core, cell) + 1))) {
          return;
        }
        core.at = variant_.has_producer_fence ? 1 : 2;
        break;
      }
      case 1:
        if (core.buffered > 0) {
          return;
        }
        core.at = 2;
        break;
      case 2:
        core.seen = Load(state, core, kBell);
        core.at = core.seen == kAwake ? 5 : variant_.exchanges ? 3 : 4;
        break;
      case 3:
        if (core.buffered > 0) {
          return;
        }
        core.seen = after.memory[kBell];
        after.memory[kBell] = kAwake;
        core.at = core.seen == kAwake ? 5 : 4;
        break;
      case 4:
        ++after.rung;
        if (core.seen == kInPoller) {
          after.pipe = static_cast<uint8_t>(after.pipe < 3 ? after.pipe + 1 : 3);
        } else if (after.sleeps == kInFutex) {
          after.sleeps = 0;
        }
        core.at = 5;
        break;
      case 5:
        ++core.round;
        core.seen = 0;
        core.at = core.round == variant_.frames ? kEnd : 0;
        break;
      default:
        return;
    }
    next.push_back(after);
  }

  bool HasSeenAll(const State& state) const {
    return state.taken == state.memory[kTail] && state.generation == state.memory[kGeneration];
  }

  // 0 take what is there - 1 PrepareToSleep, its store - 2 its fence - 3 look again - 4 the host's wait - 5 asleep - 6 StayAwake
  void StepSleeper(const State& state, std::vector<State>& next) const {
    State after = state;
    Core& core = after.sleeper;
    const auto look = [&] {
      after.taken = Load(state, core, kTail);
      after.generation = Load(state, core, kGeneration);
    };
    const bool finds = state.taken != Load(state, core, kTail) || state.generation != Load(state, core, kGeneration);
    switch (core.at) {
      case 0:
        look();
        core.at = finds ? 0 : 1;
        break;
      case 1:
        for (const uint32_t how : {kInFutex, kInPoller}) {
          State chosen = after;
          if ((how == kInPoller && !variant_.is_poller_allowed) ||
              !PutStore(chosen.sleeper, kBell, static_cast<uint8_t>(how))) {
            continue;
          }
          chosen.sleeper.seen = static_cast<uint8_t>(how);
          chosen.sleeper.at = variant_.has_sleeper_fence ? 2 : 3;
          ++chosen.slept;
          next.push_back(chosen);
        }
        return;
      case 2:
        if (core.buffered > 0) {
          return;
        }
        core.at = 3;
        break;
      case 3:
        core.at = variant_.looks_again && finds ? 6 : 4;
        break;
      case 4:  // a host call: it empties no buffer by itself, but FUTEX_WAIT compares under a lock
        if (core.seen == kInFutex) {
          if (core.buffered > 0) {
            return;
          }
          core.at = after.memory[kBell] == kInFutex ? 5 : 6;
          after.sleeps = core.at == 5 ? kInFutex : 0;
        } else {
          core.at = 5;
          after.sleeps = kInPoller;
        }
        break;
      case 5:
        if (after.sleeps == kInPoller && after.pipe > 0) {
          after.pipe = 0;
          after.sleeps = 0;
        }
        if (after.sleeps != 0) {
          return;
        }
        core.at = 6;
        break;
      case 6:
        if (!PutStore(core, kBell, kAwake)) {
          return;
        }
        core.seen = 0;
        core.at = 0;
        break;
      default:
        return;
    }
    next.push_back(after);
  }

  void Judge(const State& state, bool is_final) {
    if (is_final && !HasSeenAll(state)) {
      outcome_.has_lost_wakeup = true;
    }
    if (state.rung > state.slept) {
      outcome_.has_vain_ring = true;
    }
  }

  Variant variant_;
  Outcome outcome_;
};

// A run ends when the sleeper sleeps with nothing to do; the sleeper has no bound of its own, but its states repeat only with new frames.
TEST(DoorbellModel, LosesNoWakeUp) {
  const Outcome outcome = Model({}).Explore();
  EXPECT_FALSE(outcome.has_lost_wakeup);
  EXPECT_GT(outcome.states, 100U);
}

TEST(DoorbellModel, LosesNoWakeUpOfTwoProducers) {
  const Outcome outcome = Model({.has_two_producers = true}).Explore();
  EXPECT_FALSE(outcome.has_lost_wakeup);
  EXPECT_GT(outcome.states, 1000U);
}

TEST(DoorbellModel, SeesAPeerComeAndGo) {
  const Outcome outcome = Model({.has_generation = true, .has_two_producers = true}).Explore();
  EXPECT_FALSE(outcome.has_lost_wakeup);
}

TEST(DoorbellModel, MakesAtMostOneWakeUpForASleep) {
  EXPECT_FALSE(Model({.has_two_producers = true}).Explore().has_vain_ring);
  EXPECT_TRUE(Model({.exchanges = false, .has_two_producers = true}).Explore().has_vain_ring)
      << "without the exchange a sleeper is woken twice, or the model finds nothing";
}

TEST(DoorbellModel, FindsThatTheProducerNeedsItsFence) {
  EXPECT_TRUE(Model({.has_producer_fence = false}).Explore().has_lost_wakeup);
}

TEST(DoorbellModel, FindsThatTheSleeperNeedsItsFence) {
  EXPECT_TRUE(Model({.has_sleeper_fence = false}).Explore().has_lost_wakeup);
}

TEST(DoorbellModel, FindsThatTheSleeperMustLookAgain) {
  EXPECT_TRUE(Model({.looks_again = false}).Explore().has_lost_wakeup);
}

}  // namespace
}  // namespace junction
