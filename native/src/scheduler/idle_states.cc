// SPDX-License-Identifier: Apache-2.0
// Read first: Linux, Documentation/power/pm_qos_interface.rst and Documentation/virt/guest-halt-polling.rst.
#include "scheduler/idle_states.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/parse_number.h"
#include "base/read_file.h"
#include "base/unique_fd.h"

namespace junction::scheduler {
namespace {

struct MechanismName {
  IdleMechanism mechanism;
  std::string_view name;
};

constexpr std::array<MechanismName, 4> kNames = {{
    {IdleMechanism::kAuto, "auto"},
    {IdleMechanism::kCpuDmaLatency, "cpu_dma_latency"},
    {IdleMechanism::kHaltpoll, "haltpoll"},
    {IdleMechanism::kNone, "none"},
}};

constexpr int32_t kShallow_us = 0;
constexpr int32_t kNoWish_us = 2000 * 1000 * 1000;  // PM_QOS_CPU_LATENCY_DEFAULT_VALUE

class NoIdleStates final : public IdleStates {
 public:
  Result<void> Hold() override { return {}; }
  Result<void> LetGo() override { return {}; }
  IdleMechanism mechanism() const override { return IdleMechanism::kNone; }
};

// The descriptor stays open and its wish is changed: a hold is one write. Opened with "no wish".
class CpuDmaLatency final : public IdleStates {
 public:
  static Result<std::unique_ptr<IdleStates>> Open(const std::string& path) {
    UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid()) {
      return ErrnoError(path);
    }
    auto states = std::unique_ptr<CpuDmaLatency>(new CpuDmaLatency(std::move(fd), path));
    if (auto wished = states->Wish(kNoWish_us); !wished) {
      return std::unexpected(wished.error());
    }
    return states;
  }
  Result<void> Hold() override { return Wish(kShallow_us); }
  Result<void> LetGo() override { return Wish(kNoWish_us); }
  IdleMechanism mechanism() const override { return IdleMechanism::kCpuDmaLatency; }

 private:
  CpuDmaLatency(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<void> Wish(int32_t latency_us) {
    if (pwrite(fd_.get(), &latency_us, sizeof(latency_us), 0) != static_cast<ssize_t>(sizeof(latency_us))) {
      return ErrnoError("write " + path_);
    }
    return {};
  }

  UniqueFd fd_;
  std::string path_;
};

Result<void> WriteText(const std::string& path, const std::string& text, int flags) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
  if (!fd.valid() || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return ErrnoError("write " + path);
  }
  return {};
}

// The first line of a small file as a number.
Result<uint64_t> ReadNumber(const std::string& path) {
  const auto text = ReadFile(path, 64);
  if (!text) {
    return std::unexpected(text.error());
  }
  const auto number = ParseNumber<uint64_t>(std::string_view(*text).substr(0, text->find('\n')));
  if (!number) {
    return PlainError(path + ": not a number");
  }
  return *number;
}

class Haltpoll final : public IdleStates {
 public:
  static Result<std::unique_ptr<IdleStates>> Open(const IdleStateOptions& options) {
    if (access(options.paths.haltpoll_ns.c_str(), R_OK | W_OK) != 0) {
      return ErrnoError(options.paths.haltpoll_ns);
    }
    return std::unique_ptr<IdleStates>(new Haltpoll(options));
  }
  ~Haltpoll() override { (void)LetGo(); }  // nobody is left to tell; the restore file stays if it fails

  Result<void> Hold() override {
    if (is_held_) {
      return {};
    }
    const auto before = ReadNumber(options_.paths.haltpoll_ns);
    if (!before) {
      return std::unexpected(before.error());
    }
    // First the note, then the change: killed in between, the restore writes what is there already.
    if (auto noted = WriteText(options_.paths.restore_file, std::to_string(*before) + "\n", O_CREAT | O_TRUNC);
        !noted) {
      return noted;
    }
    if (auto set = WriteText(options_.paths.haltpoll_ns, std::to_string(options_.haltpoll_ns), 0); !set) {
      return set;
    }
    is_held_ = true;
    return {};
  }

  Result<void> LetGo() override {
    if (!is_held_) {
      return {};
    }
    is_held_ = false;
    const auto restored = RestoreIdleStates(options_.paths);
    return restored ? Result<void>{} : std::unexpected(restored.error());
  }

  IdleMechanism mechanism() const override { return IdleMechanism::kHaltpoll; }

 private:
  explicit Haltpoll(IdleStateOptions options) : options_(std::move(options)) {}

  IdleStateOptions options_;
  bool is_held_ = false;
};

}  // namespace

std::optional<IdleMechanism> ParseIdleMechanism(std::string_view name) {
  for (const auto& [mechanism, text] : kNames) {
    if (text == name) {
      return mechanism;
    }
  }
  return std::nullopt;
}

std::string_view Name(IdleMechanism mechanism) { return kNames[static_cast<size_t>(mechanism)].name; }

Result<std::unique_ptr<IdleStates>> OpenIdleStates(const IdleStateOptions& options) {
  switch (options.mechanism) {
    case IdleMechanism::kCpuDmaLatency:
      return CpuDmaLatency::Open(options.paths.cpu_dma_latency);
    case IdleMechanism::kHaltpoll:
      return Haltpoll::Open(options);
    case IdleMechanism::kNone:
      return std::make_unique<NoIdleStates>();
    case IdleMechanism::kAuto:
      break;
  }
  if (auto states = CpuDmaLatency::Open(options.paths.cpu_dma_latency); states) {
    return states;
  }
  if (auto states = Haltpoll::Open(options); states) {
    return states;
  }
  return std::make_unique<NoIdleStates>();
}

Result<bool> RestoreIdleStates(const IdleStatePaths& paths) {
  const auto before = ReadNumber(paths.restore_file);
  if (!before) {
    if (before.error().code == ENOENT) {
      return false;
    }
    if (before.error().code != 0) {
      return std::unexpected(before.error());
    }
    unlink(paths.restore_file.c_str());  // an unfinished note: its writer ended before it changed anything
    return false;
  }
  if (auto set = WriteText(paths.haltpoll_ns, std::to_string(*before), 0); !set) {
    return std::unexpected(set.error());
  }
  unlink(paths.restore_file.c_str());
  return true;
}

}  // namespace junction::scheduler
