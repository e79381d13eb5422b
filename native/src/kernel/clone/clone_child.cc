// SPDX-License-Identifier: Apache-2.0
// The clone's first steps, from the host fork to its first uthread. Until its own arena is mapped it must not touch kernel objects: they
// are the template's, which holds the kernel lock and waits. Read first: landlock(7) on scopes.
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>

#include "kernel/clone/clone_steps.h"
#include "kernel/door/dispatch.h"
#include "kernel/files/fd_table.h"
#include "kernel/files/file.h"
#include "kernel/memory/random.h"
#include "kernel/net/instance_net.h"
#include "kernel/process/process.h"
#include "kernel/request/instance_request.h"
#include "kernel/signals/signals.h"
#include "uthread/address_map.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

constexpr size_t kStack_bytes = 65536;
constexpr int kFailureStatus = 125;
constexpr long kLandlockCreateRuleset = 444;
constexpr long kLandlockRestrictSelf = 446;

alignas(64) char g_stack[kStack_bytes];

struct LandlockRuleset {
  uint64_t handled_files;
  uint64_t handled_network;
  uint64_t scoped;
};
constexpr uint64_t kScopeSignal = 2;  // LANDLOCK_SCOPE_SIGNAL

enum Progress : uint32_t { kCopied = 1, kGaveUp = 2 };

// What the monitor has sent.
struct Order {
  int32_t fds[kCloneMaxDescriptors];
  uint32_t cgroup_count;
  NicGeometry geometry;  // invalid: no NIC
  int32_t control_fd() const { return fds[0]; }
  CloneOutput output() const { return {{fds[1], fds[2]}}; }
  NicDescriptors nic() const {
    const int32_t* from = fds + kCloneFixedDescriptors + cgroup_count;
    NicDescriptors descriptors;
    descriptors.memory = *from++;
    descriptors.instance_event = *from++;
    for (uint32_t i = 0; i < geometry.port_count; ++i) {
      descriptors.peer_events[i] = *from++;
    }
    descriptors.geometry = geometry;
    return descriptors;
  }
};
static_assert(kCloneMaxNicPorts == kMaxNicPorts);

void LetTemplateGo(Progress progress) {
  std::atomic<uint32_t>& word = CloneProgress();
  word.store(progress, std::memory_order_release);
  HostCall(SYS_futex, &word, FUTEX_WAKE, 1);
}

class Child {
 public:
  explicit Child(const CloneStart& start) : kthread_(*start.kthread), connection_(start.connection) {}

