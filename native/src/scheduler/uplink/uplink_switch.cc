// SPDX-License-Identifier: Apache-2.0
#include "scheduler/uplink/uplink_switch.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "scheduler/uplink/vnet_header.h"

namespace junction::scheduler {
namespace {

constexpr int kEventsAtOnce = 64;
// One turn's share of a port, and of the TAP. Chosen: a batch that pays for the doorbell and keeps the others' wait below a millisecond. A port's is
// shorter: so its instance has room again, and goes on, while its frames are in the host's hands (bulk from an instance is a fifth faster).
constexpr uint32_t kTurnFrames = 64;
constexpr uint32_t kTapTurn_bytes = 512 * 1024;
constexpr uint32_t kPortTurn_bytes = 128 * 1024;

// What an epoll entry is for: the upper bits; below them a port's number.
constexpr uint64_t kTagShift = 56;
constexpr uint64_t kOrdersTag = 0;
constexpr uint64_t kTapTag = uint64_t{1} << kTagShift;
constexpr uint64_t kRingTag = uint64_t{2} << kTagShift;
constexpr uint64_t kLeaseTag = uint64_t{3} << kTagShift;
constexpr uint64_t kNumberMask = (uint64_t{1} << kTagShift) - 1;

uint64_t Now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000ULL + static_cast<uint64_t>(now.tv_nsec);
}

void DrawKey(RssKey& key) {
  // Without randomness flows are spread all the same, only predictably.
  [[maybe_unused]] const ssize_t size = getrandom(&key, sizeof(key), GRND_NONBLOCK);
}

}  // namespace

