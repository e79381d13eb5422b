// SPDX-License-Identifier: Apache-2.0
// One uProc: a guest process. In the arena, so that its relatives find it; its host process has the same id (but in a clone).
#pragma once

#include <linux/limits.h>

#include <cstdint>

#include "base/control_block.h"
#include "kernel/process/guest_thread.h"
#include "kernel/signals/signals.h"
#include "uthread/arena.h"
#include "uthread/uthread.h"

namespace junction {

struct AddressSpace;
struct NicDescriptors;
struct FdTable;
struct PosixTimers;

/// Host memory that the guest must not replace: [low, high).
struct AddressRange {
  uint64_t low = 0;
  uint64_t high = 0;
  bool Overlaps(uint64_t address, uint64_t size_bytes) const {
    return address < high && (size_bytes > UINT64_MAX - address || address + size_bytes > low);
  }
};

enum class UProcState : uint8_t {
  kAlive,
  kStopped,  // by a job-control signal; SIGCONT -> kAlive
  kEnding,   // its threads are leaving; the last one -> kZombie
  kZombie,   // wait_status is final; freed when waited for (or at once if nobody will)
};

struct UProc {
  UthreadGroup group;  // must be first
  int32_t pid;         // group.host_pid, but of the first process of a clone: its template's id
  UProcState state;
  int32_t process_group;
  int32_t session;
  UProc* parent;       // null for the first
  int32_t parent_pid;  // of `parent`, read without the lock (getppid)
  uint32_t
      references;  // the process table's until it is waited for, and those of who looks at it over a Park (process.h)
  List children;   // UProc::sibling_node, zombies too
  ListNode sibling_node;
  ListNode instance_node;  // Instance::processes
  int32_t exit_signal;     // to the parent, SIGCHLD mostly; 0 = none
  int32_t death_signal;    // PR_SET_PDEATHSIG

  FdTable* files;
  AddressSpace* memory;
  SignalActions* actions;
  PendingSignals pending;
  WaitQueue signal_arrived;  // signalfd, sigtimedwait: woken for each queued signal
  PosixTimers* timers;       // POSIX and interval timers; null until one is made
  List timer_files;          // timerfd.cc: those that count on this process' timer queue

  // end and job control
  int32_t wait_status;  // as wait4 gives it
  bool is_group_exiting;
  int32_t stop_signal;      // unreported stop: its number, 0 = none
  bool has_continued;       // unreported continue
  WaitQueue child_changed;  // wait4, waitid of its threads
  WaitQueue state_changed;  // pidfds of it, vfork parents
  WaitQueue resumed;        // its stopped threads
  bool is_child_subreaper;
  bool has_execed;
  bool is_vfork_child;  // shares its parent's memory (or the parent waits for it) until exec or exit
  bool is_dumpable;
  uint64_t start_ns;
  uint64_t child_user_us, child_system_us;
  uint64_t user_us, system_us;  // its own, once it is a zombie
  GuestThread* last_thread;     // of a zombie: its slot is given back once the host process is gone
  WaitQueue thread_left;        // an execve that waits for the other threads to end
  void* exec_scratch;           // of an execve in progress: freed by the new image
  uint64_t exec_scratch_bytes;
  UProc* next_dead;  // while ReapHostDeaths ends several

  // of one that was started from outside of the instance (uproc_addition.cc)
  bool is_added;
  bool logs_end;       // its end is told in the instance's log
  int32_t monitor_fd;  // connection to who asked for it, as ReserveHostFd named it

