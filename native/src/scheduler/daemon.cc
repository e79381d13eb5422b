// SPDX-License-Identifier: Apache-2.0
#include "scheduler/daemon.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

#include "base/json_text.h"
#include "base/read_file.h"

namespace junction::scheduler {
namespace {

constexpr size_t kMaxClients = 64;
constexpr int kEventsAtOnce = 16;

uint64_t Now_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000ULL + static_cast<uint64_t>(now.tv_nsec);
}

uint64_t Monotonic_ns() { return Now_ns(CLOCK_MONOTONIC); }

// Blocks the signals that end the daemon; they are read from the descriptor instead.
Result<UniqueFd> TakeEndSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid() || sigprocmask(SIG_BLOCK, &set, nullptr) != 0) {
    return ErrnoError("signals");
  }
  return fd;
}

// One daemon a run folder: Linux lets the lock go however its holder ends.
Result<UniqueFd> TakeLock(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) {
    return ErrnoError(path);
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK ? Result<UniqueFd>(PlainError("another one runs already: it holds " + path))
                                : ErrnoError(path);
  }
  return fd;
}

void Complain(const std::string& message) { std::fprintf(stderr, "junction_scheduler: %s\n", message.c_str()); }

std::string InstanceJson(const InstanceTable::Entry& entry, uint64_t events, const std::string& uplink) {
  std::string text;
  JsonObjectWriter json(text);
  json.String("id", entry.registration.id)
      .Unsigned("coreLimit", entry.registration.core_limit)
      .DecimalString("guestSyscalls", entry.activity.guest_syscalls)
      .Unsigned("threads", entry.activity.threads)
      .Bool("active", entry.activity.is_active)
      .DecimalString("lastActiveUnixNs", entry.activity.last_active_ns);
  if (!entry.activity.fault.empty()) {
    json.String("fault", entry.activity.fault);
  }
  json.DecimalString("events", events);
  if (!uplink.empty()) {
    json.Raw("uplink", uplink);
  }
  json.End();
  return text;
}

}  // namespace

Daemon::Daemon(const DaemonOptions& options, std::unique_ptr<IdleStates> idle_states,
               std::unique_ptr<Doorbell> doorbell)
    : options_(options),
      idle_states_(std::move(idle_states)),
      doorbell_(std::move(doorbell)),
      registry_(options.registry_path),
      policy_(options.let_go_after_ms * 1'000'000),
      started_ns_(Monotonic_ns()),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {}

Daemon::~Daemon() {
  if (listener_.valid()) {
    unlink(options_.socket_path.c_str());
  }
}

Result<std::unique_ptr<Daemon>> Daemon::Open(const DaemonOptions& options) {
  auto lock = TakeLock(options.lock_path);
  if (!lock) {
    return std::unexpected(lock.error());
  }
  if (auto restored = RestoreIdleStates(options.idle_states.paths); !restored) {
    return std::unexpected(restored.error());
  }
  auto idle_states = OpenIdleStates(options.idle_states);
  if (!idle_states) {
    return std::unexpected(idle_states.error());
  }
  auto signals = TakeEndSignals();  // before there is a second thread, which would get them instead
  if (!signals) {
    return std::unexpected(signals.error());
  }
  auto doorbell = Doorbell::Open(options.doorbell_path);
  if (!doorbell) {
    return std::unexpected(doorbell.error());
  }
  auto daemon = std::unique_ptr<Daemon>(new Daemon(options, std::move(*idle_states), std::move(*doorbell)));
  daemon->lock_ = std::move(*lock);
  daemon->signals_ = std::move(*signals);
  auto events = EventQueue::Create(options.events_path);
  if (!events) {
    return std::unexpected(events.error());
  }
  daemon->events_ = std::move(*events);
  daemon->instances_.Sync(daemon->registry_.Load());
  if (auto opened = daemon->OpenUplink(); !opened) {
    return std::unexpected(opened.error());
  }
  // Last: who sees the socket can use it.
  if (auto opened = daemon->OpenSocket(); !opened) {
    return std::unexpected(opened.error());
  }
  for (const int fd :
       {daemon->signals_.get(), daemon->timer_.get(), daemon->doorbell_->rang(), daemon->listener_.get()}) {
    if (auto watched = daemon->Watch(fd, EPOLLIN); !watched) {
      return std::unexpected(watched.error());
    }
  }
  return daemon;
}

