// SPDX-License-Identifier: Apache-2.0
// The guest syscall table as data (guest_syscalls.inc is its source). Constant, so that any layer may look at it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/door/guest_table_size.h"

namespace junction {

/// What a guest can expect of a call.
enum class SyscallLevel : uint8_t {
  kHost,     // goes to the host as it is
  kFull,     // answered by the Junction kernel as Linux would
  kPartial,  // answered, but not all of it: see the note
  kStub,     // answered without an effect
  kEnosys,   // ENOSYS
  kDenied,   // EPERM
};

struct GuestSyscall {
  const char* name = nullptr;  // null: no such number, ENOSYS
  const char* arguments = "";
  const char* note = "";
  SyscallLevel level = SyscallLevel::kEnosys;
};

inline constexpr size_t kGuestSyscalls = GUEST_TABLE_ROWS;

/// The row of each number.
struct GuestTable {
  GuestSyscall rows[kGuestSyscalls];
  /// The row, or one without a name for a number that is not in the table.
  const GuestSyscall& operator[](uint64_t number) const {
    return rows[number < kGuestSyscalls ? number : kGuestSyscalls - 1];
  }
};

extern const GuestTable kGuestTable;

/// Which arguments of each call are pointers, by the rows' letters: bit 0 is the first.
struct PointerArguments {
  uint8_t bits[kGuestSyscalls];
};
extern const PointerArguments kPointerArguments;

}  // namespace junction
