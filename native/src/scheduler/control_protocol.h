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
//   <instance>  {"id":"...","control":"<path of its control block>","pid":<host pid>,"coreLimit":n,
//                "number":n,                          optional: its number in events (nic/event_queue.h)
//                "linksPath":"...","ip":"10.62.0.5",  optional, both or none: its NIC, to be on the uplink
//                "ip6":"fd..::5","mac":"02:...",      optional; the MAC is 02:6a and the bytes of ip unless given
//                "allow":[{"to":"10.0.0.0/8","port":443},...]}  optional, at most 64: beyond the default policy; port 0 or none = all
//
// An instance that is registered or updated is attached to the uplink at once if it is not; one that ends is noticed.
//
// Only "stats" has an answer; a request that cannot be carried out gets {"error":"..."}. Registrations outlive the
// connection that made them, and the daemon's own end (registry.h).
//
//   stats  {"pid":n,"uptimeMs":n,"sampledAtUnixNs":"n","hostCores":n,
//           "idleStates":{"heldShallow":b,"mechanism":"cpu_dma_latency|haltpoll|none","holds":n,"heldMs":n,"wakeups":n},
//           "uplink":{"device":"...","up":b,"reason":"...","range":"10.62.0.0/16","address":"10.62.0.1","range6":"...","address6":"...",
//                     "mtuBytes":n,"dns":"<resolver to use, or empty>","gatewayPort":n,
//                     "drops":{"<reason>":"n",...},"wakeups":"n"},
//           "events":{"overflows":"n"},
//           "instances":[{"id":"...","coreLimit":n,"guestSyscalls":"n","threads":n,"active":b,"lastActiveUnixNs":"n","fault":"...",
//                         "events":"n",
//                         "uplink":{"attached":b,"framesOut":"n","bytesOut":"n","framesIn":"n","bytesIn":"n","drops":{...},"fault":"..."}}]}
//   guestSyscalls and the times are decimal strings (64 bits); "active" means since the last sample; "fault" is there when
//   the control block cannot be read, or the instance cannot be attached. The uplink's own object is there when there is one, its drops are
//   frames of the host for nobody; an instance's when it has a linksPath. Reasons of drops: uplink/drop_reason.h.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "scheduler/uplink/addresses.h"
#include "scheduler/uplink/allow_list.h"

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
  std::optional<uint32_t> number = {};
  std::string links_path = {};  // empty: not on the uplink, and none of what follows
  Ip4 ip4 = {};
  std::optional<Ip6> ip6 = {};
  std::optional<Mac> mac = {};
  AllowList allow = {};
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
