// SPDX-License-Identifier: Apache-2.0
// The instance's own network: one TCP/IP stack in the arena (net/stack.h) on the ports of its NIC (nic/nic_layout.h). Read first:
// kernel/net/README.md.
//
// All calls with the kernel lock held unless it says otherwise; none waits. Socket handlers call the stack, then FlushNet; before they
// park, or answer EAGAIN, or find an epoll empty, they call PollNet once and look again.
#pragma once

#include <cstdint>

#include "net/stack.h"
#include "nic/nic_descriptors.h"
#include "uthread/arena.h"

namespace junction {

struct FdTable;
struct UthreadGroup;

/// Whether the instance has a NIC: its inet and netlink sockets are its own then. Without one they are the host's. Any thread, no lock.
inline bool HasNic() { return Arena().net.exists(); }

/// The stack. Only with a NIC. It lies in the arena: pointers to it and to what it makes are good in all uProcs.
net::Stack& InstanceStack();

/// The time for calls of the stack: the host's CLOCK_MONOTONIC.
uint64_t NetNow_ns();

/// Takes in what has come through all ports, runs the stack's timers that are due, flushes. Bounded: at most kPollBudget_frames frames.
/// Wakes who waits for sockets (Socket::notify). True if it took anything in. Cheap when there is nothing. No effect without a NIC.
bool PollNet();

/// A look without the lock: may PollNet find frames, or a peer that came or went? Timers are not looked at.
bool MayHaveFrames();

/// After calls on the stack that may have sent: what was sent goes out, sleeping peers are rung. At the end of a handler or a batch.
void FlushNet();

/// Frames that one call of PollNet takes in at most.
inline constexpr uint32_t kPollBudget_frames = 64;

// --- for the start and end of processes (kernel/process) and for clones (kernel/clone)

/// The process of `ending` is about to leave the host, or has been killed: somebody else has to see to the NIC, if it did.
void PassOnNetKeeping(const UthreadGroup& ending);

/// The first process of an instance: takes the NIC's descriptors over, maps it, makes the stack. 0 or -errno.
int64_t MakeInstanceNet(FdTable& table, const NicDescriptors& nic);
/// A fresh image (execve, an added program): maps the NIC again; no effect without one. 0 or -errno.
int64_t MapInstanceNet(const FdTable& table);
/// A clone takes its own NIC over its template's: new rings, addresses and secrets, the same listeners. The arena is the clone's own. 0 or
/// -errno.
int64_t ReplaceInstanceNet(FdTable& table, const NicDescriptors& nic);

}  // namespace junction
