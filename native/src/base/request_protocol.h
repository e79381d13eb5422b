// SPDX-License-Identifier: Apache-2.0
// How a junction_run asks something of the Junction kernel of an instance that another junction_run started: the channel, for all kinds of
// requests. Who asks is called the monitor, as it watches what comes of it. What is said beyond this is in clone_protocol.h and
// addition_protocol.h. The kernel is hostile to the monitor, like all that runs guest code.
//
//   monitor                                    kernel of the instance
//   binds \0junction-request-<id>
//   signal kRequestSignal, si_value = id  -->  at a safe point that suits the kind: connects
//   peer is the instance's process?       <--  RequestMessage ...
//
// The request is a queued real-time signal, not a field of the control block: it queues by itself, and all clones of a template can open its
// control block's file. That the connection comes from the instance is known by SO_PEERCRED.
#pragma once

#include <cstdint>

namespace junction {

/// Sent with SI_QUEUE; si_value is the id in the socket's name.
inline constexpr int kRequestSignal = 36;
/// The name of the abstract socket without its leading NUL; the id follows in 16 hexadecimal digits.
inline constexpr char kRequestSocketPrefix[] = "junction-request-";

/// What is asked for: the lowest bits of the id, the others are random.
enum class RequestKind : uint64_t { kClone = 1, kAddition = 2 };
inline constexpr uint64_t kRequestKindMask = 3;
constexpr RequestKind KindOf(uint64_t request_id) { return static_cast<RequestKind>(request_id & kRequestKindMask); }

inline constexpr uint32_t kRequestMagic = 0x5152434a;  // "JCRQ"

enum class RequestAnswer : uint32_t {
  kAccepted = 1,  // the order is waited for, or will be
  kRefused,       // `reason` says why
  kRunning,       // what was asked for is there: its first guest instruction comes next
  kFailed,        // `reason` is the step that failed, `error` the errno
  kEnded,         // `value` is the wait status
};

/// From the kernel.
struct RequestMessage {
  uint32_t magic;
  RequestAnswer answer;
  uint32_t reason;  // as the kind's own header has it
  int32_t error;
  int32_t value;
  uint32_t reserved;
};
static_assert(sizeof(RequestMessage) == 24);

}  // namespace junction