UplinkSwitch::UplinkSwitch(const SwitchOptions& options, SwitchEvents events)
    : options_(options),
      events_(std::move(events)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      orders_rang_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      buffer_(kMaxFrame_bytes + 64) {
  DrawKey(key_);
}

Result<std::unique_ptr<UplinkSwitch>> UplinkSwitch::Start(const SwitchOptions& options, SwitchEvents events) {
  auto the_switch = std::unique_ptr<UplinkSwitch>(new UplinkSwitch(options, std::move(events)));
  if (!the_switch->epoll_.valid() || !the_switch->Watch(the_switch->orders_rang_.get(), kOrdersTag)) {
    return ErrnoError("the switch's epoll");
  }
  the_switch->thread_ = std::thread([raw = the_switch.get()] { raw->Run(); });
  return the_switch;
}

UplinkSwitch::~UplinkSwitch() {
  if (thread_.joinable()) {
    Post([this] { is_stopping_ = true; });
    thread_.join();
  }
}

void UplinkSwitch::Post(std::function<void()> order) {
  {
    const std::lock_guard lock(mutex_);
    orders_.push_back(std::move(order));
  }
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t size = write(orders_rang_.get(), &one, sizeof(one));  // full is rung, too
}

void UplinkSwitch::SetTap(UniqueFd tap) {
  auto shared = std::make_shared<UniqueFd>(std::move(tap));
  Post([this, shared] {
    tap_ = std::move(*shared);
    if (tap_.valid() && !Watch(tap_.get(), kTapTag)) {
      LoseTap("epoll");
    }
  });
}

void UplinkSwitch::Attach(std::unique_ptr<UplinkPort> port) {
  auto shared = std::make_shared<std::unique_ptr<UplinkPort>>(std::move(port));
  Post([this, shared] { Insert(std::move(*shared)); });
}

void UplinkSwitch::Detach(const std::string& id) {
  Post([this, id] {
    uint64_t number = 0;
    if (FindById(id, &number) != nullptr) {
      Remove(number);
    }
  });
}

void UplinkSwitch::SetAllow(const std::string& id, AllowList allow) {
  Post([this, id, list = std::move(allow)] {
    if (UplinkPort* port = FindById(id)) {
      port->identity().allow = list;
    }
  });
}

bool UplinkSwitch::Watch(int fd, uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

UplinkPort* UplinkSwitch::FindById(const std::string& id, uint64_t* number) {
  for (const auto& [candidate, port] : ports_) {
    if (port->id() == id) {
      if (number != nullptr) {
        *number = candidate;
      }
      return port.get();
    }
  }
  return nullptr;
}

void UplinkSwitch::Insert(std::unique_ptr<UplinkPort> port) {
  uint64_t old = 0;
  if (FindById(port->id(), &old) != nullptr) {
    Remove(old);
  }
  const uint64_t number = ++next_number_;
  UplinkPort& inserted = *port;
  if (!Watch(inserted.nic().lease_fd(), kLeaseTag | number) ||
      !Watch(inserted.nic().peer_event_fd(), kRingTag | number)) {
    events_.on_lost_port(inserted.id(), inserted.serial(), "it cannot be watched", false);
    return;
  }
  inserted.number = number;
  by_mac_[inserted.identity().mac] = &inserted;
  by_ip4_[inserted.identity().ip4] = &inserted;
  if (const auto ip6 = inserted.identity().ip6) {
    by_ip6_[*ip6] = &inserted;
  }
  ports_[number] = std::move(port);
  inserted.is_active = true;  // there may be frames, and nobody rings before it has slept once
  active_.push_back(&inserted);
}

void UplinkSwitch::Remove(uint64_t number) {
  const auto found = ports_.find(number);
  UplinkPort* const port = found->second.get();
  // By hand: epoll keeps watching descriptors that the other side has, too.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, port->nic().lease_fd(), nullptr);
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, port->nic().peer_event_fd(), nullptr);
  const auto is_it = [port](const auto& entry) { return entry.second == port; };
  std::erase_if(by_mac_, is_it);
  std::erase_if(by_ip4_, is_it);
  std::erase_if(by_ip6_, is_it);
  std::erase(active_, port);
  std::erase(touched_, port);
  std::erase(stalled_, port);
  port->DropBacklog(waiting_);
  ports_.erase(found);
}

void UplinkSwitch::Lose(uint64_t number, const std::string& why, bool may_return) {
  const std::string id = ports_.at(number)->id();
  const uint64_t serial = ports_.at(number)->serial();
  Remove(number);
  events_.on_lost_port(id, serial, why, may_return);
}

void UplinkSwitch::Run() {
  while (!is_stopping_) {
    epoll_event events[kEventsAtOnce];
    const int count = WaitForEvents(events, kEventsAtOnce);
    for (int i = 0; i < count; ++i) {
      OnEvent(events[i].data.u64, events[i].events);
    }
    RetryStalled();
    ServePorts();
    FlushTouched();
  }
}

void UplinkSwitch::OnEvent(uint64_t tag, uint32_t events) {
  if (tag == kOrdersTag) {
    OnOrders();
    return;
  }
  if (tag == kTapTag) {
    if (tap_.valid() && (events & EPOLLERR) != 0) {
      LoseTap("the device is gone");
    } else if (tap_.valid()) {
      ServeTap();
    }
    return;
  }
  const uint64_t number = tag & kNumberMask;
  const auto found = ports_.find(number);
  if (found == ports_.end()) {
    return;  // removed by an event before
  }
  UplinkPort& port = *found->second;
  if ((tag & ~kNumberMask) == kLeaseTag) {
    Lose(number, "the instance's monitor ended the lease", true);
    return;
  }
  port.nic().DrainEvents();
  if (!port.is_active) {
    port.is_active = true;
    active_.push_back(&port);
  }
}

void UplinkSwitch::OnOrders() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t size = read(orders_rang_.get(), &count, sizeof(count));  // only resets it
  std::vector<std::function<void()>> orders;
  {
    const std::lock_guard lock(mutex_);
    orders.swap(orders_);
  }
  for (const auto& order : orders) {
    order();
  }
}

void UplinkSwitch::ServePorts() {
  // In place: those that have more stay, in their order.
  std::vector<uint64_t> broken;
  std::erase_if(active_, [&](UplinkPort* port) {
    if (port->is_broken()) {
      broken.push_back(port->number);
      return true;
    }
    if (ServePort(*port) || !port->Sleep()) {
      return false;
    }
    port->is_active = false;
    return true;
  });
  for (const uint64_t number : broken) {
    Lose(number, "its rings make no sense", false);
  }
}

