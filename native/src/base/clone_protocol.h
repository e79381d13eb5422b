// SPDX-License-Identifier: Apache-2.0
// A warm clone of an instance (junction_run --clone_of). Read first: request_protocol.h.
//
//   monitor                                template's kernel                      clone
//   request                            --> when idle: connects
//                                     <--- kAccepted or kRefused
//   CloneOrder + descriptors ------------> (host fork) ------------------------> joins its cgroups, copies, makes itself anew
//   SCM_PIDFD of the sender          <------------------------------------------ kRunning or kFailed
//   keeps the connection: when it closes, the host kills the clone
#pragma once

#include <cstdint>

namespace junction {

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
  kNic,
};

inline constexpr uint32_t kCloneMaxCgroups = 8;

/// From the monitor. With it, by SCM_RIGHTS: control block, stdout, stderr, then the files that the clone joins its cgroups by: it writes
/// "0" to each. Then, if the template has a NIC, the clone's own, in the order of NicDescriptors (nic/nic_descriptors.h): memory, the
/// instance's event, one event a port.
struct CloneOrder {
  uint32_t magic;
  uint32_t cgroup_count;
  uint32_t nic_port_count;  // 0: the clone has no NIC
  uint32_t nic_queue_pair_count;
};
inline constexpr uint32_t kCloneFixedDescriptors = 3;
inline constexpr uint32_t kCloneMaxNicPorts = 8;  // kMaxNicPorts
/// How many descriptors a NIC has.
constexpr uint32_t CloneNicDescriptors(uint32_t port_count) { return port_count == 0 ? 0 : 2 + port_count; }
inline constexpr uint32_t kCloneMaxDescriptors =
    kCloneFixedDescriptors + kCloneMaxCgroups + CloneNicDescriptors(kCloneMaxNicPorts);

}  // namespace junction