  char exe_path[PATH_MAX];  // of the guest's program, absolute
};

/// Root of all kernel objects: ArenaHeader::kernel_root.
struct Instance {
  List processes;  // UProc::instance_node
  UProc* init;     // the first; its end ends the instance
  uint32_t next_tid;
  uint32_t process_count;
  void* futex_table;    // futex.cc
  void* unix_names;     // unix_names.cc
  void* fd_transit;     // fd_transit.cc
  void* net;            // instance_net.cc; null: no NIC
  List own_ports;       // HostSocket::own_port_node: UDP sockets whose port is the host's choice (inet_ports.cc)
  uint64_t next_inode;  // of pipes, sockets, anonymous files
  uint64_t next_memory_id;
  uint64_t random_key[4];                   // random.cc; zero = not seeded yet
  uint32_t next_serial;                     // NextSerial
  GuestThread** threads_by_id;              // thread_ids.cc
  uint64_t output_inodes[2];                // of the pipes behind descriptors 1 and 2 at the start
  bool is_clone;                            // of another instance: not the first process of its pid namespace
  struct MappedObject* recent_objects[64];  // mapped_object.cc
  bool has_crash_reports;                   // a guest that dies of a fault is described on descriptor 2
  List dying;  // UProc::instance_node: waited for, but the host process may still stand on their memory
};

inline Instance& TheInstance() { return *static_cast<Instance*>(Arena().kernel_root); }
/// A number that no other process of the instance uses as a mark in shared objects; never 0. Kernel lock held.
inline uint32_t NextSerial() {
  uint32_t& serial = TheInstance().next_serial;
  if (++serial == 0) {
    ++serial;
  }
  return serial;
}
inline UProc& CurrentProcess() { return *CurrentThread().process; }

/// Guest threads other than the first of their process have ids from here on: host ids never reach it (PID_MAX_LIMIT of Linux).
inline constexpr uint32_t kFirstThreadId = 4194304;

/// Any process, zombies too; null if there is none. Kernel lock held.
UProc* FindProcess(int32_t pid);
/// Any live thread by its id (a process' id is its first thread's). Kernel lock held.
GuestThread* FindThread(int32_t tid);
/// Thread `thread`'s successor in its process' list, null at the end; pass null for the first.
GuestThread* NextThread(UProc& process, GuestThread* thread);

/// Begins the end of a process: `wait_status` as wait4 reports it. All its threads will leave. Kernel lock held.
void BeginGroupExit(UProc& process, int32_t wait_status);

/// Ends the current thread; with the last one the process. Kernel lock held.
[[noreturn]] void ExitCurrentThread();

/// A thread's uthread is off its stack for good (UthreadHooks::uthread_is_gone): frees its slot. Kernel lock held.
void ForgetThread(Uthread& uthread);

/// Tells the parent of a stop, a continue or the end: SIGCHLD with `code` (CLD_EXITED …) and wakes its waits. Kernel lock held.
void NotifyParent(UProc& child, int code, int status);

/// After the first host syscalls of a fresh process image. See program start in loader/enter_program.cc.
struct ProcessStart {
  ControlBlock* control;
  int arena_fd;
  UProc* process;  // an exec goes on with this one; null = first process of the instance
  uint64_t signal_mask;
  uint64_t vdso;
  const NicDescriptors* nic;  // of a first process; null = none
};

/// First half, before the program is loaded: maps the arena, makes the first UProc or takes up the one that called execve, makes the
/// caller its kthread and current thread. No libc from here on. 0 or -errno.
int64_t PrepareProcess(const ProcessStart& start);

/// The program could not be loaded: libc may be used again, for a message, and the host process is to exit then. Its parent takes that
/// for a death by SIGKILL, as Linux brings it about past execve's point of no return.
void AbandonProcess();

/// Second half: the caller becomes the program's first thread.
[[noreturn]] void StartProcess(uint64_t entry, uint64_t stack_pointer);

/// Private to each host process image (a vfork child shares its parent's).
struct ProcessImage {
  ControlBlock* control = nullptr;
  int arena_fd = -1;
  int control_fd = -1;  // as ReserveHostFd named it, of a clone: the path of its control block is its template's
  char control_path[PATH_MAX] = {};
  char plan_path[PATH_MAX] = {};
  bool crash_report = false;  // of the first process: becomes Instance::has_crash_reports
};
extern ProcessImage g_image;

}  // namespace junction