// An uplink that another daemon of this folder left and that is not ours goes first.
Result<void> Daemon::OpenUplink() {
  const std::string left = ReadFile(options_.uplink.device_note, 256).value_or("");
  if (!left.empty() && left.substr(0, left.find('\n')) != options_.uplink.device) {
    if (auto restored = RestoreUplink(options_.uplink); !restored) {
      Complain(restored.error().message);
    }
  }
  if (!options_.uplink.device.empty()) {
    uplink_ = Uplink::Open(options_.uplink);
    TellUplink("");
    if (const std::string reason = uplink_->down_reason(); !reason.empty()) {
      Complain("no uplink: " + reason);
    }
  }
  return {};
}

Result<void> Daemon::OpenSocket() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (options_.socket_path.size() >= sizeof(address.sun_path)) {
    return PlainError(options_.socket_path + ": too long for a socket");
  }
  options_.socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  listener_.Reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  unlink(options_.socket_path.c_str());  // left by a killed daemon: we hold the lock
  const mode_t old_mask = umask(0177);
  const bool is_bound = bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  umask(old_mask);
  if (!is_bound || listen(listener_.get(), kMaxClients) != 0) {
    return ErrnoError("socket " + options_.socket_path);
  }
  return {};
}

Result<void> Daemon::Watch(int fd, uint32_t events, bool is_new) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0) {
    return ErrnoError("epoll");
  }
  return {};
}

Result<void> Daemon::Run() {
  doorbell_->Arm(doorbell_->work());
  while (!is_stopping_) {
    epoll_event events[kEventsAtOnce];
    const int count = epoll_wait(epoll_.get(), events, kEventsAtOnce, -1);
    if (count < 0 && errno != EINTR) {
      return ErrnoError("epoll");
    }
    for (int i = 0; i < count; ++i) {
      OnEvent(events[i].data.fd, events[i].events);
    }
  }
  if (uplink_) {
    if (auto removed = uplink_->Remove(); !removed) {
      Complain(removed.error().message);
    }
  }
  return idle_states_->LetGo();
}

void Daemon::OnEvent(int fd, uint32_t events) {
  if (fd == signals_.get()) {
    is_stopping_ = true;
  } else if (fd == doorbell_->rang()) {
    OnDoorbell();
  } else if (fd == timer_.get()) {
    OnTimer();
  } else if (fd == listener_.get()) {
    OnConnection();
  } else {
    OnClient(fd, events);
  }
}

void Daemon::OnDoorbell() {
  doorbell_->Taken();
  if (policy_.OnWork(Monotonic_ns(), doorbell_->work())) {
    if (auto held = idle_states_->Hold(); !held) {
      Complain(held.error().message);
    }
    SetTimer(options_.sample_every_ms);
  }
}

void Daemon::OnTimer() {
  uint64_t expirations = 0;
  [[maybe_unused]] const ssize_t size = read(timer_.get(), &expirations, sizeof(expirations));  // only resets it
  instances_.Sample(Now_ns(CLOCK_REALTIME));
  CountEvents();
  if (policy_.OnTick(Monotonic_ns(), doorbell_->work())) {
    SetTimer(0);
    if (auto let_go = idle_states_->LetGo(); !let_go) {
      Complain(let_go.error().message);
    }
    // Work that came since the tick differs from what the policy saw: the doorbell reports it at once.
    doorbell_->Arm(policy_.work());
  }
}

void Daemon::SetTimer(uint64_t every_ms) {
  itimerspec setting{};
  setting.it_interval.tv_sec = static_cast<time_t>(every_ms / 1000);
  setting.it_interval.tv_nsec = static_cast<long>(every_ms % 1000 * 1'000'000);
  setting.it_value = setting.it_interval;
  timerfd_settime(timer_.get(), 0, &setting, nullptr);
}

void Daemon::OnConnection() {
  UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid() || clients_.size() >= kMaxClients) {
    return;  // gone already, or one too many: it is closed
  }
  const int number = fd.get();
  if (Watch(number, EPOLLIN)) {
    clients_.emplace(number, LineConnection(std::move(fd)));
  }
}

void Daemon::OnClient(int fd, uint32_t events) {
  const auto found = clients_.find(fd);
  if (found == clients_.end()) {
    return;
  }
  LineConnection& client = found->second;
  bool is_open = (events & EPOLLOUT) == 0 || client.Flush();
  if (is_open && (events & ~EPOLLOUT) != 0) {
    bool could_send = true;
    is_open = client.ReadLines([&](std::string_view line) { could_send = client.Send(Answer(line)) && could_send; }) &&
              could_send;
  }
  if (!is_open || !Watch(fd, client.has_output() ? EPOLLIN | EPOLLOUT : EPOLLIN, false)) {
    clients_.erase(found);
  }
}

