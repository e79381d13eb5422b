// SPDX-License-Identifier: Apache-2.0
#include "kernel/door/guest_table.h"

namespace junction {
namespace {

constexpr GuestTable MakeGuestTable() {
  GuestTable table = {};
#define HOST(number, name, arguments, note) table.rows[number] = {#name, arguments, note, SyscallLevel::kHost};
#define HOST_FD(number, name, index, error, arguments, note) \
  table.rows[number] = {#name, arguments, note, SyscallLevel::kHost};
#define FAST(number, name, level, handler, arguments, note) \
  table.rows[number] = {#name, arguments, note, SyscallLevel::level};
#define KERNEL(number, name, level, handler, arguments, note) \
  table.rows[number] = {#name, arguments, note, SyscallLevel::level};
#define MISSING(number, name, arguments, note) table.rows[number] = {#name, arguments, note, SyscallLevel::kEnosys};
#define DENIED(number, name, arguments, note) table.rows[number] = {#name, arguments, note, SyscallLevel::kDenied};
#include "kernel/door/guest_syscalls.inc"
#undef HOST
#undef HOST_FD
#undef FAST
#undef KERNEL
#undef MISSING
#undef DENIED
  return table;
}

}  // namespace

constinit const GuestTable kGuestTable = MakeGuestTable();

namespace {

constexpr PointerArguments FindPointerArguments() {
  PointerArguments found = {};
  for (size_t number = 0; number < kGuestSyscalls; ++number) {
    const char* const letters = kGuestTable.rows[number].arguments;
    for (int i = 0; letters[i] != '\0'; ++i) {
      found.bits[number] |= static_cast<uint8_t>(letters[i] == 'p' ? 1U << i : 0U);
    }
  }
  return found;
}

}  // namespace

constinit const PointerArguments kPointerArguments = FindPointerArguments();

}  // namespace junction
