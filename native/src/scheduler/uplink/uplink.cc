// SPDX-License-Identifier: Apache-2.0
#include "scheduler/uplink/uplink.h"

#include <fcntl.h>
#include <sys/random.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

#include "base/json_text.h"

namespace junction::scheduler {
namespace {

using std::chrono::milliseconds;

// A monitor that is there answers within microseconds; its socket appears some milliseconds after its process.
constexpr uint32_t kAttachTimeout_ms = 200;
constexpr uint32_t kFirstRetry_ms = 5;
constexpr uint32_t kLongestRetry_ms = 1000;
// Who is not there after half a minute has to be registered or updated anew: an idle daemon has no timers.
constexpr uint32_t kMostFailures = 40;

milliseconds RetryAfter(uint32_t failures) {
  return milliseconds(std::min(kFirstRetry_ms << std::min(failures, 10U), kLongestRetry_ms));
}

RssKey DrawKey() {
  RssKey key;
  [[maybe_unused]] const ssize_t size =
      getrandom(&key, sizeof(key), GRND_NONBLOCK);  // else flows are spread predictably
  return key;
}

std::string DropsJson(const PortCounters& counters) {
  std::string text;
  JsonObjectWriter json(text);
  for (size_t reason = 0; reason < kDropReasons; ++reason) {
    if (const uint64_t count = counters.drops[reason].load(std::memory_order_relaxed); count != 0) {
      json.DecimalString(kDropReasonNames[reason], count);
    }
  }
  json.End();
  return text;
}

// What of the NIC is not as it was registered; empty if all is.
std::string StrangeNic(const UplinkIdentity& identity, const AttachAnswer& answer) {
  const auto mac = std::to_array(answer.instance_mac);
  const auto ip4 = std::to_array(answer.instance_ip4);
  if (mac != identity.mac) {
    return "its NIC has the MAC " + Text(mac) + ", registered is " + Text(identity.mac);
  }
  return ip4 != identity.ip4 ? "its NIC has the address " + Text(ip4) + ", registered is " + Text(identity.ip4) : "";
}

uint64_t Read(const std::atomic<uint64_t>& counter) { return counter.load(std::memory_order_relaxed); }

}  // namespace

std::unique_ptr<Uplink> Uplink::Open(const UplinkOptions& options) {
  auto uplink = std::unique_ptr<Uplink>(new Uplink(options));
  uplink->Start();
  return uplink;
}

void Uplink::Start() {
  auto setup = UplinkSetup::Make(options_);
  if (!setup) {
    down_reason_ = setup.error().message;
    return;
  }
  setup_ = std::move(*setup);
  const SwitchOptions options = {
      .host = {.mac = setup_->tap().mac(), .ip4 = options_.range4.first_ip4(), .ip6 = setup_->host_ip6()},
      .mtu_bytes = options_.mtu_bytes};
  if (!setup_->resolvers().ip4.empty()) {
    dns_ = Text(options_.range4.first_ip4());
  } else if (const auto host_ip6 = setup_->host_ip6(); host_ip6 && !setup_->resolvers().ip6.empty()) {
    dns_ = Text(*host_ip6);
  }
  auto started = UplinkSwitch::Start(
      options, {.on_lost_port = [this](const std::string& id, uint64_t serial, const std::string& why,
                                       bool may_return) { OnLostPort(id, serial, why, may_return); },
                .on_lost_tap = [this](const std::string& why) { OnLostTap(why); }});
  if (!started) {
    down_reason_ = started.error().message;
    [[maybe_unused]] const auto removed = setup_->Remove();  // the first failure is the one to report
    setup_.reset();
    return;
  }
  switch_ = std::move(*started);
  switch_->SetTap(UniqueFd(fcntl(setup_->tap().fd(), F_DUPFD_CLOEXEC, 0)));
  thread_ = std::thread([this] { Work(); });
}

Uplink::~Uplink() { Stop(); }

void Uplink::Stop() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  switch_.reset();
}

Result<void> Uplink::Remove() {
  Stop();
  auto removed = setup_ == nullptr ? Result<void>{} : setup_->Remove();
  setup_.reset();
  const std::lock_guard lock(mutex_);
  down_reason_ = "taken down";
  return removed;
}

void Uplink::SetInstances(const std::vector<UplinkInstance>& instances, const std::string& retry_id) {
  const std::lock_guard lock(mutex_);
  if (!switch_) {
    return;  // down for good
  }
  Merge(instances, retry_id);
  has_changes_ = true;
  changed_.notify_one();
}

