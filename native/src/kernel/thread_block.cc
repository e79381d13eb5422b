// SPDX-License-Identifier: Apache-2.0
#include "kernel/thread_block.h"

#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/address_map.h"
#include "kernel/control_slots.h"
#include "kernel/host_call.h"
#include "kernel/uproc.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
#ifndef PR_SYS_DISPATCH_ON
#define PR_SYS_DISPATCH_ON 1
#endif

namespace junction {
namespace {

static_assert(kThreadSlots * kThreadSlotSize_bytes <= kThreadAreaSize_bytes);

constexpr uint32_t kFree = 0;
constexpr uint32_t kTaken = 1;

// One word a slot. A thread that exits writes kFree as its very last act (junction_host_exit).
std::atomic<uint32_t> g_slot_states[kThreadSlots];
// Slots below this were made accessible once; they stay so.
std::atomic<uint32_t> g_slots_opened;

char* SlotAddress(size_t slot) { return reinterpret_cast<char*>(kThreadAreaLow + slot * kThreadSlotSize_bytes); }

ThreadBlock* BlockOfSlot(size_t slot) {
  return reinterpret_cast<ThreadBlock*>(SlotAddress(slot) + kThreadSlotSize_bytes - kThreadBlockSpace_bytes);
}

bool OpenSlot(size_t slot) {
  return HostCall(SYS_mprotect, SlotAddress(slot) + kThreadGuardSize_bytes,
                  kThreadSlotSize_bytes - kThreadGuardSize_bytes, PROT_READ | PROT_WRITE) == 0;
}

}  // namespace

ThreadBlock* AllocateThreadBlock() {
  for (size_t slot = 0; slot < kThreadSlots; ++slot) {
    uint32_t state = g_slot_states[slot].load(std::memory_order_relaxed);
    if (state != kFree || !g_slot_states[slot].compare_exchange_strong(state, kTaken, std::memory_order_acquire)) {
      continue;
    }
    // mprotect of an open slot is harmless, so a race about g_slots_opened is too.
    if (slot >= g_slots_opened.load(std::memory_order_relaxed)) {
      if (!OpenSlot(slot)) {
        g_slot_states[slot].store(kFree, std::memory_order_release);
        return nullptr;
      }
      uint32_t opened = g_slots_opened.load(std::memory_order_relaxed);
      if (opened == slot) {
        g_slots_opened.compare_exchange_strong(opened, opened + 1, std::memory_order_relaxed);
      }
    }
    ThreadBlock* block = BlockOfSlot(slot);
    *block = ThreadBlock{};
    block->self = block;
    block->kernel_stack = block;
    block->state = &g_slot_states[slot];
    return block;
  }
  return nullptr;
}

void FreeThreadBlock(ThreadBlock* block) { block->state->store(kFree, std::memory_order_release); }

void KeepOnlyThreadBlock(ThreadBlock* own) {
  for (auto& state : g_slot_states) {
    if (&state != own->state && state.load(std::memory_order_relaxed) != kFree) {
      state.store(kFree, std::memory_order_relaxed);
    }
  }
}

void ForEachThreadBlock(void (*visit)(ThreadBlock*, void*), void* context) {
  for (size_t slot = 0; slot < kThreadSlots; ++slot) {
    if (g_slot_states[slot].load(std::memory_order_acquire) == kTaken) {
      visit(BlockOfSlot(slot), context);
    }
  }
}

int64_t AttachThread(ThreadBlock* block) {
  if (const int64_t error = HostCall(SYS_arch_prctl, ARCH_SET_GS, block); error != 0) {
    return error;
  }
  block->process_id = static_cast<int32_t>(HostCall(SYS_getpid));
  block->thread_id = static_cast<int32_t>(HostCall(SYS_gettid));
  block->control_thread = ClaimControlThread(g_uproc.control, block->thread_id);
  block->guest_syscalls = &block->control_thread->guest_syscalls;
  // The range ends one byte late, as the host compares the address after the instruction.
  return HostCall(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, junction_host_text_begin,
                  junction_host_text_end + 1 - junction_host_text_begin, nullptr);
}

}  // namespace junction
