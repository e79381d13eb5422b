// SPDX-License-Identifier: Apache-2.0
// Who sleeps for the instance's NIC. Read first: nic/doorbell.h, and "The net keeper" in uthread/README.md.
//
// While any kthread of the instance is awake it looks at the rings by itself (in its idle loop, every few switches, at ticks) and peers need
// not ring. The kthread that parks when nobody is left who would look is the keeper: the doorbell word tells peers how to wake it.
//
//   nobody sleeps for the NIC  --- a kthread parks, nobody else will look (TakeKeeping) --->  keeper parked
//            ^                                                                                   |
//            +------ it wakes (StopKeeping); its process or thread ends (ForgetKeeper) ----------+
//
// All functions with the kernel lock held but the two that say otherwise.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/control_block.h"
#include "base/never.h"

namespace junction {

struct Kthread;
struct UthreadGroup;

/// Predicts whether the next frame comes within a spin. A spin that ends just before the frame is worse than none, so it is made only while
/// the last gaps between frames were short, and after each vain one more short gaps have to come first.
class SpinPredictor {
 public:
  /// What a wake-up may add to a gap that was slept through.
  static constexpr uint64_t kWake_ns = 100'000;
  static constexpr uint32_t kMostVain = 8;

  bool ShouldSpin() const { return short_gaps_needed_ == 0; }
  /// Frames came within a spin.
  void Hit() { vain_ = short_gaps_needed_ = 0; }
  /// A spin ended without any.
  void Vain() {
    vain_ = vain_ < kMostVain ? vain_ + 1 : vain_;
    short_gaps_needed_ = vain_;
  }
  /// Somebody else ran on this CPU during the spin: it takes from others what they need.
  void Contended() { vain_ = short_gaps_needed_ = kMostVain; }
  /// Frames came after a sleep, `gap_ns` behind the last ones.
  void Slept(uint64_t gap_ns, uint64_t spin_ns) {
    if (gap_ns >= spin_ns + kWake_ns) {
      short_gaps_needed_ = vain_ > 0 ? vain_ : 1;
    } else if (short_gaps_needed_ > 0) {
      --short_gaps_needed_;
    }
  }

 private:
  uint32_t short_gaps_needed_ = 1;
  uint32_t vain_ = 0;  // in a row
};

/// In the arena (ArenaHeader::net). Zero: no NIC.
struct NetKeeper {
  static constexpr uint64_t kUsualSpin_ns = 500'000;

  std::atomic<uint32_t>* doorbell;    // NicHeader::instance_doorbell; null: no NIC
  std::atomic<uint32_t>* ringer_cpu;  // NicHeader::ringer_cpu
  uint64_t moved_at_ns;               // when a keeper last left the CPU of who had rung
  Kthread* keeper;                    // parked, or about to; null: nobody
  UthreadGroup* worker;               // whom the frames were for that were taken in last; null: nobody in particular
  uint64_t deadline_ns;               // the stack's next timer; kNever
  Kthread* timer_keeper;              // parked no longer than to kept_deadline_ns; null: nobody
  uint64_t kept_deadline_ns;
  uint64_t spin_ns;         // so long after the last frames a keeper may look before it parks
  uint64_t last_frames_ns;  // when frames were last taken in
  bool has_slept;           // since then a keeper has parked
  SpinPredictor predictor;
  bool is_polling;      // frames are being taken in
  UthreadGroup* woken;  // somebody of it was woken by them, preferably of the group that polls

  bool exists() const { return doorbell != nullptr; }
  void NoteFrames(uint64_t now_ns) {
    if (has_slept) {
      predictor.Slept(now_ns - last_frames_ns, spin_ns);
      has_slept = false;
    }
    last_frames_ns = now_ns;
  }
  /// True if nobody who sleeps would see to the stack's next timer in time.
  bool has_unkept_deadline() const {
    return deadline_ns != kNever && (timer_keeper == nullptr || deadline_ns < kept_deadline_ns);
  }
  void NoteWoken(UthreadGroup& group, UthreadGroup& self) {
    if (is_polling && woken != &self) {
      woken = &group;
    }
  }
  /// True if guest code that runs must be interrupted now and then, for the NIC's sake.
  bool needs_tick() const { return exists() && (keeper == nullptr || has_unkept_deadline()); }
};

/// `kthread` is about to park: becomes the keeper if nobody else sleeps for the NIC or is awake and will look. True if it is now.
bool TakeKeeping(NetKeeper& net, Kthread& kthread);
/// The same for the stack's timers: until when it may sleep for them; kNever if another one sees to them.
uint64_t TakeNetTimers(NetKeeper& net, Kthread& kthread);
/// It is awake again: what it kept is nobody's.
void StopKeeping(NetKeeper& net, Kthread& kthread);
/// The process of `group` ends, was killed, or is replaced: roles that it had are nobody's. True if the NIC has nobody who would look: wake
/// somebody.
bool ForgetKeeper(NetKeeper& net, const UthreadGroup& group);

/// Says in the doorbell word that the keeper sleeps, in the poller or in a futex wait on the word. Followed by a last look. No lock.
void ArmDoorbell(NetKeeper& net, bool in_poller);
/// After that sleep or instead of it. Any context.
void DisarmDoorbell(NetKeeper& net);

}  // namespace junction
