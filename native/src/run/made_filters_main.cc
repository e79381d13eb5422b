// SPDX-License-Identifier: Apache-2.0
// made_filters: prints the filters of made_filters.h as C++ arrays, for the build.
#include <cstdio>

#include "run/host_syscalls.h"
#include "run/seccomp_filter.h"
#include "uthread/address_map.h"

namespace {

void Print(const char* name, const junction::BpfProgram& program) {
  std::printf("constexpr sock_filter %s[] = {\n", name);
  for (const sock_filter& instruction : program) {
    std::printf("    {%u, %u, %u, %uU},\n", unsigned{instruction.code}, unsigned{instruction.jt},
                unsigned{instruction.jf}, unsigned{instruction.k});
  }
  std::printf("};\n");
}

}  // namespace

int main() {
  using namespace junction;
  constexpr CallerRange kGuests = {kImageLow, kNearTrampolinesLow};
  Print("kMonitorProgram", BuildSeccompFilter(HostSyscalls(HostRole::kMonitor)));
  Print("kGuestProgram", BuildSeccompFilter(HostSyscalls(HostRole::kGuest), kGuests));
  Print("kNicGuestProgram", BuildSeccompFilter(GuestSyscallsWithNic(), kGuests));
  return 0;
}