// True if there may be more.
bool UplinkSwitch::ServePort(UplinkPort& port) {
  uint32_t frames = 0;
  uint32_t bytes = 0;
  FrameView frame;
  while (frames < kTurnFrames && bytes < kPortTurn_bytes && port.Peek(frame)) {
    PassFromInstance(port, frame);
    port.Pop();
    ++frames;
    bytes += frame.length_bytes;
  }
  port.Release();
  return frames == kTurnFrames || bytes >= kPortTurn_bytes;
}

void UplinkSwitch::PassFromInstance(UplinkPort& port, const FrameView& frame) {
  std::array<uint8_t, kHeaderCopy_bytes> copy;
  const uint32_t copied = std::min<uint32_t>(frame.length_bytes, copy.size());
  std::memcpy(copy.data(), frame.data, copied);
  const std::span<uint8_t> head(copy.data(), copied);
  const FrameHeaders headers = ParseFrame(head, frame.length_bytes);
  const FrameRoute route = CheckFromInstance(port.identity(), options_.host, head, headers);
  if (route.kind == FrameRoute::Kind::kDrop) {
    port.counters().Drop(route.reason);
    return;
  }
  const auto vnet = VnetFromMeta(frame.meta, head, headers, options_.mtu_bytes);
  if (!vnet) {
    port.counters().Drop(vnet.error());
    return;
  }
  // Without padding. What is behind the copy may change under our hands: it is payload.
  const auto sent_head = head.first(std::min(copied, headers.end));
  const std::span<const uint8_t> rest(frame.data + sent_head.size(), headers.end - sent_head.size());
  if (route.kind == FrameRoute::Kind::kHost) {
    PassToHost(port, sent_head, rest, *vnet);
    return;
  }
  UplinkPort* const receiver = FindReceiver(route);
  if (receiver == nullptr || receiver == &port || !MayReach(port.identity(), receiver->identity(), head, headers)) {
    port.counters().Drop(DropReason::kForbidden);
  } else {
    PortCounters::Add(port.counters().frames_out, 1);
    PortCounters::Add(port.counters().bytes_out, headers.end);
    Deliver(*receiver, sent_head, rest, MetaFromVnet(*vnet));
  }
}

void UplinkSwitch::PassToHost(UplinkPort& port, std::span<const uint8_t> head, std::span<const uint8_t> rest,
                              const VnetHeader& vnet) {
  // writev reads only.
  const iovec parts[3] = {{const_cast<VnetHeader*>(&vnet), sizeof(vnet)},
                          {const_cast<uint8_t*>(head.data()), head.size()},
                          {const_cast<uint8_t*>(rest.data()), rest.size()}};
  if (!tap_.valid() || writev(tap_.get(), parts, rest.empty() ? 2 : 3) < 0) {
    port.counters().Drop(DropReason::kRefused);
    return;
  }
  PortCounters::Add(port.counters().frames_out, 1);
  PortCounters::Add(port.counters().bytes_out, head.size() + rest.size());
}

UplinkPort* UplinkSwitch::FindReceiver(const FrameRoute& route) {
  if (route.is_v6) {
    const auto found = by_ip6_.find(route.ip6);
    return found == by_ip6_.end() ? nullptr : found->second;
  }
  const auto found = by_ip4_.find(route.ip4);
  return found == by_ip4_.end() ? nullptr : found->second;
}

void UplinkSwitch::ServeTap() {
  uint32_t bytes = 0;
  for (uint32_t frames = 0; frames < kTurnFrames && bytes < kTapTurn_bytes; ++frames) {
    VnetHeader vnet{};
    const iovec parts[2] = {{&vnet, sizeof(vnet)}, {buffer_.data(), buffer_.size()}};
    const ssize_t size = readv(tap_.get(), parts, 2);
    if (size < 0) {
      if (errno != EAGAIN && errno != EINTR) {
        LoseTap(std::strerror(errno));
      }
      return;
    }
    if (static_cast<size_t>(size) > sizeof(vnet)) {
      const std::span<const uint8_t> frame(buffer_.data(), static_cast<size_t>(size) - sizeof(vnet));
      bytes += static_cast<uint32_t>(frame.size());
      PassFromTap(vnet, frame);
    }
  }
}

