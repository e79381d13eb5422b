// SPDX-License-Identifier: Apache-2.0
#include "kernel/net/instance_net.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/files/file.h"
#include "kernel/memory/random.h"
#include "kernel/net/net_addresses.h"
#include "kernel/net/net_port.h"
#include "kernel/net/nic_mapping.h"
#include "kernel/process/uproc.h"
#include "uthread/clock.h"
#include "uthread/host_call.h"
#include "uthread/kick.h"

namespace junction {
namespace {

constexpr uint64_t kPage_bytes = 4096;
constexpr size_t kArenaMax_bytes = 1 << 20;
constexpr size_t kLargeBlock_bytes = 64 * 1024;
// What 10,000 connections take that have a small message unread at one end and one not acknowledged at the other, a block each, and as much again.
// It is a bound, not a reserve; the instance's memory limit may be lower.
constexpr uint32_t kSocketMemory_bytes = 256 * 1024 * 1024;
constexpr uint64_t kIdleBeforeTrim_ns = 2'000'000'000;
// A peer does not tell that it made room. What it answers shows it; for what has no answer we look again, ever less often.
constexpr uint64_t kFirstRoomCheck_ns = 1'000'000;
constexpr uint64_t kLastRoomCheck_ns = 100'000'000;

/// Instance::net.
struct InstanceNet {
  NicGeometry geometry;
  net::Stack* stack;
  NetPort* ports[kMaxNicPorts];
  uint8_t* sink;
  std::atomic<uint32_t> polled_pairs;  // queue pairs that peers may have used so far
  uint32_t next_port;                  // to be looked at first: turns
  bool trims;                          // memory is given back by now
  bool needs_trim;                     // there was traffic since the last time
  uint64_t trim_at_ns;
  uint64_t room_check_ns;  // interval; 0 = nobody waits for room
  uint64_t room_check_at_ns;
};

InstanceNet& Net() { return *static_cast<InstanceNet*>(TheInstance().net); }

void* Allocate(void* /*context*/, size_t size_bytes) {
  return size_bytes > kArenaMax_bytes ? nullptr : ArenaAllocate(size_bytes);
}

// The arena keeps what is freed for the next who wants that size. When the instance is idle the pages go back to the host, but for the first,
// in which the arena has its list.
void Free(void* context, void* memory, size_t size_bytes) {
  ArenaFree(memory, size_bytes);
  if (size_bytes >= kLargeBlock_bytes && static_cast<InstanceNet*>(context)->trims) {
    HostCall(SYS_madvise, static_cast<char*>(memory) + kPage_bytes, (size_bytes & ~(kPage_bytes - 1)) - kPage_bytes,
             MADV_REMOVE);
  }
}

uint64_t Random(void* /*context*/) {
  uint64_t value = 0;
  KERNEL_CHECK(RandomBytes(&value, sizeof(value)) == 0);
  return value;
}

// Peers spread flows over as many queue pairs as there are cores.
void ShowQueuePairs(InstanceNet& instance) {
  const uint32_t limit = g_image.control->core_limit.load(std::memory_order_relaxed);
  const uint32_t count = limit == 0                                   ? 1
                         : limit < instance.geometry.queue_pair_count ? limit
                                                                      : instance.geometry.queue_pair_count;
  std::atomic<uint32_t>& shown = MappedNic(instance.geometry).header().active_queue_pairs;
  if (shown.load(std::memory_order_relaxed) != count) {
    shown.store(count, std::memory_order_relaxed);
  }
  if (count > instance.polled_pairs.load(std::memory_order_relaxed)) {
    instance.polled_pairs.store(count, std::memory_order_relaxed);  // never fewer: frames may be left in them
  }
}

uint32_t PortCount(const InstanceNet& instance) { return instance.geometry.port_count; }

bool HasRoomWaiters(const InstanceNet& instance) {
  for (uint32_t i = 0; i < PortCount(instance); ++i) {
    if (HasWaiters(*instance.ports[i])) {
      return true;
    }
  }
  return false;
}

void CheckForRoomIn(InstanceNet& instance, uint64_t interval_ns, uint64_t now_ns) {
  instance.room_check_ns = interval_ns < kLastRoomCheck_ns ? interval_ns : kLastRoomCheck_ns;
  instance.room_check_at_ns = now_ns + instance.room_check_ns;
}

// The next time at which somebody has to call PollNet although no frame comes.
void NoteDeadline(InstanceNet& instance) {
  uint64_t deadline_ns = net::NextDeadline_ns(*instance.stack);
  if (instance.needs_trim && instance.trim_at_ns < deadline_ns) {
    deadline_ns = instance.trim_at_ns;
  }
  if (instance.room_check_ns != 0 && instance.room_check_at_ns < deadline_ns) {
    deadline_ns = instance.room_check_at_ns;
  }
  Arena().net.deadline_ns = deadline_ns;
}

void Flush(InstanceNet& instance, uint64_t now_ns) {
  net::Flush(*instance.stack, now_ns);
  if (instance.room_check_ns == 0 && HasRoomWaiters(instance)) {
    CheckForRoomIn(instance, kFirstRoomCheck_ns, now_ns);
  }
  NoteDeadline(instance);
}

/// Frames taken in.
struct Taken {
  uint32_t all;
  uint32_t to_poll_for;  // of flows whose next frames are worth polling for
};

// Each port has its turn at being first, and no more than an even share of the budget.
Taken TakeIn(InstanceNet& instance, uint64_t now_ns) {
  const uint32_t ports = PortCount(instance);
  const uint32_t share = kPollBudget_frames / ports;
  const uint32_t pairs = instance.polled_pairs.load(std::memory_order_relaxed);
  Taken taken{};
  for (uint32_t i = 0; i < ports; ++i) {
    NetPort& port = *instance.ports[(instance.next_port + i) % ports];
    NoticePeer(port, *instance.stack, now_ns);
    const uint32_t frames = TakeFrames(port, *instance.stack, pairs, share, now_ns);
    taken.all += frames;
    // A bulk stream over the uplink goes by a daemon and the host's own stack, which need this CPU more than a wake-up costs.
    taken.to_poll_for += port.index == kUplinkPort && port.bulk_batches != 0 ? 0 : frames;
    port.bulk_batches -= frames != 0 && port.bulk_batches != 0 ? 1 : 0;
  }
  instance.next_port = (instance.next_port + 1) % ports;
  return taken;
}

void OfferRoom(InstanceNet& instance, uint64_t now_ns) {
  for (uint32_t i = 0; i < PortCount(instance); ++i) {
    if (HasWaiters(*instance.ports[i])) {
      OfferRoom(*instance.ports[i], *instance.stack, now_ns);
    }
  }
  if (!HasRoomWaiters(instance)) {
    instance.room_check_ns = 0;
  } else if (instance.room_check_ns != 0 && now_ns >= instance.room_check_at_ns) {
    CheckForRoomIn(instance, 2 * instance.room_check_ns, now_ns);
  }
}

void TrimIfIdle(InstanceNet& instance, uint32_t taken, uint64_t now_ns) {
  if (taken != 0) {
    instance.needs_trim = true;
    instance.trim_at_ns = now_ns + kIdleBeforeTrim_ns;
  } else if (instance.needs_trim && now_ns >= instance.trim_at_ns) {
    instance.needs_trim = false;
    instance.trims = true;
    net::Trim(*instance.stack);
    instance.trims = false;
  }
}

bool HasFramesOrNewPeer(const InstanceNet& instance) {
  const uint32_t pairs = instance.polled_pairs.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < PortCount(instance); ++i) {
    if (HasNews(*instance.ports[i], pairs)) {
      return true;
    }
  }
  return false;
}

int64_t AddPort(InstanceNet& instance, uint32_t index) {
  const NicView nic = MappedNic(instance.geometry);
  NetPort* const port = NewNetPort(nic, index, instance.sink);
  if (port == nullptr) {
    return -ENOMEM;
  }
  instance.ports[index] = port;
  const NicSettings settings = nic.settings();
  DescribeDevice(*port, settings);
  if (const int error = net::AddDevice(*instance.stack, port->device); error != 0) {
    return error;
  }
  return EnterAddresses(*instance.stack, *port, settings);
}

int64_t AddPorts(InstanceNet& instance) {
  for (uint32_t i = 0; i < PortCount(instance); ++i) {
    if (const int64_t error = AddPort(instance, i); error != 0) {
      return error;
    }
  }
  return 0;
}

void RemovePorts(InstanceNet& instance, uint64_t now_ns) {
  for (NetPort*& port : instance.ports) {
    if (port != nullptr) {
      net::RemoveDevice(*instance.stack, port->device, now_ns);
      FreeNetPort(port);
      port = nullptr;
    }
  }
}

uint64_t SpinTime_ns() {
  const uint32_t asked_us = g_image.control->spin_us.load(std::memory_order_relaxed);
  return asked_us == kNoSpin ? 0 : asked_us == 0 ? NetKeeper::kUsualSpin_ns : 1000ULL * asked_us;
}

// From here on HasNic() is true.
void Announce(InstanceNet& instance) {
  instance.polled_pairs.store(0, std::memory_order_relaxed);
  ShowQueuePairs(instance);
  NetKeeper keeper{};
  keeper.doorbell = &MappedNic(instance.geometry).header().instance_doorbell;
  keeper.peer_cpu = &MappedNic(instance.geometry).header().peer_cpu;
  keeper.own_cpu = &MappedNic(instance.geometry).header().instance_cpu;
  keeper.deadline_ns = kNever;
  keeper.spin_ns = SpinTime_ns();
  Arena().net = keeper;
  NoteDeadline(instance);
}

}  // namespace

