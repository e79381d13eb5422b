// SPDX-License-Identifier: Apache-2.0
// One more program in a running instance. Read first: base/addition_protocol.h.
//
//   first uProc, at a safe point, kernel lock held       child
//   objects, host clone with CLONE_VM ---------------->  AttachKthread; waits for the kernel lock
//   enters it in the tables, goes on                     order, descriptors, working folder (host calls, no lock)
//                                                        execve of junction_run: looks for the program (loader/program.cc)
//
// The guest's memory is not copied: the child is as a vfork child until its exec. The first uProc need not be idle nor does it wait, since the
// child uses nothing of it but the image's constants. It has no parent in the instance (getppid() is 0, as with a container engine's exec):
// the first program learns nothing of it, by SIGCHLD or by wait, and its zombie is buried at once.
#include "kernel/request/uproc_addition.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>

#include "base/addition_protocol.h"
#include "kernel/events/host_poller.h"
#include "kernel/files/fd_table.h"
#include "kernel/memory/memory.h"
#include "kernel/process/new_process.h"
#include "kernel/process/process.h"
#include "kernel/process/second_stage_exec.h"
#include "kernel/request/instance_request.h"
#include "kernel/sockets/fd_transit.h"
#include "uthread/clock.h"
#include "uthread/host_call.h"
#include "uthread/text_buffer.h"

namespace junction {
namespace {

constexpr int kFailureStatus = 125;
constexpr int kFirstOther = 3;  // descriptors from here on are not stdio
constexpr uint64_t kUsualUmask = 022;
constexpr size_t kShownPath_bytes = 400;  // in a line of the log
constexpr uint64_t kArenaBlock_bytes = 1 << 20;

// Arguments for execve, then the texts of the order. In the arena, as the memory is the first uProc's; the new image frees it.
struct Scratch {
  StageTexts texts;
  char connection[StageTexts::kNumber_bytes];
  const char* argv[];  // of the second stage, ends with a null pointer; envp follows
};

// A descriptor of the current process that goes to the instance's log: stdout's or, failing that, stderr's; -1 if it has none any more.
int32_t FindOutput(const FdTable& table, int first) {
  for (const int which : {first, 1 - first}) {
    const uint64_t inode = TheInstance().output_inodes[which];
    for (uint32_t fd = 0; fd < table.capacity; ++fd) {
      const File* const file = table.entries[fd].file;
      struct stat status;
      if (file != nullptr && file->kind == FileKind::kHostStream && HostCall(SYS_fstat, fd, &status) == 0 &&
          S_ISFIFO(status.st_mode) && status.st_ino == inode) {
        return static_cast<int32_t>(fd);
      }
    }
  }
  return -1;
}

// What the host has below 3 and at the kernel's own numbers stays.
void CloseAllOthers(const FdTable& table) {
  uint32_t start = kFirstOther;
  for (uint32_t fd = kFirstOther; fd < table.capacity; ++fd) {
    if (table.entries[fd].is_reserved) {
      if (fd > start) {
        HostCall(SYS_close_range, start, fd - 1, 0);
      }
      start = fd + 1;
    }
  }
  HostCall(SYS_close_range, start, ~0U, 0);
}

class Child {
 public:
  explicit Child(Kthread& kthread)
      : kthread_(kthread), process_(*reinterpret_cast<UProc*>(kthread.group)), connection_(process_.monitor_fd) {}

  [[noreturn]] void Run() {
    BecomeCurrent();
    // The monitor learns from whom this comes, and sends its order only then: until it has a pidfd this process cannot end and be another.
    if (SayToMonitor(connection_, RequestAnswer::kAccepted, 0, 0, 0) < 0) {
      Fail(AdditionStep::kOrder, -EPIPE);
    }
    if (const int64_t error = TakeOrder(); error != 0) {
      Fail(AdditionStep::kOrder, error);
    }
    if (const int64_t error = TakeTexts(); error != 0) {
      Fail(AdditionStep::kOrder, error);
    }
    if (const int64_t error = ConnectDescriptors(); error != 0) {
      Fail(AdditionStep::kOutput, error);
    }
    if (const int64_t error = HostCall(SYS_chdir, folder_); error != 0) {
      Fail(AdditionStep::kFolder, error);
    }
    Fail(AdditionStep::kExec, Execute());
  }

 private:
  void BecomeCurrent() {
    const KernelLockGuard lock;  // until the first uProc has entered us in the tables
    GuestThread& thread = *NextThread(process_, nullptr);
    thread.state = UthreadState::kRunning;
    thread.kthread = &kthread_;
    kthread_.current = &thread;
    HostCall(SYS_setsid);
    HostCall(SYS_umask, kUsualUmask);
  }

  [[noreturn]] void Fail(AdditionStep step, int64_t error) {
    SayToMonitor(connection_, RequestAnswer::kFailed, static_cast<uint32_t>(step), error, 0);
    LockKernel();
    process_.is_added = false;  // all has been said
    BeginGroupExit(process_, kFailureStatus << 8);
    ExitCurrentThread();
  }

