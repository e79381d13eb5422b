// SPDX-License-Identifier: Apache-2.0
// Read first: Linux, Documentation/networking/ip-sysctl.rst (ip_forward, route_localnet, forwarding, accept_ra).
#include "scheduler/uplink/uplink_setup.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/read_file.h"
#include "base/unique_fd.h"
#include "scheduler/uplink/nft_command.h"
#include "scheduler/uplink/route_clash.h"

namespace junction::scheduler {
namespace {

constexpr size_t kMaxRoutes_bytes = 16 * 1024 * 1024;
constexpr size_t kMaxResolvConf_bytes = 64 * 1024;
constexpr int kBusyTries = 20;
constexpr int kBusyWait_ms = 5;
constexpr const char* kForward4 = "/proc/sys/net/ipv4/ip_forward";
constexpr const char* kInterfaces6 = "/proc/sys/net/ipv6/conf";
constexpr const char* kForward6 = "/proc/sys/net/ipv6/conf/all/forwarding";
// Empty chains of our table that tell other stacks' daemons what was before the first of us: the last one puts it back.
constexpr const char* kForward4WasOff = "forwarding4_was_off";
constexpr const char* kForward6WasOff = "forwarding6_was_off";

std::string Routes(bool is_v6) {
  return ReadFile(is_v6 ? "/proc/net/ipv6_route" : "/proc/net/route", kMaxRoutes_bytes).value_or("");
}

// What `nft list chains` says of the tables of other stacks.
std::string OthersTables(std::string_view chains, const std::string& own_table) {
  std::string others;
  for (size_t start = chains.find("table inet junction_"); start != std::string_view::npos;) {
    const size_t end = std::min(chains.find("\ntable ", start), chains.size());
    const std::string_view table = chains.substr(start, end - start);
    if (!table.starts_with("table inet " + own_table + " ")) {
      others += table;
    }
    start = chains.find("table inet junction_", end);
  }
  return others;
}

Result<void> WriteNote(const std::string& path, const std::string& text) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid() || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return ErrnoError("write " + path);
  }
  return {};
}

// Removes table and device and puts settings back, unless another stack needs them: then that one will. Goes on over failures; the first counts.
Result<void> RemoveAll(const std::string& device, const std::string& nft, HostSettings& settings) {
  Result<void> result = RemoveTap(device);
  if (!result && result.error().code == EBUSY) {
    return result;  // a daemon runs with it
  }
  const auto chains = ListNftChains(nft);
  if (auto removed = RunNft(nft, NftRemoval(device)); !removed && result) {
    result = removed;
  }
  if (chains && !OthersTables(*chains, NftTable(device)).empty()) {
    settings.Forget();
  } else if (auto restored = settings.Restore(); !restored && result) {
    result = restored;
  }
  return result;
}

}  // namespace

Result<std::unique_ptr<UplinkSetup>> UplinkSetup::Make(const UplinkOptions& options) {
  auto setup = std::unique_ptr<UplinkSetup>(new UplinkSetup(options));
  auto nft = FindNft(options.nft);
  if (!nft) {
    return std::unexpected(nft.error());
  }
  setup->nft_ = std::move(*nft);
  if (auto clash = FindRouteClash(options.range4, options.device, Routes(false))) {
    return PlainError(*clash);
  }
  if (auto clash = options.range6 ? FindRouteClash(*options.range6, options.device, Routes(true)) : std::nullopt) {
    return PlainError(*clash);
  }
  if (auto noted = WriteNote(options.device_note, options.device + "\n"); !noted) {
    return std::unexpected(noted.error());
  }
  if (auto opened = setup->OpenTap(); !opened) {
    // Nothing else is removed: the device may be another's.
    unlink(options.device_note.c_str());
    return std::unexpected(opened.error());
  }
  setup->LearnFromOthers();
  auto set = setup->SetTable();
  if (set) {
    set = setup->SetSettings();
  }
  if (!set) {
    [[maybe_unused]] const auto removed = setup->Remove();  // the first failure is the one to report
    return std::unexpected(set.error());
  }
  return setup;
}

