// SPDX-License-Identifier: Apache-2.0
// The door into the loader: junction_run's sandboxed child starts the first program of an instance with RunProgram. (The other one is
// the entry of the executable: each guest execve is a host exec of junction_run itself, see second_stage_start.S.)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/control_block.h"
#include "nic/nic_descriptors.h"

namespace junction {

/// All that a guest program is started from.
struct ProgramSpec {
  std::string path;                 // as typed; looked up in the PATH of `env` when it has no slash
  std::vector<std::string> argv;    // argv[0] included
  std::vector<std::string> env;     // `K=V`
  ControlBlock* control = nullptr;  // shared mapping of the instance's control block, 64 KiB; the loader may move it
  std::string
      control_path;  // absolute path, as the guest sees it, of the same control block: each execve opens it anew
  std::string
      plan_path;  // as the guest sees it: folder of read-only patch plans made outside of the sandbox; may be empty
  std::optional<uint64_t> signal_mask;  // the guest's first, bit n - 1 for signal n; none: the caller's
  const NicDescriptors* nic =
      nullptr;  // the instance's NIC, whose descriptors become the Junction kernel's; none: the host's network
};

/// Loads the program into this process and enters it with every guest syscall intercepted. The last call of the
/// sandboxed child: needs one thread, default signal dispositions and /proc; the host filter may be installed already.
/// All descriptors that are open and not close-on-exec belong to the guest from here on.
/// Never returns: a program that cannot be started prints `junction_run: <path>: <reason>` to descriptor 2 and exits
/// with 127 (not found) or 126 (found, not runnable).
[[noreturn]] void RunProgram(const ProgramSpec& spec);

/// True in a process that the Junction kernel made for a program that was added to the instance (base/addition_protocol.h), by an exec of
/// junction_run: main() must call RunAddedStage before it does anything else.
bool IsAddedStage(int argc, char** argv);

/// Looks for the program, tells who asked for it what came of that, and enters it. argv as kernel/process/exec_stage.h draws it, the environment is
/// the guest's.
[[noreturn]] void RunAddedStage(int argc, char** argv, char** envp);

}  // namespace junction
