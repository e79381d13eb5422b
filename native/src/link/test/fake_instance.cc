// SPDX-License-Identifier: Apache-2.0
#include "link/test/fake_instance.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <future>

#include "base/check.h"
#include "base/never.h"
#include "nic/doorbell.h"
#include "nic/wake_instance.h"

namespace junction::link {
namespace {

constexpr size_t kMostBuffered = 64 * 1024;

uint64_t Now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void* Allocate(void*, size_t size_bytes) { return std::aligned_alloc(16, (size_bytes + 15) & ~size_t{15}); }
void Free(void*, void* memory, size_t) { std::free(memory); }
uint64_t Random(void*) {
  uint64_t value = 0;
  JUNCTION_CHECK(getrandom(&value, sizeof(value), 0) == static_cast<ssize_t>(sizeof(value)));
  return value;
}

NicSettings MakeSettings(const FakeInstance::Options& options) {
  NicSettings settings{};
  const uint8_t ip4[4] = {10, 99, 0, options.host_byte};
  const uint8_t mac[6] = {2, 0, 10, 99, 0, options.host_byte};
  const uint8_t ip6[16] = {0xfd, 0, 0, 0x99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, options.host_byte};
  std::memcpy(options.has_ip6_only ? settings.ip6 : settings.ip4, options.has_ip6_only ? ip6 : ip4,
              options.has_ip6_only ? sizeof(ip6) : sizeof(ip4));
  std::memcpy(settings.instance_mac, mac, sizeof(mac));
  for (uint8_t i = 1; i < kMaxNicPorts; ++i) {
    const uint8_t peer_mac[6] = {2, 0x6a, 0x75, 0x6e, 0, i};
    const uint8_t peer_ip4[4] = {169, 254, 254, i};
    const uint8_t peer_ip6[16] = {0xfd, 0, 0, 0x98, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, i};
    std::memcpy(settings.peer_mac[i], peer_mac, sizeof(peer_mac));
    std::memcpy(settings.link_peer4[i], peer_ip4, sizeof(peer_ip4));
    std::memcpy(settings.link_peer6[i], peer_ip6, sizeof(peer_ip6));
  }
  settings.uplink_mtu_bytes = 1500;
  settings.prefix4_bits = 24;
  return settings;
}

/// Appends what there is in the socket to `out`, up to the limit. False: reset. `is_at_end`: its end was read.
bool ReadFrom(net::TcpSocket& socket, std::string& out, bool& is_at_end, uint64_t now_ns) {
  while (out.size() < kMostBuffered) {
    int error = 0;
    const net::Span span = net::ReadSpan(socket, 0, error);
    if (span.size_bytes == 0) {
      is_at_end = is_at_end || error == 0;
      return error == 0 || error == -EAGAIN;
    }
    out.append(reinterpret_cast<const char*>(span.data), span.size_bytes);
    net::ConsumeRead(socket, span.size_bytes, now_ns);
  }
  return true;
}

/// Takes what there is room for off `bytes`. False: reset.
bool WriteTo(net::TcpSocket& socket, std::string& bytes, uint64_t now_ns) {
  size_t done = 0;
  while (done < bytes.size()) {
    int error = 0;
    const net::Span span = net::WriteSpan(socket, error);
    if (span.size_bytes == 0) {
      bytes.erase(0, done);
      net::CommitWrite(socket, 0, false, now_ns);
      return error == -EAGAIN;
    }
    const uint32_t size = static_cast<uint32_t>(std::min<size_t>(span.size_bytes, bytes.size() - done));
    std::memcpy(span.data, bytes.data() + done, size);
    done += size;
    net::CommitWrite(socket, size, done < bytes.size(), now_ns);
  }
  bytes.clear();
  return true;
}

}  // namespace

struct FakeInstance::Port {
  struct Interface : net::Device {
    Port* port = nullptr;
  };
  struct QueuePair {
    RingProducer to_peer;
    RingConsumer from_peer;
  };

  Interface device;
  FakeInstance* instance = nullptr;
  uint32_t index = 0;
  uint32_t generation = 0;
  std::vector<QueuePair> queue_pairs;
  std::vector<uint8_t> scratch = std::vector<uint8_t>(kMaxFrame_bytes);
  bool is_full = false;

  static Port& Of(net::Device& device) { return *static_cast<Interface&>(device).port; }
  bool has_peer() const { return generation % 2 == 1; }

