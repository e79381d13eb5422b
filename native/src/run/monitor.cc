// SPDX-License-Identifier: Apache-2.0
#include "run/monitor.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "base/json_text.h"
#include "base/request_protocol.h"
#include "run/clone_process.h"

namespace junction {
namespace {

constexpr size_t kReadSize_bytes = 32 * 1024;
constexpr size_t kMaxFault_bytes = 4096;
// What may lie in a pipe whose guest is dead: the greatest size that an unprivileged process can give it (pipe(7)).
constexpr size_t kMaxPipe_bytes = 1024 * 1024;

void PrintLine(const std::string& text) {
  const std::string line = "junction_run: " + text + "\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

// Reads what is there; 0 at the end, -1 when there is nothing for now.
ssize_t ReadSome(const UniqueFd& fd, char* buffer, size_t size) {
  for (;;) {
    const ssize_t count = read(fd.get(), buffer, size);
    if (count >= 0 || errno != EINTR) {
      return count;
    }
  }
}

uint64_t Monotonic_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace

uint64_t UnixTime_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000ULL + static_cast<uint64_t>(now.tv_nsec);
}

std::string ExitedEvent(const std::string& instance_id, const InstanceStatus& status, bool is_addition) {
  std::string event;
  JsonObjectWriter json(event);
  json.String("id", instance_id)
      .String("event", is_addition ? "uprocExited" : "exited")
      .Signed("monitorPid", status.monitor_pid)
      .Signed("exitCode", status.exit->exit_code)
      .Signed("signal", status.exit->signal)
      .Bool("oomKilled", status.exit->is_oom_killed)
      .DecimalString("exitedAtNs", status.exit->exited_at_ns);
  if (!status.exit->error.empty()) {
    json.String("error", status.exit->error);
  }
  json.End();
  return event;
}

Monitor::Monitor(MonitorPlan plan, const GuestProcess& guest, const Notifier& notifier)
    : plan_(std::move(plan)),
      guest_(guest),
      notifier_(notifier),
      oom_kills_before_(plan_.oom_count.Read()),
      is_fault_pipe_open_(guest.faults.valid()) {}

void Monitor::ReportStart(uint64_t now_ns) {
  status_.owner = plan_.owner;
  status_.links_path = plan_.nic.links ? plan_.links_path : "";
  status_.pid = guest_.pid;
  status_.monitor_pid = getpid();
  // The guest is our unreaped child, so its entry is there; a clone may have ended already.
  status_.start_time_ticks = StartTimeTicks(guest_.pid).value_or(0);
  status_.monitor_start_time_ticks = StartTimeTicks(status_.monitor_pid).value_or(0);
  status_.started_at_ns = now_ns;
  std::string event;
  JsonObjectWriter(event)
      .String("id", plan_.instance_id)
      .String("event", plan_.is_addition ? "uprocStarted" : "started")
      .Signed("pid", status_.pid)
      .Signed("monitorPid", status_.monitor_pid)
      .DecimalString("startTimeTicks", status_.start_time_ticks)
      .DecimalString("monitorStartTimeTicks", status_.monitor_start_time_ticks)
      .DecimalString("startedAtNs", now_ns)
      .End();
  notifier_.Send(event);
}

void Monitor::RecordStatus() {
  if (plan_.instance_dir.empty()) {
    return;
  }
  if (const auto written = WriteStatusFile(plan_.instance_dir, status_); !written) {
    PrintLine(written.error().message);
  }
}

int Monitor::WaitForEnd() {
  while (PollOnce()) {
  }
  if (plan_.nic.links) {
    plan_.nic.links->RemoveName();
  }
  // Everything in the pid namespace is dead, so what is in the pipes now is all there will be.
  for (const OutputStream stream : {OutputStream::kOut, OutputStream::kErr}) {
    for (size_t i = 0; i < kMaxPipe_bytes / kReadSize_bytes && plan_.output[static_cast<size_t>(stream)].valid(); ++i) {
      ReadOutput(stream);
    }
  }
  while (is_fault_pipe_open_) {
    ReadFault();
  }
  const GuestExit exit = CollectExit();
  if (plan_.log) {
    plan_.log->Flush(exit.exited_at_ns);
  }
  RecordEnd(exit);
  return exit.exit_code;
}

bool Monitor::PollOnce() {
  // poll() skips negative descriptors.
  constexpr size_t kOwn = 5;
  pollfd fds[kOwn + LinkServer::kPollFds] = {
      {.fd = guest_.pid_fd.get(), .events = POLLIN, .revents = 0},
      {.fd = plan_.signals.get(), .events = POLLIN, .revents = 0},
      {.fd = plan_.output[0].get(), .events = POLLIN, .revents = 0},
      {.fd = plan_.output[1].get(), .events = POLLIN, .revents = 0},
      {.fd = is_fault_pipe_open_ ? guest_.faults.get() : -1, .events = POLLIN, .revents = 0},
  };
  const std::span<pollfd, LinkServer::kPollFds> link_fds(fds + kOwn, LinkServer::kPollFds);
  const bool has_links = plan_.nic.links.has_value();
  if (has_links) {
    plan_.nic.links->FillPoll(link_fds);
  }
  if (poll(fds, has_links ? std::size(fds) : kOwn, has_links ? plan_.nic.links->Timeout_ms(Monotonic_ms()) : -1) < 0) {
    return true;  // interrupted
  }
  if (has_links) {
    plan_.nic.links->Serve(link_fds, Monotonic_ms());
  }
  if (fds[1].revents != 0) {
    PassSignalsOn();
  }
  if (fds[2].revents != 0) {
    ReadOutput(OutputStream::kOut);
  }
  if (fds[3].revents != 0) {
    ReadOutput(OutputStream::kErr);
  }
  if (fds[4].revents != 0) {
    ReadFault();
  }
  return fds[0].revents == 0;
}

void Monitor::ReadOutput(OutputStream stream) {
  UniqueFd& fd = plan_.output[static_cast<size_t>(stream)];
  char buffer[kReadSize_bytes];
  const ssize_t count = ReadSome(fd, buffer, sizeof(buffer));
  if (count > 0) {
    plan_.log->Append(stream, std::string_view(buffer, static_cast<size_t>(count)), UnixTime_ns());
  } else if (count == 0 || errno != EAGAIN) {
    fd.Reset();
  }
}

void Monitor::ReadFault() {
  char buffer[512];
  const ssize_t count = ReadSome(guest_.faults, buffer, sizeof(buffer));
  if (count > 0 && fault_.size() < kMaxFault_bytes) {
    fault_.append(buffer, static_cast<size_t>(count));
  } else if (count <= 0) {
    is_fault_pipe_open_ = false;
  }
}

void Monitor::PassSignalsOn() {
  signalfd_siginfo info{};
  while (read(plan_.signals.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    PassOn(static_cast<int>(info.ssi_signo), info.ssi_code == SI_KERNEL);
  }
}

bool Monitor::IsSettingUp() {
  pollfd faults = {.fd = guest_.faults.get(), .events = POLLIN, .revents = 0};
  if (is_fault_pipe_open_ && poll(&faults, 1, 0) > 0) {
    ReadFault();
  }
  return is_fault_pipe_open_;
}

void Monitor::PassOn(int number, bool is_from_terminal) {
  // Until the set-up is done nothing in the guest takes signals, and the first process of a pid namespace is spared their default effect.
  // After that they wait for the Junction kernel, which takes them all.
  const bool is_early = IsSettingUp();
  if (is_early) {
    early_signal_ = early_signal_ == 0 ? number : early_signal_;
  } else if (is_from_terminal && !guest_.lifeline.valid()) {
    return;  // the terminal has sent it to the guest as well, which is in our session
  }
  syscall(SYS_pidfd_send_signal, guest_.pid_fd.get(), is_early ? SIGKILL : number, nullptr, 0);
}

std::optional<ControlSnapshot> Monitor::ReadControl() const {
  const auto snapshot = plan_.control_fd < 0 ? PlainError("none") : ReadControlSnapshot(plan_.control_fd);
  return snapshot ? std::optional(*snapshot) : std::nullopt;
}

// The guest can write anything there, so it only says why an exit code is what it is.
int Monitor::DeathSignal(int exit_code) const {
  const auto snapshot = ReadControl();
  uint32_t signal = snapshot ? snapshot->exit_signal : 0;
  if (last_word_ && WIFSIGNALED(*last_word_)) {
    signal = static_cast<uint32_t>(WTERMSIG(*last_word_));
  }
  constexpr uint32_t kMaxSignal = 64;
  return signal >= 1 && signal <= kMaxSignal && exit_code == 128 + static_cast<int>(signal) ? static_cast<int>(signal)
                                                                                            : 0;
}

// The kernel's last message about a further program: its wait status, as guests see it.
std::optional<int> Monitor::ReadLastWord() const {
  RequestMessage message{};
  const ssize_t size = recv(guest_.lifeline.get(), &message, sizeof(message), MSG_DONTWAIT);
  return size == sizeof(message) && message.magic == kRequestMagic && message.answer == RequestAnswer::kEnded
             ? std::optional(message.value & 0xffff)
             : std::nullopt;
}

// The host's word where it gives it, else the guest's; one that says nothing was killed.
int Monitor::WaitStatusOfStranger() const {
  if (const auto status = ExitStatusOf(guest_.pid_fd.get())) {
    return *status;
  }
  if (last_word_) {
    return WIFSIGNALED(*last_word_) ? W_EXITCODE(128 + WTERMSIG(*last_word_), 0) : *last_word_;
  }
  const auto snapshot = ReadControl();
  return snapshot && snapshot->exit_code != 0 ? W_EXITCODE((snapshot->exit_code - 1) & 0xff, 0)
                                              : W_EXITCODE(0, SIGKILL);
}

GuestExit Monitor::CollectExit() {
  int status = 0;
  if (guest_.lifeline.valid()) {
    last_word_ = plan_.is_addition ? ReadLastWord() : std::nullopt;
    status = WaitStatusOfStranger();
  } else {
    siginfo_t info{};
    while (waitid(P_PIDFD, static_cast<id_t>(guest_.pid_fd.get()), &info, WEXITED) != 0 && errno == EINTR) {
    }
    status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : W_EXITCODE(0, info.si_status);
  }
  GuestExit exit;
  exit.exited_at_ns = UnixTime_ns();
  exit.is_oom_killed = plan_.oom_count.Read() > oom_kills_before_;
  if (WIFEXITED(status)) {
    exit.exit_code = WEXITSTATUS(status);
    exit.signal = DeathSignal(exit.exit_code);
  } else {
    exit.signal = early_signal_ != 0 && WTERMSIG(status) == SIGKILL ? early_signal_ : WTERMSIG(status);
    exit.exit_code = 128 + exit.signal;
  }
  if (exit.exit_code == kOwnFailureStatus && !fault_.empty()) {
    exit.error = fault_;
  }
  return exit;
}

void Monitor::RecordEnd(const GuestExit& exit) {
  if (!exit.error.empty()) {
    PrintLine(exit.error);
  }
  status_.exit = exit;
  RecordStatus();
  notifier_.Send(ExitedEvent(plan_.instance_id, status_, plan_.is_addition));
}

}  // namespace junction
