// SPDX-License-Identifier: Apache-2.0
// What is asked of this instance from outside (base/request_protocol.h): one way in for all kinds, served by the first uProc.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/request_protocol.h"

namespace junction {

struct Kthread;
struct UProc;

/// A request has come by signal. Signal-safe.
void NoteRequest(uint64_t request_id);

/// UthreadHooks::serve_requests: does what was asked for, or says why not. Clones are made only with `is_idle`. Kernel lock held.
void ServeRequests(Kthread& kthread, bool is_idle);

/// In a clone: what others have asked of the template.
void ForgetRequests();

/// Sends a message to the monitor. An error means that it has gone. Any context.
int64_t SayToMonitor(int32_t connection, RequestAnswer answer, uint32_t reason, int64_t error, int32_t value);

/// Receives an order and the descriptors that come with it. Blocks up to 5 s. The number of descriptors, which are all close-on-exec, or
/// -errno; -EPROTO for a message of another size, or with more descriptors.
int64_t ReceiveOrder(int32_t connection, void* order, size_t order_bytes, int32_t* fds, size_t max_fds);

/// For a process that the monitor is not the parent of, so that no parent-death signal comes when it dies: its end of the connection closes
/// then, and the host turns that into SIGKILL. The monitor must not send anything from here on. 0 or -errno.
int64_t HangOnMonitor(int32_t connection, int32_t host_pid);

// One per kind, for ServeRequests: answers over `connection`, which the caller closes. The current thread is one of `process`, whose
// descriptors are looked at. Kernel lock held.

/// instance_clone.cc
void ServeClone(Kthread& kthread, UProc& process, int32_t connection);
/// uproc_addition.cc
void ServeAddition(UProc& process, int32_t connection);

}  // namespace junction
