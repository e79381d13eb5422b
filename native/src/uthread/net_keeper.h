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
#include "uthread/host_cpu.h"

namespace junction {

struct Kthread;
struct UthreadGroup;

/// Predicts whether the next frame comes within a spin, and how long that may be. A spin that ends just before the frame is worse than none,
/// so it is made only while the last gaps between frames were short, and after each vain one more short gaps have to come first. One that
/// goes on for long after the usual gap is as bad: the host may have put the very thread that is to send the frame behind it on this CPU.
class SpinPredictor {
 public:
  /// What a wake-up may add to a gap that was slept through.
  static constexpr uint64_t kWake_ns = 100'000;
  static constexpr uint32_t kMostVain = 8;
  /// The least limit: what a peer takes that wakes another thread first.
  static constexpr uint64_t kLeastSpin_ns = 50'000;

  bool ShouldSpin() const { return short_gaps_needed_ == 0; }
  /// How long after the last frames a spin may go on, at most `most_ns`.
  uint64_t Limit_ns(uint64_t most_ns) const {
    const uint64_t limit_ns = kLeastSpin_ns + 2 * usual_gap_ns_;
    return limit_ns < most_ns ? limit_ns : most_ns;
  }
  /// Frames came within a spin, `gap_ns` behind the last ones.
  void Hit(uint64_t gap_ns) {
    vain_ = short_gaps_needed_ = 0;
    Learn(gap_ns);
  }
  /// A spin ended without any.
  void Vain() {
    vain_ = vain_ < kMostVain ? vain_ + 1 : vain_;
    short_gaps_needed_ = vain_;
  }
  /// Somebody else ran on this CPU during the spin: it takes from others what they need.
  void Contended() { vain_ = short_gaps_needed_ = kMostVain; }
  /// The keeper left the CPU that it shared with its peer: what spins were worth there says nothing of here.
  void Moved() { vain_ = short_gaps_needed_ = 0; }
  /// Frames came after a sleep, `gap_ns` behind the last ones.
  void Slept(uint64_t gap_ns, uint64_t spin_ns) {
    if (gap_ns >= spin_ns + kWake_ns) {
      short_gaps_needed_ = vain_ > 0 ? vain_ : 1;
      return;
    }
    if (short_gaps_needed_ > 0) {
      --short_gaps_needed_;
    }
    if (gap_ns < spin_ns) {
      Learn(gap_ns);
    }
  }

 private:
  // Up fast and down slowly: a request may come in several frames, and the long gaps are the ones to bridge.
  void Learn(uint64_t gap_ns) {
    if (gap_ns > usual_gap_ns_) {
      usual_gap_ns_ += (gap_ns - usual_gap_ns_) / 4;
    } else {
      usual_gap_ns_ -= (usual_gap_ns_ - gap_ns) / 16;
    }
  }

  uint64_t usual_gap_ns_ = 0;
  uint32_t short_gaps_needed_ = 1;
  uint32_t vain_ = 0;  // in a row
};

/// In the arena (ArenaHeader::net). Zero: no NIC.
struct NetKeeper {
  static constexpr uint64_t kUsualSpin_ns = 500'000;

  std::atomic<uint32_t>* doorbell;  // NicHeader::instance_doorbell; null: no NIC
  std::atomic<uint32_t>* peer_cpu;  // NicHeader::peer_cpu
  std::atomic<uint32_t>* own_cpu;   // NicHeader::instance_cpu
  uint64_t moved_at_ns;             // when a keeper last left the CPU of who had rung
  bool has_moved;                   // since then no frames were taken in
  Kthread* keeper;                  // parked, or about to; null: nobody
  UthreadGroup* worker;             // whom the frames were for that were taken in last; null: nobody in particular
  uint64_t deadline_ns;             // the stack's next timer; kNever
  Kthread* timer_keeper;            // parked no longer than to kept_deadline_ns; null: nobody
  uint64_t kept_deadline_ns;
  uint64_t spin_ns;         // so long after the last frames a keeper may look at most before it parks
  uint64_t last_frames_ns;  // when frames were last taken in
  bool has_slept;           // since then a keeper has parked
  SpinPredictor predictor;
  bool is_polling;      // frames are being taken in
  UthreadGroup* woken;  // somebody of it was woken by them, preferably of the group that polls

  bool exists() const { return doorbell != nullptr; }
  /// Who sent the last frames did so from this CPU: looking for the next ones would keep it from sending them.
  bool shares_cpu() const { return peer_cpu->load(std::memory_order_relaxed) == OwnCpu() + 1; }
  /// Until when a keeper may look for the next frames.
  uint64_t SpinEnd_ns() const { return last_frames_ns + predictor.Limit_ns(spin_ns); }
  void NoteFrames(uint64_t now_ns) {
    if (has_slept) {
      predictor.Slept(now_ns - last_frames_ns, spin_ns);
      has_slept = false;
    }
    if (has_moved) {
      predictor.Moved();
      has_moved = false;
    }
    last_frames_ns = now_ns;
    const uint32_t cpu = OwnCpu() + 1;
    if (own_cpu->load(std::memory_order_relaxed) != cpu) {
      own_cpu->store(cpu, std::memory_order_relaxed);
    }
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
