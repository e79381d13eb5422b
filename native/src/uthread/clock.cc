// SPDX-License-Identifier: Apache-2.0
// Read first: vdso(7). The vDSO is the host's own code; its clock functions use general registers only (objdump on Linux 6.1 and 6.18
// shows vector registers in its getrandom alone).
#include "uthread/clock.h"

#include <sys/syscall.h>

#include "uthread/host_call.h"
#include "uthread/vdso.h"

namespace junction {
namespace {

using ClockGettime = int (*)(clockid_t, timespec*);

ClockGettime g_clock_gettime;

uint64_t ToNanoseconds(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace

void PrepareClock(uint64_t vdso) {
  if (vdso != 0) {
    g_clock_gettime = reinterpret_cast<ClockGettime>(FindVdsoFunction(vdso, "__vdso_clock_gettime"));
  }
}

int64_t ReadClock(clockid_t clock, timespec* out) {
  // The vDSO makes a host call itself for clocks that it does not know, which the net would catch.
  constexpr clockid_t kLastFast = CLOCK_MONOTONIC_COARSE;
  const bool is_fast =
      clock >= 0 && clock <= kLastFast && clock != CLOCK_PROCESS_CPUTIME_ID && clock != CLOCK_THREAD_CPUTIME_ID;
  if (g_clock_gettime != nullptr && is_fast) {
    return g_clock_gettime(clock, out);
  }
  return HostCall(SYS_clock_gettime, clock, out);
}

uint64_t MonotonicNow_ns() {
  timespec now;
  ReadClock(CLOCK_MONOTONIC, &now);
  return ToNanoseconds(now);
}

uint64_t RealtimeNow_ns() {
  timespec now;
  ReadClock(CLOCK_REALTIME, &now);
  return ToNanoseconds(now);
}

}  // namespace junction