net::Stack& InstanceStack() { return *Net().stack; }

uint64_t NetNow_ns() { return MonotonicNow_ns(); }

bool PollNet() {
  NetKeeper& keeper = Arena().net;
  if (!keeper.exists()) {
    return false;
  }
  InstanceNet& instance = Net();
  const bool has_frames = HasFramesOrNewPeer(instance);
  if (!has_frames && keeper.deadline_ns == kNever) {
    return false;
  }
  const uint64_t now_ns = NetNow_ns();
  if (!has_frames && now_ns < keeper.deadline_ns) {
    return false;
  }
  ShowQueuePairs(instance);
  keeper.is_polling = true;
  keeper.woken = nullptr;
  const Taken taken = TakeIn(instance, now_ns);
  if (taken.to_poll_for != 0) {
    keeper.NoteFrames(now_ns);
  }
  Count(&ControlIdle::frames_in, taken.all);
  net::RunTimers(*instance.stack, now_ns);
  OfferRoom(instance, now_ns);
  TrimIfIdle(instance, taken.all, now_ns);
  Flush(instance, now_ns);
  keeper.is_polling = false;
  if (keeper.woken != nullptr) {
    keeper.worker = keeper.woken;
  }
  return taken.all != 0;
}

bool MayHaveFrames() { return HasNic() && HasFramesOrNewPeer(Net()); }

