// SPDX-License-Identifier: Apache-2.0
// The host-syscall table: all that the processes of an instance may ask of Linux. The seccomp filters (seccomp_filter.h)
// and docs/host-syscalls.md are generated from it; what has no row does not exist for the process (ENOSYS).
#pragma once

#include <cstdint>
#include <span>

namespace junction {

/// Which process a row is for.
enum class HostRole : uint8_t {
  kMonitor,  // junction_run itself, once the guest runs
  kGuest,    // the Junction kernel and, as nothing separates them, the guest's code
};

/// One argument that must have one of some values after masking. Only for arguments that Linux reads as 32 bits: the upper
/// half is not looked at.
struct ArgumentMatch {
  uint8_t index;  // 0 to 5
  uint32_t mask;
  std::span<const uint32_t> values;
};

/// Matches that must all hold.
using ArgumentCase = std::span<const ArgumentMatch>;

/// What the arguments must be: one of the cases. No case = no limit.
struct ArgumentLimits {
  std::span<const ArgumentCase> cases;
  int refusal;       // errno when no case holds
  const char* text;  // the same in words, for the document
};

struct HostSyscall {
  uint32_t number;
  const char* name;
  HostRole role;
  const ArgumentLimits* limits;  // nullptr: any arguments
  const char* why;
};

/// A call that somebody may miss or fear, and why it has no row. For the document and the tests.
struct RefusedSyscall {
  uint32_t number;
  const char* name;
  const char* why;
};

/// The rows of one role, by rising number, each number once.
std::span<const HostSyscall> HostSyscalls(HostRole role);

/// The guest's rows where the instance has a NIC: the host makes local sockets only.
std::span<const HostSyscall> GuestSyscallsWithNic();

/// Calls that the guest's filter refuses.
std::span<const RefusedSyscall> RefusedSyscalls();

}  // namespace junction
