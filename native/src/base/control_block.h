// SPDX-License-Identifier: Apache-2.0
// The shared-memory control block: one file mapping per instance, made by junction_run, through which an instance tells
// the host what it is doing. The instance's guest code can write to it, so for every reader it is hostile input: check
// magic, version and ranges, copy a field once, then use the copy. Nothing on the host may trust it for safety.
//
//   0      +-------------------------------+
//          | identity: magic, version      |  written once by junction_run before the guest starts
//   64     +-------------------------------+
//          | settings: core limit          |  written by the host side (junction_run, junctiond), read by the Junction kernel
//   128    +-------------------------------+
//          | state: listen_seq, exit       |  written by the Junction kernel
//   256    +-------------------------------+
//          | ports[32]                     |  written by the Junction kernel under ports_lock
//   1024   +-------------------------------+
//          | threads[256], one line each   |  each written by its thread only
//   17408  +-------------------------------+
//          | zero up to 64 KiB             |
//          +-------------------------------+
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace junction {

inline constexpr uint64_t kControlBlockMagic = 0x314c5443544e434aULL;  // "JCNTCTL1" in little endian
inline constexpr uint32_t kControlBlockVersion = 3;
inline constexpr size_t kControlBlockSize_bytes = 65536;
inline constexpr size_t kControlBlockPorts = 32;
inline constexpr size_t kControlBlockThreads = 256;

/// One bound port of the guest. Empty when guest_port is 0.
struct ControlPort {
  std::atomic<uint16_t> guest_port;  // host byte order; written last (release), pairs with the reader's acquire
  std::atomic<uint16_t> host_port;   // host byte order, on 127.0.0.1
  std::atomic<uint8_t> protocol;     // IPPROTO_TCP or IPPROTO_UDP
  std::atomic<uint8_t> listening;    // 1 from listen() on; TCP only
  std::atomic<uint8_t> bound_to;     // kernel/sockets/port_table.h, BoundTo; the Junction kernel's own use
  uint8_t reserved0;
  std::atomic<uint16_t> users;      // open sockets that are bound to it, and of those
  std::atomic<uint16_t> listeners;  // how many listen; the Junction kernel's own use
  uint8_t reserved1[4];
  std::atomic<uint64_t> inode;  // of the host socket: tells a re-bound port from the old one
};

/// What one guest thread has done. A thread that finds no free slot shares the last one.
struct alignas(64) ControlThread {
  std::atomic<uint64_t> guest_syscalls;  // relaxed; monotonous
  std::atomic<uint32_t> host_tid;        // in the instance's pid namespace; 0 = slot free
  uint8_t reserved[52];
};

/// What the instance's kthreads do when there is nothing to run. All relaxed and monotonous, written under the kernel lock.
struct ControlIdle {
  std::atomic<uint64_t> parks;      // host waits
  std::atomic<uint64_t> spins;      // looks at the NIC before a park
  std::atomic<uint64_t> spin_hits;  // of them those that saw something come
  std::atomic<uint64_t> ticks;      // preemption timers that fired
  std::atomic<uint64_t> frames_in;  // of all ports
  std::atomic<uint64_t> frames_out;
  std::atomic<uint64_t> peer_rings;  // times that a sleeping peer was woken
  std::atomic<uint64_t> broken_rings;
};

/// ControlBlock::spin_us: never.
inline constexpr uint32_t kNoSpin = ~0U;

struct ControlBlock {
  // identity
  uint64_t magic;
  uint32_t version;
  uint32_t size_bytes;
  uint8_t reserved0[48];

  // settings
  alignas(64) std::atomic<uint32_t> core_limit;  // cores the guest may see and use; at least 1
  std::atomic<uint32_t> strace;                  // 1: the Junction kernel prints each guest syscall to stderr
  std::atomic<uint64_t>
      asked_at_ns;  // CLOCK_MONOTONIC when junction_run asked for the guest's process; for measurements
  std::atomic<uint32_t>
      spin_us;  // how long a kthread may look at the NIC before it parks: 0 = the kernel's own choice, kNoSpin
  uint8_t reserved1[44];

  // state
  alignas(64) std::atomic<uint32_t> listen_seq;  // futex word: bumped (release) after each change of ports, then woken
  std::atomic<uint32_t> ports_lock;  // holder's tid in the instance, 0 = free; a dead holder's is taken over
  std::atomic<uint64_t> processes_started;
  std::atomic<uint64_t> sites_patched;  // syscall sites rewritten
  std::atomic<uint64_t> sud_traps;      // syscalls that only the net caught
  std::atomic<uint32_t>
      exit_signal;  // what the first program died of, 0 = nothing; counts only with exit code 128 + it
  std::atomic<uint32_t>
      exit_code;  // 1 + what the first process of a clone exits with (its monitor is not its parent); 0 = it has not said
  std::atomic<uint64_t>
      arena_live_bytes;  // of kernel objects, as the first program ends: what should not grow with its work
  ControlIdle idle;
  uint8_t reserved2[16];

  // ports
  ControlPort ports[kControlBlockPorts];

  // threads
  alignas(64) ControlThread threads[kControlBlockThreads];
};

static_assert(sizeof(ControlPort) == 24);
static_assert(sizeof(ControlThread) == 64);
static_assert(sizeof(ControlIdle) == 64);
static_assert(offsetof(ControlBlock, core_limit) == 64);
static_assert(offsetof(ControlBlock, listen_seq) == 128);
static_assert(offsetof(ControlBlock, ports) == 256);
static_assert(offsetof(ControlBlock, threads) == 1024);
static_assert(sizeof(ControlBlock) <= kControlBlockSize_bytes);
static_assert(std::atomic<uint64_t>::is_always_lock_free && std::atomic<uint8_t>::is_always_lock_free);

/// The page by which gateways wake the scheduler daemon when work comes after idleness. Made by the daemon at
/// `<runDir>/scheduler-doorbell`; only trusted processes map it.
struct SchedulerDoorbell {
  uint64_t magic;  // kSchedulerDoorbellMagic
  std::atomic<uint32_t>
      sleeping;  // 1: the daemon waits on `rings`; set by it (seq_cst) before it looks at `work` a last time
  std::atomic<uint32_t> rings;             // futex word
  alignas(64) std::atomic<uint64_t> work;  // bumped by producers (relaxed) for each piece of work, an invocation say
};
inline constexpr uint64_t kSchedulerDoorbellMagic = 0x314c4c4542524f44ULL;  // "DORBELL1"
inline constexpr size_t kSchedulerDoorbellSize_bytes = 4096;
static_assert(sizeof(SchedulerDoorbell) <= kSchedulerDoorbellSize_bytes);

}  // namespace junction
