// SPDX-License-Identifier: Apache-2.0
// Time for the kernel, through the host's vDSO (general registers only; its clock functions were checked for it).
#pragma once

#include <cstdint>
#include <ctime>

#include "base/never.h"

namespace junction {

/// Finds clock_gettime in the vDSO at `vdso` (AT_SYSINFO_EHDR; 0 = none: host calls then). Once per process image.
void PrepareClock(uint64_t vdso);

/// Nanoseconds of CLOCK_MONOTONIC.
uint64_t MonotonicNow_ns();

/// Nanoseconds of CLOCK_REALTIME.
uint64_t RealtimeNow_ns();

/// Any clock the host knows; 0 or -errno.
int64_t ReadClock(clockid_t clock, timespec* out);

}  // namespace junction
