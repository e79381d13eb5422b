// SPDX-License-Identifier: Apache-2.0
// Life and death of processes and threads: the part of it that only the process calls, exec and the start of an image share.
// Read first: clone(2), wait(2), execve(2), exit_group(2), credentials(7) on sessions and groups.
//
//   host fork            the last thread ends          waited for, or nobody will
//   ---------> kAlive ----------------------> kZombie --------------------------> Instance::dying --> memory is free
//                                                                                 (the host process must be gone first:
//                                                                                  its last steps are made on a stack in it)
#pragma once

#include <cstdint>

#include "kernel/process/uproc.h"

namespace junction {

/// Keeps the object of `process` alive over a Park; give it up by ReleaseProcess. Kernel lock held.
inline UProc& ReferenceProcess(UProc& process) {
  ++process.references;
  return process;
}
void ReleaseProcess(UProc& process);

/// Child processes whose host process vanished without having ended here (killed from outside, out of memory) become zombies of
/// SIGKILL. For the host's SIGCHLD. Kernel lock held.
void ReapHostDeaths();

/// For processes that a clone forks: all end with its first one, as in a pid namespace. The first is the host's reaper of orphans, so who
/// has pid 1 for a host parent has outlived it. The host signals (kRequestSignal) each change of parent.
void HangOnClone();
/// kRequestSignal of such a process: ends it if it is an orphan.
void EndIfOrphanOfClone();

/// Makes a thread leave at its next way out, even from a vfork wait. Kernel lock held.
void EndThread(GuestThread& thread);

/// Ends all threads of the process but `survivor` and waits until they are gone. False if the survivor is to end itself meanwhile.
/// Kernel lock held, released while it waits.
bool EndOtherThreads(UProc& process, GuestThread& survivor);

/// The end of a process for everybody else: files, children, signal to the parent; it is a zombie (or dying) then. wait_status is set.
/// `last_thread` may be null. Kernel lock held.
void EndProcess(UProc& process, GuestThread* last_thread);

/// A zombie has been waited for by `parent` (null: nobody waits): sums up its usage and takes it out of the tables. Kernel lock held.
void BuryProcess(UProc& zombie, UProc* parent);

/// Frees what dying processes left whose host processes are gone. Kernel lock held.
void FreeDeadProcesses();

/// The vfork parent of `process` may go on: it has a memory of its own, or ends. Kernel lock held.
void EndVfork(UProc& process);

/// True if no process of the group has a parent in the same session but in another group, so that nobody would continue it if it stopped
/// (POSIX 3.264). `ignored` does not count. Kernel lock held.
bool IsOrphanedGroup(int32_t process_group, const UProc* ignored);

/// Enters a new process in the instance's tables and its parent's. Kernel lock held.
void LinkProcess(UProc& process, UProc* parent);

/// Last act of a host process whose UProc has ended: gives the kernel lock back and exits as `wait_status` says.
[[noreturn]] void ExitHostProcess(UProc& process);

/// UthreadHooks::uthread_is_gone: the thread is off its stack.
void ForgetThread(Uthread& uthread);

// thread_ids.cc

/// An id for a new thread that is not the first of its process. Kernel lock held.
int32_t NewThreadId();
/// Makes a thread with its tid known to FindThread. Kernel lock held.
void LinkThreadId(GuestThread& thread);
void UnlinkThreadId(GuestThread& thread);
/// Makes the table of a fresh instance; false if memory is short.
bool PrepareThreadIds(Instance& instance);

/// clone(2) as the guest asked for it.
struct CloneArguments {
  uint64_t flags;
  uint64_t stack;
  uint64_t parent_tid;
  uint64_t child_tid;
  uint64_t tls;
};
/// New thread in the caller's process: its id or -errno. Kernel lock held.
int64_t CloneThread(GuestThread& parent, const CloneArguments& arguments);
/// What a thread has from the one that made it: registers, mask, name …, for threads and processes. `slot` is a fresh uthread slot.
GuestThread& CopyThread(void* slot, GuestThread& parent, const CloneArguments& arguments);

/// fork and its relatives: the child's pid or -errno. Kernel lock held; released meanwhile.
int64_t CloneProcess(GuestThread& parent, const CloneArguments& arguments);

/// The FS base of the current thread, wherever it is now, and setting it.
uint64_t ReadFsBase(GuestThread& thread);
void WriteFsBase(GuestThread& thread, uint64_t value);

}  // namespace junction
