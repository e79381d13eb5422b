// SPDX-License-Identifier: Apache-2.0
// Read first: memfd_create(2), pipe(2), eventfd(2), fcntl(2) on seals.
#include "nic/nic_memory.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace junction {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

bool MakePipe(EventPipe& event) {
  int fds[2];
  if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) {
    return false;
  }
  event.sleeper.Reset(fds[0]);
  event.waker.Reset(fds[1]);
  return true;
}

}  // namespace

Result<NicMemory> NicMemory::Make(const NicGeometry& geometry, const NicSettings& settings) {
  if (!geometry.is_valid()) {
    return ErrnoError("NIC: ports or queue pairs", EINVAL);
  }
  NicMemory made;
  made.geometry_ = geometry;
  made.settings_ = settings;
  made.memory_.Reset(memfd_create("junction-nic", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!made.memory_.valid() || ftruncate(made.memory_.get(), static_cast<off_t>(geometry.size_bytes())) != 0 ||
      fcntl(made.memory_.get(), F_ADD_SEALS, kSeals) != 0) {
    return ErrnoError("NIC: memory");
  }
  void* const page = mmap(nullptr, kNicHeader_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, made.memory_.get(), 0);
  if (page == MAP_FAILED) {
    return ErrnoError("NIC: map its header");
  }
  made.page_ = static_cast<uint8_t*>(page);
  bool has_events = MakePipe(made.instance_event_);
  for (uint32_t port = 0; port < geometry.port_count && has_events; ++port) {
    made.peer_events_[port].Reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    has_events = made.peer_events_[port].valid();
  }
  if (!has_events) {
    return ErrnoError("NIC: event descriptors");
  }
  NicHeader& header = made.header();
  header.version = kNicVersion;
  header.size_bytes = geometry.size_bytes();
  header.port_count = geometry.port_count;
  header.queue_pair_count = geometry.queue_pair_count;
  std::memcpy(made.page_ + kNicSettingsOffset, &settings, sizeof(settings));
  header.magic = kNicMagic;
  return made;
}

NicMemory::NicMemory(NicMemory&& other) noexcept { *this = std::move(other); }

NicMemory& NicMemory::operator=(NicMemory&& other) noexcept {
  std::swap(geometry_, other.geometry_);
  std::swap(settings_, other.settings_);
  std::swap(page_, other.page_);
  std::swap(memory_, other.memory_);
  std::swap(instance_event_, other.instance_event_);
  std::swap(peer_events_, other.peer_events_);
  return *this;
}

NicMemory::~NicMemory() {
  if (page_ != nullptr) {
    munmap(page_, kNicHeader_bytes);
  }
}

NicDescriptors NicMemory::descriptors() const {
  NicDescriptors all;
  all.memory = memory_.get();
  all.instance_event = instance_event_.sleeper.get();
  for (uint32_t port = 0; port < geometry_.port_count; ++port) {
    all.peer_events[port] = peer_events_[port].get();
  }
  all.geometry = geometry_;
  return all;
}

}  // namespace junction
