// SPDX-License-Identifier: Apache-2.0
#include "scheduler/instance_table.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <set>

#include "base/control_snapshot.h"

namespace junction::scheduler {
namespace {

// Opens the control block of a path that junctiond named, whose file belongs to the instance.
Result<UniqueFd> OpenControl(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info{};
  if (!fd.valid() || fstat(fd.get(), &info) != 0) {
    return ErrnoError(path);
  }
  if (!S_ISREG(info.st_mode)) {
    return PlainError(path + ": not a file");
  }
  return fd;
}

// Whether another file has taken the place of the one that is open: the instance was started anew.
bool IsReplaced(const UniqueFd& fd) {
  struct stat info{};
  return fd.valid() && (fstat(fd.get(), &info) != 0 || info.st_nlink == 0);
}

void SampleEntry(InstanceTable::Entry& entry, uint64_t now_ns) {
  InstanceActivity& activity = entry.activity;
  activity.is_active = false;
  if (IsReplaced(entry.control)) {
    entry.control.Reset();
  }
  if (!entry.control.valid()) {
    auto opened = OpenControl(entry.registration.control_path);
    if (!opened) {
      activity.fault = opened.error().message;
      return;
    }
    entry.control = std::move(*opened);
  }
  const auto snapshot = ReadControlSnapshot(entry.control.get());
  if (!snapshot) {
    activity.fault = snapshot.error().message;
    return;
  }
  activity.fault.clear();
  activity.threads = snapshot->threads;
  if (snapshot->guest_syscalls != activity.guest_syscalls) {
    activity.is_active = true;
    activity.last_active_ns = now_ns;
    activity.guest_syscalls = snapshot->guest_syscalls;
  }
}

}  // namespace

bool InstanceTable::Add(const Registration& instance) {
  if (entries_.size() >= kMaxInstances && !entries_.contains(instance.id)) {
    return false;
  }
  Entry& entry = entries_[instance.id];
  entry.registration = instance;
  entry.control.Reset();
  return true;
}

bool InstanceTable::Update(const std::string& id, uint32_t core_limit) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) {
    return false;
  }
  found->second.registration.core_limit = core_limit;
  found->second.control.Reset();
  return true;
}

bool InstanceTable::Remove(const std::string& id) { return entries_.erase(id) > 0; }

void InstanceTable::Sync(const std::vector<Registration>& instances) {
  std::set<std::string> ids;
  for (const Registration& instance : instances) {
    ids.insert(instance.id);
  }
  std::erase_if(entries_, [&](const auto& entry) { return !ids.contains(entry.first); });
  for (const Registration& instance : instances) {
    Add(instance);
  }
}

void InstanceTable::Sample(uint64_t now_ns) {
  for (auto& [id, entry] : entries_) {
    SampleEntry(entry, now_ns);
  }
}

}  // namespace junction::scheduler
