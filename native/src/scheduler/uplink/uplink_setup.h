// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "scheduler/uplink/host_settings.h"
#include "scheduler/uplink/nft_policy.h"
#include "scheduler/uplink/resolvers.h"
#include "scheduler/uplink/tap_device.h"

namespace junction::scheduler {

/// What the daemon is told of its uplink.
struct UplinkOptions {
  std::string device;  // the TAP's name; empty = no uplink
  Cidr range4 = {.bytes = {10, 62}, .bits = 16, .is_v6 = false};
  std::optional<Cidr> range6;
  uint32_t mtu_bytes = 1500;
  uint16_t gateway_port = 0;
  std::string nft = "nft";
  std::string resolv_conf = "/etc/resolv.conf";
  std::string upstream_resolv_conf = "/run/systemd/resolve/resolv.conf";
  std::string device_note;    // <run_dir>/scheduler-uplink: the device's name while it is there
  std::string settings_note;  // <run_dir>/scheduler-uplink-settings: host settings from before
};

/// What the uplink needs of the host, made and undone: the TAP, the nftables table, forwarding. All of it outlives a killed daemon and is taken up again
/// by the next. Blocks (it runs nft). One thread.
class UplinkSetup {
 public:
  /// Fails with a sentence for people when something is missing or the range is in use; then nothing is left behind.
  static Result<std::unique_ptr<UplinkSetup>> Make(const UplinkOptions& options);

  /// Puts the allow lists into the table.
  Result<void> SetGrants(const std::vector<NftPolicy::Grant>& grants);

  /// Makes the device again after it was lost.
  Result<void> Reopen();

  /// Undoes everything. The TAP's users go first.
  Result<void> Remove();

  const TapDevice& tap() const { return tap_; }
  const Resolvers& resolvers() const { return resolvers_; }
  /// Nothing if it has no IPv6.
  std::optional<Ip6> host_ip6() const {
    return policy_.range6 ? std::optional(policy_.range6->first_ip6()) : std::nullopt;
  }

 private:
  explicit UplinkSetup(const UplinkOptions& options) : options_(options), settings_(options.settings_note) {}

  Result<void> OpenTap();
  Result<void> SetTable();
  Result<void> SetSettings();
  void LearnFromOthers();

  UplinkOptions options_;
  HostSettings settings_;
  Resolvers resolvers_;
  std::string nft_;
  TapDevice tap_;
  NftPolicy policy_;
};

/// Removes what a killed daemon left, by its notes. True if there was anything. `nft`: as in UplinkOptions.
Result<bool> RestoreUplink(const UplinkOptions& options);

}  // namespace junction::scheduler
