// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/control_snapshot.h"
#include "base/unique_fd.h"
#include "run/control_file.h"
#include "run/listener_owner.h"
#include "run/notifier.h"
#include "run/user_namespace.h"

namespace junction {

/// What changed from one look at an instance's listening TCP ports to the next.
struct PortChanges {
  std::vector<PortSnapshot> opened;
  std::vector<PortSnapshot> closed;
};

/// Compares two lists of listening ports. A port that was bound anew (another host port or socket) counts as closed and opened.
PortChanges ComparePorts(const std::vector<PortSnapshot>& before, const std::vector<PortSnapshot>& now);

/// Watches the control block's listen_seq and tells the notifier of each port that the guest listens on and that is really
/// the guest's: without `owner` the instance has a NIC and its ports are those of its own address. Runs in a thread of the monitor for as long as the process lives: it is never joined.
class ListenWatcher {
 public:
  ListenWatcher(std::string instance_id, const ControlFile& control, const IdRange& ids,
                std::optional<ListenerOwner> owner, const Notifier& notifier);

  /// Returns only when the control block cannot be watched any more: the guest has shrunk it.
  void Run();

 private:
  bool IsTheGuests(const PortSnapshot& port) const;
  void Report(const std::vector<PortSnapshot>& listening);

  std::string instance_id_;
  const ControlFile& control_;
  IdRange ids_;
  std::optional<ListenerOwner> owner_;
  const Notifier& notifier_;
  std::vector<PortSnapshot> reported_;
};

}  // namespace junction