  void Attach() {
    for (uint32_t i = 0; i < queue_pairs.size(); ++i) {
      queue_pairs[i].to_peer.Attach(instance->view_.ring(index, i, false));
      queue_pairs[i].from_peer.Attach(instance->view_.ring(index, i, true), true);
    }
  }
  static uint8_t* Reserve(net::Device& device, uint32_t length_bytes) {
    Port& port = Of(device);
    for (QueuePair& pair : port.queue_pairs) {
      if (pair.to_peer.Reserve(length_bytes) == nullptr) {
        port.is_full = true;
        return nullptr;
      }
    }
    return port.scratch.data();
  }
  static void Commit(net::Device& device, uint32_t length_bytes, const FrameMeta& meta) {
    Port& port = Of(device);
    const uint32_t count = static_cast<uint32_t>(port.queue_pairs.size());
    RingProducer& ring =
        port.queue_pairs[QueuePairOf(port.instance->key_, port.scratch.data(), length_bytes, count, count)].to_peer;
    std::memcpy(ring.Reserve(length_bytes), port.scratch.data(), length_bytes);
    ring.Commit(length_bytes, meta);
  }
  static void Flush(net::Device& device) {
    Port& port = Of(device);
    bool has_published = false;
    for (QueuePair& pair : port.queue_pairs) {
      has_published |= pair.to_peer.Publish();
    }
    if (has_published) {
      FakeInstance& instance = *port.instance;
      WakeSleeper(instance.view_.header().ports[port.index].peer_doorbell,
                  instance.nic_.descriptors().peer_events[port.index]);
    }
  }
  static constexpr net::DeviceOps kOps = {.reserve = &Reserve, .commit = &Commit, .flush = &Flush};
};

struct FakeInstance::Connection {
  Server* server = nullptr;
  net::TcpSocket* socket = nullptr;
  UniqueFd host;        // kBridge
  std::string to_host;  // or what was read
  std::string to_guest;
  bool guest_ended = false;
  bool host_ended = false;
  bool told_host = false;
  bool told_guest = false;
  bool is_dead = false;
};

FakeInstance::FakeInstance(const Options& options) : options_(options) {
  signal(SIGPIPE, SIG_IGN);  // rings of pipes whose reader is gone
  std::string folder = (std::filesystem::temp_directory_path() / "junction-instance-XXXXXX").string();
  JUNCTION_CHECK(mkdtemp(folder.data()) != nullptr);
  folder_ = folder;
  link_path_ = folder_ + "/links.sock";
  auto nic = NicMemory::Make({.port_count = 1 + options.links, .queue_pair_count = options.queue_pairs},
                             MakeSettings(options));
  JUNCTION_CHECK(nic.has_value());
  nic_ = std::move(*nic);
  view_.geometry = nic_.geometry();
  void* const memory =
      mmap(nullptr, view_.geometry.size_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, nic_.memory_fd(), 0);
  JUNCTION_CHECK(memory != MAP_FAILED);
  view_.base = static_cast<uint8_t*>(memory);
  view_.header().active_queue_pairs.store(options.queue_pairs, std::memory_order_relaxed);
  auto server = LinkServer::Listen(link_path_, nic_);
  JUNCTION_CHECK(server.has_value());
  link_server_ = std::move(*server);
  wake_.Reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  MakeStack();
  thread_ = std::thread([this] { Run(); });
}

FakeInstance::~FakeInstance() {
  Kill();
  munmap(view_.base, view_.geometry.size_bytes());
  std::filesystem::remove_all(folder_);
}

void FakeInstance::MakeStack() {
  net::StackOptions options;
  options.has_loopback = false;
  stack_ = net::NewStack({.allocate = &Allocate, .free = &Free, .random = &Random}, options);
  JUNCTION_CHECK(stack_ != nullptr);
  for (uint32_t& word : key_.words) {
    word = static_cast<uint32_t>(Random(nullptr));
  }
  const NicSettings& settings = nic_.settings();
  for (uint32_t i = 1; i <= options_.links; ++i) {
    ports_.push_back(std::make_unique<Port>());
    Port& port = *ports_.back();
    port.instance = this;
    port.index = i;
    port.queue_pairs.resize(options_.queue_pairs);
    port.device.port = &port;
    port.device.ops = &Port::kOps;
    port.device.mtu_bytes = 65535;
    port.device.has_blank_checksums = port.device.trusts_checksums = port.device.is_point_to_point = true;
    std::memcpy(port.device.mac, settings.instance_mac, 6);
    std::memcpy(port.device.peer_mac, settings.peer_mac[i], 6);
    port.device.is_up = false;
    port.Attach();
    JUNCTION_CHECK(net::AddDevice(*stack_, port.device) == 0);
    const bool is_v6 = options_.has_ip6_only;
    const uint8_t prefix_bits = is_v6 ? 128 : 32;
    JUNCTION_CHECK(net::AddAddress(
                       *stack_, {.device_index = port.device.index,
                                 .address = is_v6 ? net::IpAddress::V6(settings.ip6) : net::IpAddress::V4(settings.ip4),
                                 .prefix_bits = prefix_bits}) == 0);
    JUNCTION_CHECK(net::AddRoute(*stack_, {.network = is_v6 ? net::IpAddress::V6(settings.link_peer6[i])
                                                            : net::IpAddress::V4(settings.link_peer4[i]),
                                           .prefix_bits = prefix_bits,
                                           .gateway = {},
                                           .device_index = port.device.index}) == 0);
  }
}

void FakeInstance::Do(std::function<void()> task) {
  std::promise<void> done;
  {
    const std::lock_guard lock(mutex_);
    commands_.push_back([&] {
      task();
      done.set_value();
    });
  }
  const uint64_t one = 1;
  JUNCTION_CHECK(write(wake_.get(), &one, sizeof(one)) == sizeof(one));
  if (options_.sleeps_in_futex) {
    view_.header().instance_doorbell.store(kAwake);
    syscall(SYS_futex, &view_.header().instance_doorbell, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
  done.get_future().wait();
}

void FakeInstance::TakeCommands() {
  std::vector<std::function<void()>> commands;
  {
    const std::lock_guard lock(mutex_);
    commands.swap(commands_);
  }
  uint64_t count;
  [[maybe_unused]] const ssize_t got = read(wake_.get(), &count, sizeof(count));
  for (const auto& command : commands) {
    command();
  }
}

void FakeInstance::Listen(Server server) {
  Do([&] {
    servers_.push_back(std::make_unique<Server>(std::move(server)));
    Server& added = *servers_.back();
    const net::IpAddress any = options_.has_ip6_only ? net::IpAddress() : net::IpAddress::V4(0, 0, 0, 0);
    added.listener = net::NewTcpSocket(*stack_, options_.has_ip6_only);
    JUNCTION_CHECK(added.listener != nullptr);
    JUNCTION_CHECK(net::BindTcp(*added.listener, {.address = any, .port = added.port}) == 0);
    net::OptionsOf(*added.listener).has_no_delay = true;
    JUNCTION_CHECK(net::ListenTcp(*added.listener, 1024) == 0);
  });
}

void FakeInstance::Bridge(uint16_t port) { Listen({.service = Service::kBridge, .port = port, .answer = {}}); }
void FakeInstance::ServeHttp(uint16_t port, const std::string& answer) {
  Listen({.service = Service::kHttp, .port = port, .answer = answer});
}
void FakeInstance::ServeEcho(uint16_t port) { Listen({.service = Service::kEcho, .port = port, .answer = {}}); }

void FakeInstance::Kill() {
  if (!thread_.joinable()) {
    return;
  }
  Resume();
  Do([this] { is_stopping_ = true; });
  thread_.join();
  link_server_.RemoveName();
  link_server_ = LinkServer();
  nic_ = NicMemory();
  // What the guest had open on the host dies with it.
  for (const auto& connection : connections_) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(connection->host.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }
  connections_.clear();
  net::FreeStack(stack_);
}

void FakeInstance::Pause() {
  Do([this] { is_paused_ = true; });
}

void FakeInstance::Resume() {
  is_paused_ = false;
  is_paused_.notify_all();
}

void FakeInstance::RingPeer(uint32_t port) {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(nic_.descriptors().peer_events[port], &one, sizeof(one));
}

bool FakeInstance::SendRaw(uint32_t port, const std::string& frame) {
  RingProducer& ring = ports_[port - 1]->queue_pairs[0].to_peer;
  uint8_t* const place = ring.Reserve(static_cast<uint32_t>(frame.size()));
  if (place == nullptr) {
    return false;
  }
  std::memcpy(place, frame.data(), frame.size());
  ring.Commit(static_cast<uint32_t>(frame.size()), {});
  ring.Publish();
  return true;
}

void FakeInstance::CheckGeneration(Port& port, uint64_t now_ns) {
  const uint32_t generation = view_.header().ports[port.index].generation.load(std::memory_order_acquire);
  if (generation == port.generation) {
    return;
  }
  port.generation = generation;
  port.device.is_up = port.has_peer();
  net::ResetDevice(*stack_, port.device, now_ns);
  // The rings' ends go on where they are. Not to drop what is in them: frames of the new peer may be there already, behind those of the
  // one before, and a lost SYN costs a second.
}

bool FakeInstance::PollPorts(uint64_t now_ns) {
  bool has_done = false;
  for (const auto& port : ports_) {
    CheckGeneration(*port, now_ns);
    for (Port::QueuePair& pair : port->queue_pairs) {
      FrameView frame;
      uint32_t count = 0;
      while (count < 64 && pair.from_peer.Peek(frame)) {
        net::Input(*stack_, port->device, frame, now_ns);
        pair.from_peer.Pop();
        ++count;
      }
      if (count > 0) {
        pair.from_peer.Release();
        has_done = true;
      }
    }
    if (port->is_full) {
      port->is_full = false;
      net::DeviceHasRoom(*stack_, port->device, now_ns);
    }
  }
  return has_done;
}

bool FakeInstance::HasFrames() {
  for (const auto& port : ports_) {
    if (view_.header().ports[port->index].generation.load(std::memory_order_acquire) != port->generation) {
      return true;
    }
    for (Port::QueuePair& pair : port->queue_pairs) {
      if (pair.from_peer.HasFrames()) {
        return true;
      }
    }
  }
  return false;
}

void FakeInstance::Accept(uint64_t) {
  for (const auto& server : servers_) {
    while (net::TcpSocket* const socket = net::AcceptTcp(*server->listener)) {
      ++accepted_;
      auto connection = std::make_unique<Connection>();
      connection->server = server.get();
      connection->socket = socket;
      if (server->service == Service::kBridge) {
        connection->host.Reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(server->port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connection->is_dead =
            connect(connection->host.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0;
        fcntl(connection->host.get(), F_SETFL, O_NONBLOCK);
        const int on = 1;
        setsockopt(connection->host.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      }
      connections_.push_back(std::move(connection));
    }
  }
}

/// False: nothing more can come of it, both ends are to be reset (`is_dead`) or closed.
bool FakeInstance::ServeBridge(Connection& c, uint64_t now_ns) {
  // Until the host takes no more, or nothing is left: there is no other event for what is left in the guest's socket.
  do {
    if (!c.guest_ended && !ReadFrom(*c.socket, c.to_host, c.guest_ended, now_ns)) {
      c.is_dead = true;
      return false;
    }
    if (c.to_host.empty()) {
      break;
    }
    const ssize_t sent = send(c.host.get(), c.to_host.data(), c.to_host.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
      c.is_dead = true;
      return false;
    }
    if (sent < 0) {
      break;
    }
    c.to_host.erase(0, static_cast<size_t>(sent));
  } while (true);
  while (!c.host_ended && c.to_guest.size() < kMostBuffered) {
    char bytes[65536];
    const ssize_t got = recv(c.host.get(), bytes, sizeof(bytes), 0);
    if (got > 0) {
      c.to_guest.append(bytes, static_cast<size_t>(got));
    } else if (got == 0) {
      c.host_ended = true;
    } else if (errno == EAGAIN) {
      break;
    } else {
      c.is_dead = true;
      return false;
    }
  }
  if (!c.to_guest.empty() && !WriteTo(*c.socket, c.to_guest, now_ns)) {
    c.is_dead = true;
    return false;
  }
  if (c.guest_ended && c.to_host.empty() && !c.told_host) {
    c.told_host = true;
    shutdown(c.host.get(), SHUT_WR);
  }
  if (c.host_ended && c.to_guest.empty() && !c.told_guest) {
    c.told_guest = true;
    net::ShutdownTcp(*c.socket, 2, now_ns);
  }
  return !(c.told_host && c.told_guest);
}

bool FakeInstance::ServeHere(Connection& c, uint64_t now_ns) {
  size_t left = 0;
  do {
    if (!c.guest_ended && !ReadFrom(*c.socket, c.to_host, c.guest_ended, now_ns)) {
      c.is_dead = true;
      return false;
    }
    left = c.to_host.size();
    Answer(c);
    if (!c.to_guest.empty() && !WriteTo(*c.socket, c.to_guest, now_ns)) {
      c.is_dead = true;
      return false;
    }
  } while (c.to_host.size() < left);
  return !(c.guest_ended && c.to_guest.empty());
}

/// Takes off `to_host` what is complete and appends what it is answered with to `to_guest`.
void FakeInstance::Answer(Connection& c) {
  if (c.server->service == Service::kEcho) {
    if (c.to_guest.size() < kMostBuffered) {
      c.to_guest += c.to_host;
      c.to_host.clear();
    }
    return;
  }
  for (;;) {
    const size_t end = c.to_host.find("\r\n\r\n");
    if (end == std::string::npos) {
      return;
    }
    const size_t field = c.to_host.find("Content-Length: ");
    const size_t body = field < end ? std::strtoul(c.to_host.c_str() + field + 16, nullptr, 10) : 0;
    if (c.to_host.size() < end + 4 + body) {
      return;
    }
    c.to_host.erase(0, end + 4 + body);
    c.to_guest += c.server->answer;
  }
}

bool FakeInstance::Serve(Connection& c, uint64_t now_ns) {
  const bool goes_on =
      !c.is_dead && (c.server->service == Service::kBridge ? ServeBridge(c, now_ns) : ServeHere(c, now_ns));
  if (goes_on) {
    return true;
  }
  if (c.is_dead) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(c.host.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    net::AbortTcp(*c.socket, ECONNABORTED, now_ns);
  }
  net::CloseTcp(*c.socket, now_ns);
  return false;
}

void FakeInstance::Sleep(uint64_t now_ns) {
  std::array<pollfd, LinkServer::kPollFds> fixed;
  link_server_.FillPoll(fixed);
  std::vector<pollfd> fds(fixed.begin(), fixed.end());
  fds.push_back({.fd = wake_.get(), .events = POLLIN, .revents = 0});
  const int event_fd = nic_.descriptors().instance_event;
  fds.push_back({.fd = event_fd, .events = POLLIN, .revents = 0});
  for (const auto& c : connections_) {
    const bool reads = !c->host_ended && c->to_guest.size() < kMostBuffered;
    fds.push_back({.fd = c->host.get(),
                   .events = static_cast<short>((reads ? POLLIN : 0) | (c->to_host.empty() ? 0 : POLLOUT)),
                   .revents = 0});
  }
  int timeout_ms = link_server_.Timeout_ms(now_ns / 1'000'000);
  const uint64_t deadline_ns = net::NextDeadline_ns(*stack_);
  if (deadline_ns != kNever) {
    const int until = deadline_ns <= now_ns
                          ? 0
                          : static_cast<int>(std::min<uint64_t>((deadline_ns - now_ns) / 1'000'000 + 1, 60'000));
    timeout_ms = timeout_ms < 0 ? until : std::min(timeout_ms, until);
  }
  std::atomic<uint32_t>& word = view_.header().instance_doorbell;
  // In the futex only while a poll would find nothing: the descriptors cannot wake it, but its peers ring on changes of ports, too.
  if (options_.sleeps_in_futex && poll(fds.data(), fds.size(), 0) == 0) {
    PrepareToSleep(word, kInFutex);
    if (!HasFrames()) {
      const timespec limit{.tv_sec = 0, .tv_nsec = 20'000'000};  // so that the link server gets its turn
      syscall(SYS_futex, &word, FUTEX_WAIT, kInFutex, &limit, nullptr, 0);
    }
    StayAwake(word);
    timeout_ms = 0;
  }
  if (options_.polls) {
    timeout_ms = 0;
  }
  PrepareToSleep(word, kInPoller);
  if (HasFrames()) {
    timeout_ms = 0;
  }
  poll(fds.data(), fds.size(), timeout_ms);
  StayAwake(word);
  char bytes[4096];
  [[maybe_unused]] const ssize_t got = read(event_fd, bytes, sizeof(bytes));
  std::copy_n(fds.begin(), fixed.size(), fixed.begin());
  link_server_.Serve(fixed, Now_ns() / 1'000'000);
}

void FakeInstance::Run() {
  while (!is_stopping_) {
    TakeCommands();
    if (is_stopping_) {
      return;
    }
    is_paused_.wait(true);
    uint64_t now_ns = Now_ns();
    const bool has_polled = PollPorts(now_ns);
    net::RunTimers(*stack_, now_ns);
    Accept(now_ns);
    std::erase_if(connections_, [&](const auto& connection) { return !Serve(*connection, now_ns); });
    net::Flush(*stack_, now_ns);
    if (!has_polled) {
      Sleep(now_ns);
    }
  }
}

}  // namespace junction::link