void Uplink::OnLostPort(const std::string& id, uint64_t serial, const std::string& why, bool may_return) {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(id);
  if (found == members_.end() || found->second.serial != serial || !found->second.is_attached) {
    return;  // let go already
  }
  Member& member = found->second;
  member.is_attached = false;
  member.failures = 0;
  member.fault = why;
  if (may_return) {
    member.due = Clock::now();
    changed_.notify_one();
  }
}

void Uplink::OnLostTap(const std::string& why) {
  const std::lock_guard lock(mutex_);
  down_reason_ = options_.device + ": " + why;
  reopen_due_ = Clock::now();
  changed_.notify_one();
}

// Under the lock. Detaches who is gone or has become another; who is new, or is to be tried again, is due now.
void Uplink::Merge(const std::vector<UplinkInstance>& instances, const std::string& retry_id) {
  std::map<std::string, Member> before = std::move(members_);
  members_.clear();
  std::set<Ip4> ip4s;
  std::set<Ip6> ip6s;
  std::set<Mac> macs;
  for (const UplinkInstance& instance : instances) {
    const UplinkIdentity identity = instance.Identity();
    std::string fault = FaultOf(identity);
    if (ip4s.contains(identity.ip4) || macs.contains(identity.mac) || (identity.ip6 && ip6s.contains(*identity.ip6))) {
      fault = "another instance has its address";
    }
    if (fault.empty()) {
      ip4s.insert(identity.ip4);
      macs.insert(identity.mac);
      if (identity.ip6) {
        ip6s.insert(*identity.ip6);
      }
    }
    auto node = before.extract(instance.id);
    Member& member = members_[instance.id];
    if (node) {
      member = std::move(node.mapped());
    } else {
      member.counters = std::make_shared<PortCounters>();
    }
    Adopt(member, instance, fault, instance.id == retry_id);
  }
  for (const auto& [id, member] : before) {
    if (member.is_attached) {
      switch_->Detach(id);
    }
  }
}

void Uplink::Adopt(Member& member, const UplinkInstance& instance, const std::string& fault, bool is_retried) {
  const bool stays = member.is_attached && fault.empty() && member.instance.IsSamePlace(instance);
  const bool is_new = member.is_refused || !member.instance.IsSamePlace(instance);
  if (stays && member.instance.allow != instance.allow) {
    switch_->SetAllow(instance.id, instance.allow);
  }
  if (member.is_attached && !stays) {
    switch_->Detach(instance.id);
  }
  member.is_attached = stays;
  member.instance = instance;
  member.is_refused = !fault.empty();
  if (member.is_refused) {
    member.fault = fault;
    member.due.reset();
  } else if (!stays && (is_new || is_retried)) {
    member.failures = 0;
    member.due = Clock::now();
  }
}

// Why nobody can be on the uplink with these addresses; empty if one can.
std::string Uplink::FaultOf(const UplinkIdentity& identity) const {
  if (!options_.range4.Contains(identity.ip4) || identity.ip4 == options_.range4.first_ip4()) {
    return Text(identity.ip4) + " is no instance's address in " + Text(options_.range4);
  }
  if (identity.ip6 && (!options_.range6 || !options_.range6->Contains(*identity.ip6) ||
                       *identity.ip6 == options_.range6->first_ip6())) {
    return Text(*identity.ip6) + " is no instance's address of the uplink";
  }
  if ((identity.mac[0] & 1) != 0 || identity.mac == MacOf(options_.range4.first_ip4())) {
    return Text(identity.mac) + " is no instance's MAC";
  }
  return "";
}

void Uplink::Work() {
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    CarryOut(lock);
    if (is_stopping_ || has_changes_) {
      continue;
    }
    // Without anything due there is no timer.
    if (const auto due = NextDue()) {
      changed_.wait_until(lock, *due);
    } else {
      changed_.wait(lock);
    }
  }
}

void Uplink::CarryOut(std::unique_lock<std::mutex>& lock) {
  has_changes_ = false;
  ApplyGrants(lock);
  if (reopen_due_ && *reopen_due_ <= Clock::now()) {
    ReopenTap(lock);
  }
  AttachDue(lock);
}

std::optional<Uplink::Clock::time_point> Uplink::NextDue() const {
  std::optional<Clock::time_point> next = reopen_due_;
  for (const auto& [id, member] : members_) {
    if (member.due && (!next || *member.due < *next)) {
      next = member.due;
    }
  }
  return next;
}

