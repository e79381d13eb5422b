// SPDX-License-Identifier: Apache-2.0
// junction_run: runs a program as a Junction instance.
#include <unistd.h>

#include <string>
#include <vector>

#include "base/read_file.h"
#include "kernel/process/uproc.h"
#include "loader/program.h"
#include "run/empty_namespace.h"
#include "run/guest_process.h"
#include "run/instance_run.h"
#include "run/junction_config.h"
#include "run/run_options.h"

namespace {

using junction::kOwnFailureStatus;

void Print(int fd, const std::string& text) {
  [[maybe_unused]] const ssize_t written = write(fd, text.data(), text.size());
}

void PrintFault(const std::string& text) { Print(STDERR_FILENO, "junction_run: " + text + "\n"); }

junction::Result<junction::JunctionConfig> ReadConfig(const std::string& path) {
  const auto text = junction::ReadFile(path, junction::kMaxConfigSize_bytes);
  if (!text) {
    return std::unexpected(text.error());
  }
  auto config = junction::ParseJunctionConfig(*text);
  if (config) {
    return *config;
  }
  std::string message;
  for (const auto& [line, fault] : config.error()) {
    message += (message.empty() ? "" : "\njunction_run: ") + path + ":" + std::to_string(line) + ": " + fault;
  }
  return junction::PlainError(message);
}

int Run(int argc, char** argv) {
  auto options = junction::ParseRunOptions(std::vector<std::string>(argv + 1, argv + argc));
  if (!options) {
    for (const std::string& fault : options.error()) {
      PrintFault(fault);
    }
    PrintFault("see junction_run --help");
    return kOwnFailureStatus;
  }
  if (options->wants_help) {
    Print(STDOUT_FILENO, junction::RunHelp());
    return 0;
  }
  junction::Result<int> status = 0;
  if (geteuid() != 0) {
    status = junction::PlainError("must be started as root: it makes an instance's sandbox");
  } else if (!options->make_mntns.empty()) {
    if (auto made = junction::MakeEmptyNamespace(options->make_mntns); !made) {
      status = std::unexpected(made.error());
    }
  } else if (!options->add_to.empty()) {
    status = junction::RunAddition(*options);
  } else if (auto config = ReadConfig(options->config_path); !config) {
    status = std::unexpected(config.error());
  } else {
    status = junction::RunInstance(*config, *options);
  }
  if (!status) {
    junction::RecordFailure(*options, status.error(), kOwnFailureStatus);
    return kOwnFailureStatus;
  }
  return *status;
}

}  // namespace

int main(int argc, char** argv, char** envp) {
  junction::g_image.crash_report = true;
  if (junction::IsAddedStage(argc, argv)) {
    junction::RunAddedStage(argc, argv, envp);
  }
  _exit(Run(argc, argv));  // at once: the thread that watches ports is never joined
}