  int64_t TakeOrder() {
    const int64_t count = ReceiveOrder(connection_, &order_, sizeof(order_), fds_, kAdditionMaxDescriptors);
    if (count < 0) {
      return count;
    }
    const uint32_t wanted = order_.has_stdio != 0 ? kAdditionMaxDescriptors : kAdditionTextFiles;
    return order_.magic == kRequestMagic && count == wanted && order_.argument_count != 0 ? 0 : -EPROTO;
  }

  int64_t TakeTexts() {
    const uint64_t text_count = uint64_t{1} + order_.argument_count + order_.environment_count;
    scratch_bytes_ = sizeof(Scratch) + sizeof(char*) * (kStageGuestArguments + 2 + text_count) + order_.texts_bytes;
    if (scratch_bytes_ > kArenaBlock_bytes || order_.texts_bytes == 0) {
      return -E2BIG;
    }
    {
      const KernelLockGuard lock;
      scratch_ = static_cast<Scratch*>(ArenaAllocate(scratch_bytes_));
      process_.exec_scratch = scratch_;  // so that it is freed whatever comes
      process_.exec_scratch_bytes = scratch_bytes_;
    }
    if (scratch_ == nullptr) {
      return -ENOMEM;
    }
    char* const texts = reinterpret_cast<char*>(scratch_) + scratch_bytes_ - order_.texts_bytes;
    const int64_t size = HostCall(SYS_pread64, fds_[0], texts, order_.texts_bytes, 0);
    HostCall(SYS_close, fds_[0]);
    if (size != order_.texts_bytes || texts[size - 1] != '\0') {
      return size < 0 ? size : -EPROTO;
    }
    return LayOut(texts, texts + size) ? 0 : -EPROTO;
  }

  // Sets the pointers to the texts; false if there are not as many as the order says.
  bool LayOut(const char* at, const char* end) {
    const auto next = [&]() {
      const char* const text = at;
      while (at < end && *at++ != '\0') {
      }
      return text;
    };
    folder_ = next();
    const char** to = scratch_->argv + kStageGuestArguments;
    for (uint32_t i = 0; i < order_.argument_count; ++i) {
      if (at == end) {
        return false;
      }
      *to++ = next();
    }
    *to++ = nullptr;
    environment_ = to;
    for (uint32_t i = 0; i < order_.environment_count; ++i) {
      if (at == end) {
        return false;
      }
      *to++ = next();
    }
    *to = nullptr;
    return at == end;
  }

  // 0, 1 and 2 become what the order says; besides them only the kernel's own stay, and the connection is one of those.
  int64_t ConnectDescriptors() {
    const KernelLockGuard lock;
    FdTable& table = *process_.files;
    const int64_t reserved = ReserveHostFd(table, connection_);
    if (reserved < 0) {
      return reserved;
    }
    connection_ = process_.monitor_fd = static_cast<int32_t>(reserved);
    int64_t lifted[3];
    for (int i = 0; i < 3; ++i) {
      lifted[i] = LiftSource(i);
      if (lifted[i] < 0) {
        return lifted[i];
      }
    }
    for (int i = 0; i < 3; ++i) {
      if (const int64_t result = HostCall(SYS_dup3, lifted[i], i, 0); result < 0) {
        return result;
      }
    }
    CloseAllOthers(table);
    process_.logs_end = order_.has_stdio == 0;
    HostCall(SYS_fcntl, connection_, F_SETFD, 0);  // stays over each exec
    const int64_t error = HangOnMonitor(connection_, kthread_.host_pid);
    return error != 0 ? error : AdoptHostDescriptors(table);
  }

  // A copy of what is to be descriptor `number`, above the three.
  int64_t LiftSource(int number) {
    if (order_.has_stdio != 0) {
      return HostCall(SYS_fcntl, fds_[kAdditionTextFiles + static_cast<uint32_t>(number)], F_DUPFD_CLOEXEC,
                      kFirstOther);
    }
    const UProc* const init = TheInstance().init;
    if (number != 0 && init->files != nullptr) {
      if (const int32_t output = FindOutput(*init->files, number - 1); output >= 0) {
        return HostCall(SYS_fcntl, output, F_DUPFD_CLOEXEC, kFirstOther);
      }
    }
    const int64_t null = HostCall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    if (null < 0 || null >= kFirstOther) {
      return null;
    }
    const int64_t lifted = HostCall(SYS_fcntl, null, F_DUPFD_CLOEXEC, kFirstOther);
    HostCall(SYS_close, null);
    return lifted;
  }

  int64_t Execute() {
    const KernelLockGuard lock;
    const char** const argv = scratch_->argv;
    BeginStageArguments(scratch_->texts, process_, kAddedStageName, argv);
    WriteStageNumber(scratch_->connection, static_cast<uint64_t>(ReservedHostFd(connection_)), 10);
    argv[kStageFile] = argv[kStageGuestArguments];
    argv[kStageFileAsGiven] = scratch_->connection;
    const int64_t error =
        ExecuteSecondStage(process_, scratch_, scratch_bytes_, argv, reinterpret_cast<uint64_t>(environment_));
    process_.exec_scratch = scratch_;
    return error;
  }