  [[noreturn]] void Run() {
    if (const int64_t error = TakeOrder(); error != 0) {
      Fail(CloneStep::kOrder, error);
    }
    if (const int64_t error = JoinCgroups(); error != 0) {
      Fail(CloneStep::kCgroup, error);
    }
    BecomeCopy();
    TakeControlBlock();
    Settle();
    if (SayToMonitor(connection_, RequestAnswer::kRunning, 0, 0, 0) < 0) {
      Fail(CloneStep::kOrder, -EPIPE);  // the monitor has died
    }
    kthread_.current = nullptr;
    UnlockKernel();
    const uint64_t none = 0;
    HostCall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof(none));
    EnterKthread(kthread_);
  }

 private:
  UProc& process() const { return *reinterpret_cast<UProc*>(kthread_.group); }

  [[noreturn]] void Fail(CloneStep step, int64_t error, int32_t value = 0) {
    SayToMonitor(connection_, RequestAnswer::kFailed, static_cast<uint32_t>(step), error, value);
    if (!has_own_arena_) {
      LetTemplateGo(kGaveUp);
    }
    while (true) {
      HostCall(SYS_exit_group, kFailureStatus);
    }
  }

  int64_t TakeOrder() {
    CloneOrder order = {};
    const int64_t count = ReceiveOrder(connection_, &order, sizeof(order), order_.fds, kCloneMaxDescriptors);
    if (count < 0) {
      return count;
    }
    if (order.magic != kRequestMagic || order.cgroup_count > kCloneMaxCgroups ||
        order.nic_port_count > kCloneMaxNicPorts ||
        count != static_cast<int64_t>(kCloneFixedDescriptors + order.cgroup_count +
                                      CloneNicDescriptors(order.nic_port_count))) {
      return -EPROTO;
    }
    order_.cgroup_count = order.cgroup_count;
    order_.geometry = {order.nic_port_count, order.nic_queue_pair_count};
    return order_.geometry.is_valid() == HasNic() ? 0 : -EPROTO;  // HasNic: the template's arena is still there
  }

  // First, so that what is copied counts as the clone's. A thread that moves itself by v1's "tasks" needs no grace period.
  int64_t JoinCgroups() {
    for (uint32_t i = 0; i < order_.cgroup_count; ++i) {
      const int32_t fd = order_.fds[kCloneFixedDescriptors + i];
      const int64_t written = HostCall(SYS_write, fd, "0", 1);
      HostCall(SYS_close, fd);
      if (written != 1) {
        return written < 0 ? written : -EIO;
      }
    }
    return 0;
  }

  void BecomeCopy() {
    const int64_t arena = CopyArena();
    if (arena < 0) {
      Fail(CloneStep::kArena, arena);
    }
    SharedMemoryCopies copies;
    if (const int64_t error = CopySharedMemory(process(), copies); error != 0) {
      Fail(CloneStep::kSharedMemory, error);
    }
    LetTemplateGo(kCopied);
    has_own_arena_ = true;  // nobody waits for us any more
    arena_fd_ = static_cast<int32_t>(arena);
    const int64_t mapped = HostCall(SYS_mmap, kArenaLow, kArenaSize_bytes, PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_NORESERVE | MAP_FIXED, arena_fd_, 0);
    if (IsHostError(mapped)) {
      Fail(CloneStep::kArena, mapped);
    }
    if (const int64_t error = MapSharedMemory(process(), copies); error != 0) {
      Fail(CloneStep::kSharedMemory, error);
    }
  }

  void TakeControlBlock() {
    __builtin_memcpy(static_cast<void*>(ports_), static_cast<const void*>(g_image.control->ports), sizeof(ports_));
    const int64_t mapped = HostCall(SYS_mmap, kControlBlockAddress, kControlBlockSize_bytes, PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_FIXED, order_.control_fd(), 0);
    if (IsHostError(mapped)) {
      Fail(CloneStep::kControl, mapped);
    }
    g_image.control->processes_started.store(1, std::memory_order_relaxed);
    PrepareDispatch(g_image.control->strace.load(std::memory_order_relaxed) != 0);
  }

  void ResetKthread() {
    UthreadGroup& group = process().group;
    group.timer_keeper = nullptr;
    group.last_kthread = nullptr;
    const List& kthreads = group.kthreads;
    for (ListNode* node = kthreads.first(); node != nullptr;) {
      Kthread* const other = JUNCTION_OWNER(node, Kthread, group_node);
      node = kthreads.Next(node);
      if (other != &kthread_) {
        FreeKthread(*other);  // its host thread stayed in the template
      }
    }
    kthread_.attention.store(0, std::memory_order_relaxed);
    kthread_.host_signals.store(0, std::memory_order_relaxed);
    kthread_.park_word.store(0, std::memory_order_relaxed);
    kthread_.tick_timer = -1;  // POSIX timers are not inherited
    kthread_.tick_deadline_ns = kNever;
    kthread_.is_parked = false;
    kthread_.keeps_net.store(0, std::memory_order_relaxed);
    kthread_.parks_in_poller = false;
    kthread_.wake_count = 0;
  }

  void Settle() {
    ResetKthread();
    if (const int64_t error = AttachKthread(kthread_); error != 0) {
      Fail(CloneStep::kAttach, error);
    }
    // The lock's copy is held by the template.
    Arena().lock.word.store(static_cast<uint32_t>(kthread_.host_tid), std::memory_order_relaxed);
    process().group.host_pid = kthread_.host_pid;
    TheInstance().is_clone = true;
    ForgetRequests();
    kthread_.current = NextThread(process(), nullptr);  // whose descriptors are remade
    RemakeDescriptors();
    if (const int64_t error = ReseedRandom(); error != 0) {
      Fail(CloneStep::kAttach, error);
    }
    if (HasNic()) {
      if (const int64_t error = ReplaceInstanceNet(*process().files, order_.nic()); error != 0) {
        Fail(CloneStep::kNic, error);
      }
    }
    HostCall(SYS_setsid);
    HostCall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);  // HangOnClone
    if (const int64_t error = Isolate(); error != 0) {
      Fail(CloneStep::kIsolation, error);
    }
    if (const int64_t error = HangOnMonitor(connection_, kthread_.host_pid); error != 0) {
      Fail(CloneStep::kIsolation, error);
    }
  }

  void RemakeDescriptors() {
    int32_t value = -1;
    if (const int64_t error = RemakeFiles(process(), arena_fd_, order_.output(), ports_, &value); error != 0) {
      Fail(CloneStep::kDescriptor, error, value);
    }
    // Both stay open over an execve, which finds the control block by its descriptor: the path is the template's.
    HostCall(SYS_fcntl, order_.control_fd(), F_SETFD, 0);
    HostCall(SYS_fcntl, connection_, F_SETFD, 0);
    const int64_t control = ReserveHostFd(*process().files, order_.control_fd());
    const int64_t connection = control < 0 ? control : ReserveHostFd(*process().files, connection_);
    if (connection < 0) {
      Fail(CloneStep::kDescriptor, connection);
    }
    g_image.control_fd = static_cast<int>(control);
    connection_ = static_cast<int32_t>(connection);
  }

  // Siblings have one user id and one pid namespace. In a domain of its own a process can neither signal nor trace what is outside of it,
  // nor read its memory or environment through /proc. Children are inside.
  int64_t Isolate() {
    const LandlockRuleset ruleset = {0, 0, kScopeSignal};
    const int64_t fd = HostCall(kLandlockCreateRuleset, &ruleset, sizeof(ruleset), 0);
    if (fd < 0) {
      return fd;
    }
    const int64_t error = HostCall(kLandlockRestrictSelf, fd, 0);
    HostCall(SYS_close, fd);
    return error;
  }

  Kthread& kthread_;
  int32_t connection_;
  int32_t arena_fd_ = -1;
  bool has_own_arena_ = false;
  Order order_ = {};
  ControlPort ports_[kControlBlockPorts] = {};
};

}  // namespace

void* CloneStackTop() { return g_stack + sizeof(g_stack); }

void RunClone(void* start) {
  Child child(*static_cast<const CloneStart*>(start));
  child.Run();
}

}  // namespace junction