void FlushNet() {
  if (HasNic()) {
    Flush(Net(), NetNow_ns());
  }
}

void PassOnNetKeeping(const UthreadGroup& ending) {
  if (!ForgetKeeper(Arena().net, ending)) {
    return;
  }
  Kthread* running = nullptr;
  const List& processes = TheInstance().processes;
  for (ListNode* node = processes.first(); node != nullptr; node = processes.Next(node)) {
    const UthreadGroup& group = JUNCTION_OWNER(node, UProc, instance_node)->group;
    for (ListNode* at = &group == &ending ? nullptr : group.kthreads.first(); at != nullptr;
         at = group.kthreads.Next(at)) {
      Kthread& kthread = *JUNCTION_OWNER(at, Kthread, group_node);
      if (kthread.is_parked) {
        kthread.is_parked = false;
        WakeLater(kthread);
        return;
      }
      running = kthread.current != nullptr ? &kthread : running;
    }
  }
  if (running != nullptr) {  // it looks at its next tick, which has to be armed
    running->attention.fetch_or(kAttentionArm, std::memory_order_relaxed);
    WakeLater(*running);
  }
}

int64_t MakeInstanceNet(FdTable& table, const NicDescriptors& nic) {
  if (const int64_t error = KeepNicDescriptors(table, nic); error != 0) {
    return error;
  }
  if (const int64_t error = MapNic(table, nic.geometry, false); error != 0) {
    return error;
  }
  auto* const instance = ArenaNew<InstanceNet>();
  if (instance == nullptr) {
    return -ENOMEM;
  }
  TheInstance().net = instance;
  instance->geometry = nic.geometry;
  instance->sink = static_cast<uint8_t*>(ArenaAllocate(kMaxFrame_bytes));
  const net::Environment environment = {.allocate = &Allocate, .free = &Free, .random = &Random, .context = instance};
  net::StackOptions options;
  options.pool_limit_bytes = kSocketMemory_bytes;
  instance->stack = net::NewStack(environment, options);
  if (instance->sink == nullptr || instance->stack == nullptr) {
    return -ENOMEM;
  }
  if (const int64_t error = AddPorts(*instance); error != 0) {
    return error;
  }
  Announce(*instance);
  return 0;
}

int64_t MapInstanceNet(const FdTable& table) { return HasNic() ? MapNic(table, Net().geometry, false) : 0; }

int64_t ReplaceInstanceNet(FdTable& table, const NicDescriptors& nic) {
  InstanceNet& instance = Net();
  if (const int64_t error = KeepNicDescriptors(table, nic); error != 0) {
    return error;
  }
  // The old one may be longer: nothing of it must stay.
  HostCall(SYS_munmap, kNicAddress, instance.geometry.size_bytes());
  if (const int64_t error = MapNic(table, nic.geometry, true); error != 0) {
    return error;
  }
  RemovePorts(instance, NetNow_ns());
  instance.geometry = nic.geometry;
  instance.next_port = 0;
  if (const int64_t error = AddPorts(instance); error != 0) {
    return error;
  }
  net::RenewSecrets(*instance.stack);
  Announce(instance);
  return 0;
}

}  // namespace junction