  Kthread& kthread_;
  UProc& process_;
  int32_t connection_;
  AdditionOrder order_ = {};
  int32_t fds_[kAdditionMaxDescriptors] = {};
  Scratch* scratch_ = nullptr;
  size_t scratch_bytes_ = 0;
  const char* folder_ = nullptr;
  const char** environment_ = nullptr;
};

// First code of the child. All host signals are blocked.
void RunAddition(void* argument) {
  auto& kthread = *static_cast<Kthread*>(argument);
  KERNEL_CHECK(AttachKthread(kthread) == 0);
  if (TheInstance().is_clone) {
    HangOnClone();
  }
  const uint64_t none = 0;
  HostCall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof(none));
  Child child(kthread);
  child.Run();
}

// Empty but for the kernel's own descriptors, which the child inherits.
FdTable* NewTable(const FdTable& from) {
  FdTable* const table = NewFdTable();
  if (table == nullptr) {
    return nullptr;
  }
  for (int i = 0; i < kReservedHostFds; ++i) {
    const int32_t now = from.reserved[i].now;
    if (now < 0) {
      continue;
    }
    if (!EnsureFdCapacity(*table, static_cast<uint32_t>(now) + 1)) {
      UnreferenceFdTable(*table);
      return nullptr;
    }
    table->reserved[i] = from.reserved[i];
    table->entries[now].is_reserved = true;
  }
  return table;
}

bool MakeChild(const UProc& first, int32_t connection, NewChild& child) {
  child.process = ArenaNew<UProc>();
  if (child.process == nullptr) {
    return false;
  }
  UProc& process = *child.process;
  process.state = UProcState::kAlive;
  process.exit_signal = SIGCHLD;
  process.is_dumpable = true;
  process.is_added = true;
  process.monitor_fd = connection;
  process.start_ns = MonotonicNow_ns();
  process.files = NewTable(*first.files);
  process.memory = NewAddressSpace();
  process.actions = ArenaNew<SignalActions>();
  child.kthread = AllocateKthread(process.group);
  child.thread = static_cast<GuestThread*>(AllocateUthreadSlot());
  if (process.files == nullptr || process.memory == nullptr || process.actions == nullptr || child.kthread == nullptr ||
      child.thread == nullptr) {
    return false;
  }
  child.thread->process = &process;
  child.thread->alternate_stack_flags = SS_DISABLE;
  child.thread->affinity = ~0ULL;
  return true;
}

// 0 or -errno.
int64_t Start(const UProc& first, int32_t connection) {
  FreeDeadProcesses();
  static_cast<void>(PrepareFdTransit());  // as for a guest's fork: what is passed between the two goes through it
  NewChild child;
  if (!MakeChild(first, connection, child)) {
    FreeChild(child);
    return -ENOMEM;
  }
  const int64_t result = ForkHost(*child.kthread, CLONE_VM, &RunAddition);
  if (IsHostError(result)) {
    FreeChild(child);
    return result;
  }
  const auto pid = static_cast<int32_t>(result);
  if (FindProcess(pid) != nullptr) {
    DiscardChild(child, pid);
    return -EAGAIN;
  }
  EnterChild(child, pid, nullptr);
  child.process->process_group = pid;
  child.process->session = pid;
  return 0;
}

void LogEnd(const UProc& process) {
  const auto& current = *reinterpret_cast<const UProc*>(CurrentKthread()->group);
  const int32_t fd = current.files == nullptr ? -1 : FindOutput(*current.files, 1);
  if (fd < 0 || (PollHostFd(fd, POLLOUT) & POLLOUT) == 0) {
    return;  // a full pipe: the monitor has no time for more
  }
  TextBuffer<512> line;
  line.Add("junction: added program ");
  for (size_t i = 0; i < kShownPath_bytes && process.exe_path[i] != '\0'; ++i) {
    line.AddChar(process.exe_path[i]);
  }
  line.Add(" (process ").AddSigned(process.pid);
  if (const int signal = process.wait_status & 0x7f; signal != 0) {
    line.Add(") was ended by signal ").AddSigned(signal);
  } else {
    line.Add(") exited with code ").AddSigned(process.wait_status >> 8 & 0xff);
  }
  line.AddChar('\n');
  HostCall(SYS_write, fd, line.data(), line.size());
}

}  // namespace

void ServeAddition(UProc& process, int32_t connection) {
  if (process.state != UProcState::kAlive && process.state != UProcState::kStopped) {
    SayToMonitor(connection, RequestAnswer::kRefused, static_cast<uint32_t>(AdditionRefusal::kEnding), 0, 0);
    return;
  }
  if (const int64_t error = Start(process, connection); error != 0) {
    SayToMonitor(connection, RequestAnswer::kFailed, static_cast<uint32_t>(AdditionStep::kFork), error, 0);
  }
}

void TellOfAdditionsEnd(const UProc& process, bool is_own) {
  if (is_own) {
    SayToMonitor(ReservedHostFd(process.monitor_fd), RequestAnswer::kEnded, 0, 0, process.wait_status);
  }
  if (process.logs_end && process.has_execed) {
    LogEnd(process);
  }
}

}  // namespace junction
