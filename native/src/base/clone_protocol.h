// SPDX-License-Identifier: Apache-2.0
// How a monitor gets a warm clone of an instance (junction_run --clone-of): the messages between the monitor that asks, the Junction
// kernel of the template, and the clone. Both kernels are hostile to the monitor, like all that runs guest code.
//
//   monitor                                template's kernel                      clone
//   binds \0junction-clone-<id>
//   signal kCloneSignal, si_value = id --> when idle: connects
//   peer is the template's process?  <---- kAccepted or kRefused
//   CloneOrder + descriptors ------------> (host fork) ------------------------> joins its cgroups, copies, makes itself anew
//   SCM_PIDFD of the sender          <------------------------------------------ kRunning or kFailed
//   keeps the connection: when it closes, the host kills the clone
//
// The request is a queued real-time signal, not a field of the control block: it queues by itself, and all clones of a template can open its
// control block's file. That the connection comes from the template is known by SO_PEERCRED.
#pragma once

#include <cstdint>

namespace junction {

/// Sent with SI_QUEUE; si_value is the id in the socket's name.
inline constexpr int kCloneSignal = 36;
/// The name of the abstract socket without its leading NUL; the id follows in 16 hexadecimal digits.
inline constexpr char kCloneSocketPrefix[] = "junction-clone-";

inline constexpr uint32_t kCloneMagic = 0x4e4c434a;  // "JCLN"

enum class CloneAnswer : uint32_t {
  kAccepted = 1,  // by the template: the fork comes next
  kRefused,       // by the template: `reason` says why
  kRunning,       // by the clone: its first guest instruction comes next
  kFailed,        // by either: `reason` is what failed, `error` the errno
};

/// Why an instance cannot be cloned now.
enum class CloneRefusal : uint32_t {
  kNone = 0,
  kNoLandlock,  // the host cannot keep clones apart
  kIsClone,
  kSeveralProcesses,
  kConnectedSocket,
  kOtherDescriptor,  // `value` is its number
  kDescriptorsInFlight,
  kSystemVMemory,
  kTooMuchSharedMemory,
  kMemoryFile,  // `value` is its number
  kBusyMemory,
};

/// What a clone does on its way, for messages.
enum class CloneStep : uint32_t {
  kFork = 1,
  kOrder,
  kCgroup,
  kArena,
  kSharedMemory,
  kControl,
  kDescriptor,
  kSocket,
  kIsolation,
  kAttach,
};

/// From template and clone.
struct CloneMessage {
  uint32_t magic;
  CloneAnswer answer;
  uint32_t reason;  // CloneRefusal or CloneStep
  int32_t error;
  int32_t value;
  uint32_t reserved;
};
static_assert(sizeof(CloneMessage) == 24);

inline constexpr uint32_t kCloneMaxCgroups = 8;

/// From the monitor. With it, by SCM_RIGHTS: control block, stdout, stderr, then the files that the clone joins its cgroups by: it writes
/// "0" to each.
struct CloneOrder {
  uint32_t magic;
  uint32_t cgroup_count;
};
inline constexpr uint32_t kCloneFixedDescriptors = 3;
inline constexpr uint32_t kCloneMaxDescriptors = kCloneFixedDescriptors + kCloneMaxCgroups;

}  // namespace junction
