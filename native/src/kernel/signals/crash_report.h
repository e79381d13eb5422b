// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>

#include "kernel/process/guest_thread.h"

namespace junction {

/// Describes on descriptor 2 why the current process is about to be ended by `info`, if Instance::has_crash_reports says so. Kernel
/// lock held; released meanwhile.
void ReportCrash(GuestThread& thread, const siginfo_t& info);

}  // namespace junction
