// SPDX-License-Identifier: Apache-2.0
// The daemon's control protocol, on the unix stream socket <runDir>/scheduler.sock (mode 0600): one JSON object a line,
// both ways. Whoever may open the socket may do all of it. Requests:
//
//   {"op":"sync","instances":[<instance>,...]}    the whole set; replaces what was known
//   {"op":"add", <instance's members>}            one more, or the same anew
//   {"op":"update","id":"...","coreLimit":n}      also after a restart of the instance: its control block is opened anew
//   {"op":"remove","id":"..."}
//   {"op":"stats"}                                answered by one line of stats
//
//   <instance>  {"id":"...","control":"<path of its control block>","pid":<host pid>,"coreLimit":n}
//
// Only "stats" has an answer; a request that cannot be carried out gets {"error":"..."}. Registrations outlive the
// connection that made them, and the daemon's own end (registry.h).
//
//   stats  {"pid":n,"uptimeMs":n,"sampledAtUnixNs":"n","hostCores":n,
//           "idleStates":{"heldShallow":b,"mechanism":"cpu_dma_latency|haltpoll|none","holds":n,"heldMs":n,"wakeups":n},
//           "instances":[{"id":"...","coreLimit":n,"guestSyscalls":"n","threads":n,"active":b,"lastActiveUnixNs":"n","fault":"..."}]}
//   guestSyscalls and the times are decimal strings (64 bits); "active" means since the last sample; "fault" is there when
//   the control block cannot be read.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"

namespace junction::scheduler {

inline constexpr size_t kMaxLine_bytes = 4 * 1024 * 1024;  // a sync of 20,000 instances
inline constexpr size_t kMaxInstances = 16 * 1024;         // as many as there are uid ranges, about
inline constexpr uint32_t kMaxCoreLimit = 4096;

/// What junctiond says of an instance.
struct Registration {
  std::string id;
  std::string control_path;
  pid_t pid = 0;
  uint32_t core_limit = 1;
};

struct SyncRequest {
  std::vector<Registration> instances;
};
struct AddRequest {
  Registration instance;
};
struct UpdateRequest {
  std::string id;
  uint32_t core_limit = 1;
};
struct RemoveRequest {
  std::string id;
};
struct StatsRequest {};

using Request = std::variant<SyncRequest, AddRequest, UpdateRequest, RemoveRequest, StatsRequest>;

/// Reads one line, without its end. Any bytes may come in.
Result<Request> ParseRequest(std::string_view line);

/// The line of an error, with its end.
std::string ErrorLine(std::string_view message);

/// The line of a registration as an "add" request, with its end.
std::string AddLine(const Registration& instance);

}  // namespace junction::scheduler