std::string Daemon::Answer(std::string_view line) {
  const auto request = ParseRequest(line);
  if (!request) {
    return ErrorLine(request.error().message);
  }
  return std::visit([this](const auto& what) { return Carry(what); }, *request);
}

std::string Daemon::Carry(const SyncRequest& request) {
  instances_.Sync(request.instances);
  TellUplink("");
  return SaveRegistry();
}

std::string Daemon::Carry(const AddRequest& request) {
  if (!instances_.Add(request.instance)) {
    return ErrorLine("add: there are " + std::to_string(kMaxInstances) + " instances already");
  }
  TellUplink(request.instance.id);
  return SaveRegistry();
}

std::string Daemon::Carry(const UpdateRequest& request) {
  if (!instances_.Update(request.id, request.core_limit)) {
    return ErrorLine("update: unknown instance " + request.id);
  }
  TellUplink(request.id);
  return SaveRegistry();
}

std::string Daemon::Carry(const RemoveRequest& request) {
  if (!instances_.Remove(request.id)) {
    return ErrorLine("remove: unknown instance " + request.id);
  }
  TellUplink("");
  return SaveRegistry();
}

void Daemon::TellUplink(const std::string& retry_id) {
  if (!uplink_) {
    return;
  }
  std::vector<UplinkInstance> all;
  for (const auto& [id, entry] : instances_.entries()) {
    const Registration& registration = entry.registration;
    if (!registration.links_path.empty()) {
      all.push_back({.id = id,
                     .links_path = registration.links_path,
                     .ip4 = registration.ip4,
                     .ip6 = registration.ip6,
                     .mac = registration.mac,
                     .allow = registration.allow});
    }
  }
  uplink_->SetInstances(all, retry_id);
}

void Daemon::CountEvents() {
  std::map<uint32_t, uint64_t> counts;
  for (const auto& [id, entry] : instances_.entries()) {
    if (const auto number = entry.registration.number) {
      counts[*number] = event_counts_[*number];
    }
  }
  for (uint32_t taken = 0; taken < kEventQueueSlots; ++taken) {  // bounded: producers may go on
    const auto event = events_.Take();
    if (!event) {
      break;
    }
    if (const auto found = counts.find(event->instance); found != counts.end()) {
      found->second += 1;
    }
  }
  event_counts_ = std::move(counts);
}

std::string Daemon::Carry(const StatsRequest&) {
  const uint64_t now_ns = Monotonic_ns();
  const uint64_t sampled_at_ns = Now_ns(CLOCK_REALTIME);
  instances_.Sample(sampled_at_ns);
  CountEvents();
  std::string idle_states;
  JsonObjectWriter(idle_states)
      .Bool("heldShallow", policy_.is_awake())
      .String("mechanism", Name(idle_states_->mechanism()))
      .Unsigned("holds", policy_.holds())
      .Unsigned("heldMs", policy_.held_ns(now_ns) / 1'000'000)
      .Unsigned("wakeups", doorbell_->wakeups())
      .End();
  std::string list;
  for (const auto& [id, entry] : instances_.entries()) {
    const auto number = entry.registration.number;
    list += (list.empty() ? "" : ",") +
            InstanceJson(entry, number ? event_counts_[*number] : 0, uplink_ ? uplink_->InstanceJson(id) : "");
  }
  std::string events;
  JsonObjectWriter(events).DecimalString("overflows", events_.overflows()).End();
  std::string line;
  JsonObjectWriter json(line);
  json.Signed("pid", getpid())
      .Unsigned("uptimeMs", (now_ns - started_ns_) / 1'000'000)
      .DecimalString("sampledAtUnixNs", sampled_at_ns)
      .Signed("hostCores", sysconf(_SC_NPROCESSORS_ONLN))
      .Raw("idleStates", idle_states)
      .Raw("events", events);
  if (uplink_) {
    json.Raw("uplink", uplink_->Json());
  }
  json.Raw("instances", "[" + list + "]").End();
  return line + "\n";
}

std::string Daemon::SaveRegistry() {
  std::vector<Registration> all;
  for (const auto& [id, entry] : instances_.entries()) {
    all.push_back(entry.registration);
  }
  const auto saved = registry_.Save(all);
  return saved ? "" : ErrorLine(saved.error().message);
}

}  // namespace junction::scheduler
