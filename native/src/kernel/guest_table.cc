// SPDX-License-Identifier: Apache-2.0
#include "kernel/guest_table.h"

#include "kernel/guest_handlers.h"

namespace junction {
namespace {

int64_t SysPass(Call& call) { return call.Pass(); }
int64_t SysMissing(Call&) { return -ENOSYS; }
int64_t SysDenied(Call&) { return -EPERM; }

constexpr GuestTable MakeGuestTable() {
  GuestTable table = {};
#define PASS(number, name, arguments, note) \
  table.rows[number] = {#name, arguments, note, SyscallLevel::kPass, &SysPass};
#define CHECKED(number, name, check, handler, arguments, note) \
  table.rows[number] = {#name, arguments, note, SyscallLevel::kChecked, &Sys##handler};
#define EMULATED(number, name, level, handler, arguments, note) \
  table.rows[number] = {#name, arguments, note, SyscallLevel::level, &Sys##handler};
#define MISSING(number, name, arguments, note) \
  table.rows[number] = {#name, arguments, note, SyscallLevel::kEnosys, &SysMissing};
#define DENIED(number, name, arguments, note) \
  table.rows[number] = {#name, arguments, note, SyscallLevel::kDenied, &SysDenied};
#include "kernel/guest_syscalls.inc"
#undef PASS
#undef CHECKED
#undef EMULATED
#undef MISSING
#undef DENIED
  return table;
}

}  // namespace

constinit const GuestTable kGuestTable = MakeGuestTable();

}  // namespace junction
