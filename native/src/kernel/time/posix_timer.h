// SPDX-License-Identifier: Apache-2.0
// Timers that belong to a process: timer_create(2) and setitimer(2). UProc::timers, made with the first.
#pragma once

#include <csignal>
#include <cstdint>
#include <ctime>

#include "base/list.h"
#include "kernel/time/countdown.h"

namespace junction {

struct UProc;

struct PosixTimer {
  Countdown countdown;  // must be first
  ListNode node;
  int32_t id;
  clockid_t clock;
  int32_t signal;
  int32_t target_tid;  // SIGEV_THREAD_ID; 0 = the process
  sigval value;
  int32_t overrun;  // of the signal that was sent last
};

struct PosixTimers {
  List timers;  // PosixTimer::node
  int32_t next_id;
  uint32_t count;
  Countdown intervals[3];  // ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF
};

/// The process' timers, made if need be; null if memory is short. Kernel lock held.
PosixTimers* EnsurePosixTimers(UProc& process);

/// execve: POSIX timers go, interval timers stay. Kernel lock held.
void ForgetTimersForExec(UProc& process);

/// The process ends: all of them go. Kernel lock held.
void ReleasePosixTimers(UProc& process);

}  // namespace junction
