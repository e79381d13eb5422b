// SPDX-License-Identifier: Apache-2.0
#include "run/listen_watcher.h"

#include <linux/futex.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/json_text.h"

namespace junction {
namespace {

// A guest may ring without end. So many rings are answered at once, later ones at this pace: an honest one never gets there.
constexpr int kUnpacedRounds = 64;
constexpr timespec kPace = {.tv_sec = 0, .tv_nsec = 10'000'000};

// False when the word cannot be waited for. Only Linux reads the word: a page that is gone is an error there, not a signal.
bool WaitForChange(const ControlFile& control, uint32_t seen) {
  const long result = syscall(SYS_futex, &control.block->listen_seq, FUTEX_WAIT, seen, nullptr, nullptr, 0);
  return result == 0 || errno == EAGAIN || errno == EINTR;
}

std::string PortEvent(const std::string& id, const char* event, const PortSnapshot& port) {
  std::string text;
  JsonObjectWriter(text)
      .String("id", id)
      .String("event", event)
      .Signed("monitorPid", getpid())
      .Unsigned("guestPort", port.guest_port)
      .Unsigned("hostPort", port.host_port)
      .String("protocol", "tcp")
      .End();
  return text;
}

bool Contains(const std::vector<PortSnapshot>& ports, const PortSnapshot& port) {
  return std::find(ports.begin(), ports.end(), port) != ports.end();
}

}  // namespace

PortChanges ComparePorts(const std::vector<PortSnapshot>& before, const std::vector<PortSnapshot>& now) {
  PortChanges changes;
  std::copy_if(now.begin(), now.end(), std::back_inserter(changes.opened),
               [&](const auto& p) { return !Contains(before, p); });
  std::copy_if(before.begin(), before.end(), std::back_inserter(changes.closed),
               [&](const auto& p) { return !Contains(now, p); });
  return changes;
}

ListenWatcher::ListenWatcher(std::string instance_id, const ControlFile& control, const IdRange& ids,
                             std::optional<ListenerOwner> owner, const Notifier& notifier)
    : instance_id_(std::move(instance_id)),
      control_(control),
      ids_(ids),
      owner_(std::move(owner)),
      notifier_(notifier) {}

void ListenWatcher::Run() {
  for (int round = 0;; ++round) {
    auto snapshot = ReadControlSnapshot(control_.fd.get());
    if (!snapshot) {
      return;
    }
    std::erase_if(snapshot->ports, [](const PortSnapshot& p) { return !p.is_listening || p.protocol != IPPROTO_TCP; });
    Report(snapshot->ports);
    if (!WaitForChange(control_, snapshot->listen_seq)) {
      return;
    }
    if (round >= kUnpacedRounds) {
      clock_nanosleep(CLOCK_MONOTONIC, 0, &kPace, nullptr);
    }
  }
}

bool ListenWatcher::IsTheGuests(const PortSnapshot& port) const {
  if (!owner_) {
    return port.host_port == port.guest_port;
  }
  const auto owner = owner_->UidOf(port.host_port);
  return owner && *owner >= ids_.first_host_id && *owner - ids_.first_host_id < ids_.count;
}

void ListenWatcher::Report(const std::vector<PortSnapshot>& listening) {
  const PortChanges changes = ComparePorts(reported_, listening);
  for (const PortSnapshot& port : changes.closed) {
    notifier_.Send(PortEvent(instance_id_, "closed", port));
    std::erase(reported_, port);
  }
  for (const PortSnapshot& port : changes.opened) {
    if (IsTheGuests(port)) {
      notifier_.Send(PortEvent(instance_id_, "listening", port));
      reported_.push_back(port);
    }
  }
}

}  // namespace junction