// Before instances are attached: who is there has its leave.
void Uplink::ApplyGrants(std::unique_lock<std::mutex>& lock) {
  std::vector<NftPolicy::Grant> wanted;
  for (const auto& [id, member] : members_) {
    const UplinkInstance& instance = member.instance;
    if (!instance.allow.empty() && !member.is_refused) {
      wanted.push_back({.ip4 = instance.ip4, .ip6 = instance.ip6, .allow = instance.allow});
    }
  }
  if (wanted == grants_) {
    return;
  }
  lock.unlock();
  const auto set = setup_->SetGrants(wanted);
  lock.lock();
  if (set) {
    grants_ = std::move(wanted);
  } else {
    std::fprintf(stderr, "junction_scheduler: allow lists: %s\n", set.error().message.c_str());
  }
}

void Uplink::ReopenTap(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const auto reopened = setup_->Reopen();
  UniqueFd copy(reopened ? fcntl(setup_->tap().fd(), F_DUPFD_CLOEXEC, 0) : -1);
  lock.lock();
  if (reopened) {
    down_reason_.clear();
    reopen_due_.reset();
    reopen_failures_ = 0;
    switch_->SetTap(std::move(copy));
    return;
  }
  down_reason_ = reopened.error().message;
  reopen_due_ = Clock::now() + RetryAfter(++reopen_failures_);
  if (reopen_failures_ > kMostFailures) {
    reopen_due_.reset();
  }
}

void Uplink::AttachDue(std::unique_lock<std::mutex>& lock) {
  const auto now = Clock::now();
  std::vector<std::string> due;
  for (const auto& [id, member] : members_) {
    if (member.due && *member.due <= now) {
      due.push_back(id);
    }
  }
  for (const std::string& id : due) {
    TryAttach(id, lock);
  }
}

void Uplink::TryAttach(const std::string& id, std::unique_lock<std::mutex>& lock) {
  auto found = members_.find(id);
  if (is_stopping_ || found == members_.end() || !found->second.due) {
    return;
  }
  const UplinkInstance instance = found->second.instance;
  found->second.due.reset();
  lock.unlock();
  auto attached = NicAttachment::Open(instance.links_path, AttachKind::kUplink, kAttachTimeout_ms);
  lock.lock();
  // Meanwhile it may have been removed or changed; then what was attached is let go again.
  found = members_.find(id);
  if (found == members_.end() || found->second.is_refused || !found->second.instance.IsSamePlace(instance)) {
    return;
  }
  Member& member = found->second;
  if (!attached) {
    Fail(member, attached.error());
    return;
  }
  // Else all that it sends would be dropped as spoofed, and nobody would know why.
  if (std::string fault = StrangeNic(member.instance.Identity(), attached->answer()); !fault.empty()) {
    member.fault = std::move(fault);
    return;
  }
  member.is_attached = true;
  member.failures = 0;
  member.fault.clear();
  member.due.reset();
  member.serial = ++last_serial_;
  switch_->Attach(std::make_unique<UplinkPort>(id, member.serial, member.instance.Identity(), std::move(*attached),
                                               member.counters, DrawKey()));
}

void Uplink::Fail(Member& member, const Error& error) {
  member.fault = error.message;
  member.failures += 1;
  if (member.failures <= kMostFailures) {
    member.due = Clock::now() + RetryAfter(member.failures - 1);
  }
}

std::string Uplink::down_reason() const {
  const std::lock_guard lock(mutex_);
  return down_reason_;
}

std::string Uplink::Json() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  JsonObjectWriter json(text);
  json.String("device", options_.device)
      .Bool("up", down_reason_.empty())
      .String("reason", down_reason_)
      .String("range", Text(options_.range4))
      .String("address", Text(options_.range4.first_ip4()))
      .String("range6", options_.range6 ? Text(*options_.range6) : "")
      .String("address6", options_.range6 ? Text(options_.range6->first_ip6()) : "")
      .Unsigned("mtuBytes", options_.mtu_bytes)
      .String("dns", dns_)
      .Unsigned("gatewayPort", options_.gateway_port);
  if (switch_) {
    json.Raw("drops", DropsJson(switch_->tap_counters())).DecimalString("wakeups", switch_->wakeups());
  }
  json.End();
  return text;
}

std::string Uplink::InstanceJson(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(id);
  if (found == members_.end()) {
    return "";
  }
  const Member& member = found->second;
  std::string text;
  JsonObjectWriter json(text);
  json.Bool("attached", member.is_attached)
      .DecimalString("framesOut", Read(member.counters->frames_out))
      .DecimalString("bytesOut", Read(member.counters->bytes_out))
      .DecimalString("framesIn", Read(member.counters->frames_in))
      .DecimalString("bytesIn", Read(member.counters->bytes_in))
      .Raw("drops", DropsJson(*member.counters));
  if (!member.fault.empty()) {
    json.String("fault", member.fault);
  }
  json.End();
  return text;
}

}  // namespace junction::scheduler
