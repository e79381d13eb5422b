// SPDX-License-Identifier: Apache-2.0
// From a syscall number to the code that answers it. entry.S jumps through junction_dispatch_table, which is not constant
// only so that printing calls (--strace) can send every number to the slow path.
#include "kernel/dispatch.h"

#include "kernel/call.h"
#include "kernel/guest_table.h"
#include "kernel/strace.h"
#include "kernel/uproc.h"

extern "C" {
void junction_pass();
void junction_emulated();
void junction_enosys();
void junction_eperm();
void junction_sigreturn();
void junction_mmap();
void junction_range();
void junction_mremap();
void junction_open();
void junction_openat();
void junction_close();
void junction_mask_r10();
void junction_mask_r8();
void junction_mask_r9();
void junction_address_r8();

int junction_dispatch(junction::ThreadBlock* thread);
void junction_trace_result(junction::ThreadBlock* thread);

using EntryPoint = void (*)();

// All numbers without a row answer ENOSYS.
struct DispatchTable {
  EntryPoint entries[DISPATCH_ROWS];
};

constexpr DispatchTable MakeDispatchTable() {
  DispatchTable table = {};
  for (EntryPoint& entry : table.entries) {
    entry = &junction_enosys;
  }
#define PASS(number, name, arguments, note) table.entries[number] = &junction_pass;
#define CHECKED(number, name, check, handler, arguments, note) table.entries[number] = &junction_##check;
#define EMULATED(number, name, level, handler, arguments, note) table.entries[number] = &junction_emulated;
#define MISSING(number, name, arguments, note)
#define DENIED(number, name, arguments, note) table.entries[number] = &junction_eperm;
#include "kernel/guest_syscalls.inc"
#undef PASS
#undef CHECKED
#undef EMULATED
#undef MISSING
#undef DENIED
  return table;
}

constinit DispatchTable junction_dispatch_table = MakeDispatchTable();

uint8_t junction_strace = 0;
}

namespace junction {

void PrepareDispatch(bool prints_calls) {
  if (!prints_calls) {
    return;
  }
  for (EntryPoint& entry : junction_dispatch_table.entries) {
    entry = &junction_emulated;
  }
  junction_strace = 1;
}

}  // namespace junction

// 0: the guest gets thread->result. 1: the call goes on as thread->host says.
int junction_dispatch(junction::ThreadBlock* thread) {
  using namespace junction;
  Call call(thread);
  thread->has_wait_mask = false;
  const auto number = static_cast<uint32_t>(thread->guest.number);
  const GuestSyscall& row = kGuestTable[number];
  if (junction_strace != 0) {
    TraceCall(*thread);
  }
  thread->result = row.handler != nullptr ? row.handler(call) : -ENOSYS;
  if (call.passes()) {
    return 1;
  }
  if (junction_strace != 0) {
    TraceResult(*thread);
  }
  return 0;
}

void junction_trace_result(junction::ThreadBlock* thread) { junction::TraceResult(*thread); }