void UplinkSwitch::PassFromTap(const VnetHeader& vnet, std::span<const uint8_t> frame) {
  if (frame.size() < kMinFrame_bytes || frame.size() > kMaxFrame_bytes) {
    tap_counters_.Drop(DropReason::kMalformed);
    return;
  }
  UplinkPort* receiver = nullptr;
  const Mac destination = DestinationMac(frame);
  const bool is_to_many = (destination[0] & 1) != 0;
  if (!is_to_many) {
    const auto found = by_mac_.find(destination);
    receiver = found == by_mac_.end() ? nullptr : found->second;
  } else {
    const auto head = frame.first(std::min<size_t>(frame.size(), kHeaderCopy_bytes));
    const auto sought = SoughtByHost(head, ParseFrame(head, static_cast<uint32_t>(frame.size())));
    if (sought) {
      receiver = FindReceiver({.is_v6 = sought->is_v6, .ip4 = sought->ip4, .ip6 = sought->ip6});
    }
    const auto mac = sought && sought->is_v6 ? MacOfLinkLocal(sought->ip6) : std::nullopt;
    if (const auto found = mac ? by_mac_.find(*mac) : by_mac_.end(); found != by_mac_.end()) {
      receiver = found->second;
    }
  }
  if (receiver == nullptr) {
    tap_counters_.Drop(is_to_many ? DropReason::kMulticast : DropReason::kNobody);
  } else {
    Deliver(*receiver, frame, {}, MetaFromVnet(vnet));
  }
}

void UplinkSwitch::Deliver(UplinkPort& receiver, std::span<const uint8_t> head, std::span<const uint8_t> rest,
                           const FrameMeta& meta) {
  switch (receiver.Deliver(head, rest, meta, waiting_)) {
    case UplinkPort::Delivery::kPut:
      Touch(receiver);
      break;
    case UplinkPort::Delivery::kWaiting:
      if (!receiver.is_stalled) {
        receiver.is_stalled = true;
        stalled_.push_back(&receiver);
      }
      break;
    case UplinkPort::Delivery::kFull:
      break;
  }
}

void UplinkSwitch::RetryStalled() {
  if (stalled_.empty()) {
    return;
  }
  const uint64_t now_ns = Now_ns();
  std::erase_if(stalled_, [&](UplinkPort* port) {
    const bool is_done = port->Retry(now_ns, waiting_);
    Touch(*port);
    port->is_stalled = !is_done;
    return is_done;
  });
}

// How long to sleep: not at all with work at hand, a moment while someone's backlog waits for room (which nobody announces), else for ever.
int UplinkSwitch::WaitForEvents(epoll_event* events, int most) {
  constexpr timespec kNothing = {.tv_sec = 0, .tv_nsec = 0};
  constexpr timespec kMoment = {.tv_sec = 0, .tv_nsec = 50'000};
  const timespec* timeout = nullptr;
  if (!active_.empty()) {
    timeout = &kNothing;
  } else if (!stalled_.empty()) {
    timeout = &kMoment;
  }
  const int count = epoll_pwait2(epoll_.get(), events, most, timeout, nullptr);
  if (timeout == nullptr) {
    wakeups_.store(wakeups_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  return count;
}

void UplinkSwitch::LoseTap(const std::string& why) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, tap_.get(), nullptr);
  tap_.Reset();
  events_.on_lost_tap(why);
}

void UplinkSwitch::Touch(UplinkPort& port) {
  if (!port.is_touched) {
    port.is_touched = true;
    touched_.push_back(&port);
  }
}

void UplinkSwitch::FlushTouched() {
  for (UplinkPort* port : touched_) {
    port->is_touched = false;
    port->Flush();
  }
  touched_.clear();
}

}  // namespace junction::scheduler
