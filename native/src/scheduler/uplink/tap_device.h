// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"
#include "scheduler/uplink/addresses.h"

namespace junction::scheduler {

struct TapOptions {
  std::string name;
  Cidr range4;
  std::optional<Cidr> range6;
  uint32_t mtu_bytes = 1500;
};

/// The host's end of the uplink: a TAP device with offloads, up, with the first address of each range. It is persistent: it outlives a killed
/// daemon with its addresses, the host's routes and connections, and is taken up again by the next. One reader and writer.
class TapDevice {
 public:
  /// Makes the device or takes up the one that is there. ENODEV: the machine has no /dev/net/tun. EBUSY: someone else has it open.
  static Result<TapDevice> Open(const TapOptions& options);

  /// Non-blocking. Each read and write is one frame behind a virtio_net_hdr.
  int fd() const { return fd_.get(); }
  const Mac& mac() const { return mac_; }
  /// Whether it got its IPv6 address: the host may have IPv6 turned off.
  bool has_ip6() const { return has_ip6_; }

 private:
  UniqueFd fd_;
  Mac mac_ = {};
  bool has_ip6_ = false;
};

/// Removes the device, whoever made it. Nothing happens if it is not there.
Result<void> RemoveTap(const std::string& name);

}  // namespace junction::scheduler
