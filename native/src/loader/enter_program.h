// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/process/uproc.h"

namespace junction {

/// What a program is given, besides itself.
struct EnterSpec {
  const char* file;         // to load
  const char* as_given;     // AT_EXECFN
  const char* const* argv;  // strings that stay where they are; ends with a null pointer
  const char* const* envp;
  ControlBlock* control;
  const char* control_path;
  const char* plan_path;
  int arena_fd;
  UProc* process;               // goes on with another program (execve); null: the first of its instance
  uint64_t signal_mask;         // of a first program
  bool strings_are_contiguous;  // argv's strings and after them envp's, as the host lays them out (/proc/self/cmdline)
  const NicDescriptors* nic = nullptr;  // of a first program
};

/// Host facts that the guest is told as they are; collected by libc code before.
struct HostAuxv {
  uint64_t vdso, hwcap, hwcap2, clock_ticks, min_signal_stack, uid, euid, gid, egid, rseq_size, rseq_align;
  bool has_libc;          // our own libc was started in this process; the next applies then
  uint64_t rseq_address;  // where it registered its rseq area, 0 = nowhere
  uint64_t stack_end;     // of the host's stack area
};

/// End of the host's stack area: the file name of AT_EXECFN is the last text there, a null word follows (setup_arg_pages, bprm_mm_init in
/// Linux' fs/exec.c).
inline uint64_t StackEnd(const char* file_name) {
  constexpr uint64_t kPage_bytes = 4096;
  while (*file_name++ != '\0') {
  }
  return (reinterpret_cast<uint64_t>(file_name) + kPage_bytes) & ~(kPage_bytes - 1);
}

/// Loads and enters the program; returns -errno only if that failed (libc, if it was started, may be used again then, for a message and
/// the exit). Uses host calls only.
int64_t EnterProgram(const EnterSpec& spec, const HostAuxv& auxv);

}  // namespace junction
