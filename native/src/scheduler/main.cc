// SPDX-License-Identifier: Apache-2.0
// junction_scheduler: the scheduler daemon of a stack, run by scheduler-monitor.
#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "scheduler/daemon.h"
#include "scheduler/daemon_options.h"

namespace {

int Fail(const std::string& message) {
  std::fprintf(stderr, "junction_scheduler: %s\n", message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace junction::scheduler;
  const auto options = ParseDaemonOptions(std::vector<std::string>(argv + 1, argv + argc));
  if (!options) {
    for (const std::string& fault : options.error()) {
      Fail(fault);
    }
    return 2;
  }
  if (options->wants_help) {
    std::fputs(DaemonHelp().c_str(), stdout);
    return 0;
  }
  if (options->is_restore_only) {
    const auto restored = RestoreIdleStates(options->idle_states.paths);
    const auto removed = RestoreUplink(options->uplink);
    const int failed = restored ? 0 : Fail(restored.error().message);
    return removed ? failed : Fail(removed.error().message);
  }
  if (options->ends_with_parent && prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0) {
    return Fail("the parent's end cannot be watched");
  }
  signal(SIGPIPE, SIG_IGN);  // an instance's event pipe may have nobody at its other end
  auto daemon = Daemon::Open(*options);
  if (!daemon) {
    return Fail(daemon.error().message);
  }
  const auto served = (*daemon)->Run();
  return served ? 0 : Fail(served.error().message);
}
