// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "scheduler/uplink/uplink_setup.h"
#include "scheduler/uplink/uplink_switch.h"

namespace junction::scheduler {

/// An instance that is to be on the uplink.
struct UplinkInstance {
  std::string id;
  std::string links_path;
  Ip4 ip4 = {};
  std::optional<Ip6> ip6;
  std::optional<Mac> mac;  // MacOf(ip4) unless given
  AllowList allow;

  /// The same cable and addresses; allow lists may differ.
  bool IsSamePlace(const UplinkInstance& other) const {
    return links_path == other.links_path && ip4 == other.ip4 && ip6 == other.ip6 && mac == other.mac;
  }
  UplinkIdentity Identity() const { return {.mac = mac.value_or(MacOf(ip4)), .ip4 = ip4, .ip6 = ip6, .allow = allow}; }
};

/// The uplink of the stack: its place on the host, the switch, and a thread that attaches instances and keeps their allow lists. An uplink that cannot be
/// had is down with a reason; the daemon goes on without it. Methods are for one thread.
class Uplink {
 public:
  /// Never fails: see Json().
  static std::unique_ptr<Uplink> Open(const UplinkOptions& options);
  Uplink(const Uplink&) = delete;
  Uplink& operator=(const Uplink&) = delete;
  /// Leaves everything on the host as a killed daemon does, for the next one.
  ~Uplink();

  /// Makes `instances` the whole set. `retry_id`: that one may have been started anew, and is attached at once rather than at the next try.
  void SetInstances(const std::vector<UplinkInstance>& instances, const std::string& retry_id);

  /// Takes the uplink down and everything off the host.
  Result<void> Remove();

  /// Why it is down; empty if it is up.
  std::string down_reason() const;
  /// The "uplink" object of the stats.
  std::string Json() const;
  /// The "uplink" object of an instance; empty if it is not to be on the uplink.
  std::string InstanceJson(const std::string& id) const;

 private:
  using Clock = std::chrono::steady_clock;

  struct Member {
    UplinkInstance instance;
    std::shared_ptr<PortCounters> counters;
    bool is_refused = false;  // its addresses cannot be had
    bool is_attached = false;
    uint64_t serial = 0;  // of its attachment
    std::string fault;
    uint32_t failures = 0;
    std::optional<Clock::time_point> due;  // of the next try to attach; none while attached or given up
  };

  explicit Uplink(const UplinkOptions& options) : options_(options) {}

  void Start();
  void Stop();
  void Work();
  void CarryOut(std::unique_lock<std::mutex>& lock);
  void Merge(const std::vector<UplinkInstance>& instances, const std::string& retry_id);
  void Adopt(Member& member, const UplinkInstance& instance, const std::string& fault, bool is_retried);
  std::string FaultOf(const UplinkIdentity& identity) const;
  void OnLostPort(const std::string& id, uint64_t serial, const std::string& why, bool may_return);
  void OnLostTap(const std::string& why);
  void ApplyGrants(std::unique_lock<std::mutex>& lock);
  void AttachDue(std::unique_lock<std::mutex>& lock);
  void TryAttach(const std::string& id, std::unique_lock<std::mutex>& lock);
  void ReopenTap(std::unique_lock<std::mutex>& lock);
  std::optional<Clock::time_point> NextDue() const;
  void Fail(Member& member, const Error& error);

  const UplinkOptions options_;
  std::string
      dns_;  // whom instances ask: the TAP's address, behind which is a resolver of the host's; empty if it has none
  std::unique_ptr<UplinkSetup> setup_;  // the thread's once it runs
  std::unique_ptr<UplinkSwitch> switch_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Under mutex_.
  bool is_stopping_ = false;
  bool has_changes_ = false;
  std::string down_reason_;
  std::map<std::string, Member> members_;
  std::vector<NftPolicy::Grant> grants_;  // as they are in the table
  uint64_t last_serial_ = 0;
  uint32_t reopen_failures_ = 0;
  std::optional<Clock::time_point> reopen_due_;

  std::thread thread_;
};

}  // namespace junction::scheduler