Result<void> UplinkSetup::OpenTap() {
  const TapOptions wanted = {
      .name = options_.device, .range4 = options_.range4, .range6 = options_.range6, .mtu_bytes = options_.mtu_bytes};
  auto tap = TapDevice::Open(wanted);
  // A killed daemon's descriptors are closed one by one: the lock that let us start may go before the device.
  for (int tries = 0; !tap && tap.error().code == EBUSY && tries < kBusyTries; ++tries) {
    poll(nullptr, 0, kBusyWait_ms);
    tap = TapDevice::Open(wanted);
  }
  if (!tap) {
    return std::unexpected(tap.error());
  }
  tap_ = std::move(*tap);
  return {};
}

void UplinkSetup::LearnFromOthers() {
  resolvers_ = ChooseResolvers(ReadFile(options_.resolv_conf, kMaxResolvConf_bytes).value_or(""),
                               ReadFile(options_.upstream_resolv_conf, kMaxResolvConf_bytes).value_or(""));
  policy_ = {.device = options_.device,
             .range4 = options_.range4,
             .range6 = tap_.has_ip6() ? options_.range6 : std::nullopt,
             .resolvers4 = resolvers_.ip4,
             .resolvers6 = resolvers_.ip6,
             .gateway_port = options_.gateway_port,
             .grants = {},
             .notes = {}};
  const std::string others = OthersTables(ListNftChains(nft_).value_or(""), NftTable(options_.device));
  if (others.find(kForward4WasOff) != std::string::npos) {
    [[maybe_unused]] const auto noted = settings_.Assume(kForward4, "0");  // at worst forwarding stays on
  }
  if (others.find(kForward6WasOff) != std::string::npos) {
    [[maybe_unused]] const auto noted = settings_.Assume(kForward6, "0");
  }
  // Noted by us or by the killed one before, or about to be.
  if (settings_.Was(kForward4) == "0") {
    policy_.notes.emplace_back(kForward4WasOff);
  }
  if (settings_.Was(kForward6) == "0") {
    policy_.notes.emplace_back(kForward6WasOff);
  }
}

Result<void> UplinkSetup::SetTable() { return RunNft(nft_, NftText(policy_)); }

Result<void> UplinkSetup::SetGrants(const std::vector<NftPolicy::Grant>& grants) {
  policy_.grants = grants;
  return SetTable();
}

// Forwarding, and what hangs on it. Forwarding of IPv6 only where there is somewhere to forward to: with it on, Linux stops to listen to router
// advertisements unless told otherwise, which would cost the host its own route.
Result<void> UplinkSetup::SetSettings() {
  // Of our own device: gone with it, so not noted.
  [[maybe_unused]] const auto is_local =
      WriteNote("/proc/sys/net/ipv4/conf/" + options_.device + "/route_localnet", "1");
  if (auto set = settings_.Set(kForward4, "1"); !set) {
    return set;
  }
  if (!policy_.range6 || !HasDefaultRoute6(Routes(true)) || HostSettings::Get(kForward6) == "1") {
    return {};
  }
  if (auto noted = settings_.Remember(kForward6); !noted) {
    return noted;
  }
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(kInterfaces6, ignored)) {
    const std::string folder = entry.path();
    const std::string name = entry.path().filename();
    if (name == options_.device || name == "all") {
      continue;
    }
    if (auto noted = settings_.Remember(folder + "/forwarding"); !noted) {
      return noted;
    }
    if (HostSettings::Get(folder + "/accept_ra") == "1") {
      if (auto set = settings_.Set(folder + "/accept_ra", "2"); !set) {
        return set;
      }
    }
  }
  return settings_.Set(kForward6, "1");
}

Result<void> UplinkSetup::Reopen() {
  tap_ = TapDevice();
  if (auto opened = OpenTap(); !opened) {
    return opened;
  }
  return SetSettings();
}

Result<void> UplinkSetup::Remove() {
  tap_ = TapDevice();
  auto removed = RemoveAll(options_.device, nft_, settings_);
  if (removed) {
    unlink(options_.device_note.c_str());
  }
  return removed;
}

Result<bool> RestoreUplink(const UplinkOptions& options) {
  const auto note = ReadFile(options.device_note, 256);
  if (!note) {
    return note.error().code == ENOENT ? Result<bool>(false) : std::unexpected(note.error());
  }
  const std::string device = note->substr(0, note->find('\n'));
  HostSettings settings(options.settings_note);
  const auto nft = FindNft(options.nft);
  if (!nft) {
    return std::unexpected(nft.error());
  }
  if (auto removed = RemoveAll(device, *nft, settings); !removed) {
    return std::unexpected(removed.error());
  }
  unlink(options.device_note.c_str());
  return true;
}

}  // namespace junction::scheduler
