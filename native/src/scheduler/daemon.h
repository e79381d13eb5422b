// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/unique_fd.h"
#include "nic/event_queue.h"
#include "scheduler/control_protocol.h"
#include "scheduler/daemon_options.h"
#include "scheduler/doorbell.h"
#include "scheduler/hold_policy.h"
#include "scheduler/idle_states.h"
#include "scheduler/instance_table.h"
#include "scheduler/line_connection.h"
#include "scheduler/registry.h"
#include "scheduler/uplink/uplink.h"

namespace junction::scheduler {

/// The scheduler daemon: one thread in epoll for everything (but for the doorbell's in a futex and those of the uplink). With no work, no
/// timer runs and nothing wakes it.
class Daemon {
 public:
  /// Opens all it needs: settings that cannot be had are a failure here, not later. Blocks SIGTERM and SIGINT.
  static Result<std::unique_ptr<Daemon>> Open(const DaemonOptions& options);

  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  /// Serves until SIGTERM or SIGINT. Blocks.
  Result<void> Run();

 private:
  Daemon(const DaemonOptions& options, std::unique_ptr<IdleStates> idle_states, std::unique_ptr<Doorbell> doorbell);

  Result<void> OpenSocket();
  Result<void> OpenUplink();
  Result<void> Watch(int fd, uint32_t events, bool is_new = true);

  void OnEvent(int fd, uint32_t events);
  void OnConnection();
  void OnClient(int fd, uint32_t events);
  void OnDoorbell();
  void OnTimer();
  void SetTimer(uint64_t every_ms);

  /// Carries a request out. The answer to send, which may be empty.
  std::string Answer(std::string_view line);
  std::string Carry(const SyncRequest& request);
  std::string Carry(const AddRequest& request);
  std::string Carry(const UpdateRequest& request);
  std::string Carry(const RemoveRequest& request);
  std::string Carry(const StatsRequest& request);
  std::string SaveRegistry();
  /// Takes the events that have come. Once a sample: until cores are granted, nobody acts on one.
  void CountEvents();
  void TellUplink(const std::string& retry_id);

  DaemonOptions options_;
  std::unique_ptr<IdleStates> idle_states_;
  std::unique_ptr<Doorbell> doorbell_;
  Registry registry_;
  HoldPolicy policy_;
  InstanceTable instances_;
  EventQueue events_;
  std::map<uint32_t, uint64_t> event_counts_;  // by an instance's number; of those registered
  std::unique_ptr<Uplink> uplink_;             // null: none wanted
  uint64_t started_ns_;                        // monotonic
  bool is_stopping_ = false;
  UniqueFd lock_;
  UniqueFd epoll_;
  UniqueFd signals_;
  UniqueFd timer_;
  UniqueFd listener_;
  std::map<int, LineConnection> clients_;
};

}  // namespace junction::scheduler
