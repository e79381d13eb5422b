// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/control_snapshot.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "run/guest_process.h"
#include "run/instance_nic.h"
#include "run/log_writer.h"
#include "run/notifier.h"
#include "run/oom_count.h"
#include "run/status_file.h"

namespace junction {

/// What the monitor holds for its guest.
struct MonitorPlan {
  std::string instance_id;
  std::string instance_dir;  // empty: nothing is recorded
  GuestOwner owner;
  std::optional<LogWriter> log;
  UniqueFd output[2];        // read ends of the guest's stdout and stderr; both invalid in the foreground
  UniqueFd signals;          // signalfd
  int control_fd = -1;       // the control block tells of a death by signal, and how a clone ended; -1: there is none
  bool is_addition = false;  // the guest is a further program of an instance, whose own monitor is another
  OomCount oom_count;
  InstanceNic nic;  // the monitor leases its ports
  std::string links_path;
};

/// The host side of a running instance: drains the guest's output into the log, passes signals on, waits for the guest's
/// end and records it.
///
/// States: starting (the set-up's fault pipe is open) -> running -> ended. A guest that ends, in whatever state, ends it.
class Monitor {
 public:
  /// References must outlive the monitor.
  Monitor(MonitorPlan plan, const GuestProcess& guest, const Notifier& notifier);

  /// Tells that the guest's process is there. Its set-up may still go on.
  void ReportStart(uint64_t now_ns);

  /// Writes status.json, if there is a folder for it.
  void RecordStatus();

  /// Waits for the end. Returns the exit status of junction_run. Blocks.
  int WaitForEnd();

 private:
  bool PollOnce();  // false once the guest has ended
  void ReadOutput(OutputStream stream);
  void ReadFault();
  void PassSignalsOn();
  void PassOn(int number, bool is_from_terminal);
  bool IsSettingUp();
  std::optional<ControlSnapshot> ReadControl() const;
  int DeathSignal(int exit_code) const;
  int WaitStatusOfStranger() const;
  std::optional<int> ReadLastWord() const;
  GuestExit CollectExit();
  void RecordEnd(const GuestExit& exit);

  MonitorPlan plan_;
  const GuestProcess& guest_;
  const Notifier& notifier_;
  InstanceStatus status_;
  uint64_t oom_kills_before_ = 0;
  std::optional<int> last_word_;  // of a further program that has ended: its wait status as guests see it
  std::string fault_;             // what the set-up reported
  bool is_fault_pipe_open_;
  int early_signal_ = 0;  // came before there was a Junction kernel that could take it: the guest was killed instead
};

/// The "exited" event of an instance whose status has an exit; "uprocExited" of a further program.
std::string ExitedEvent(const std::string& instance_id, const InstanceStatus& status, bool is_addition);

/// The time since 1970.
uint64_t UnixTime_ns();

}  // namespace junction
