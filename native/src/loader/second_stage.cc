// SPDX-License-Identifier: Apache-2.0
// The second half of a guest execve: the host has executed junction_run again, the arena is open in a descriptor, and argv is as
// kernel/process/exec_stage.h draws it. No libc was started in this process, nor will be: host calls only, from the first instruction on.
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cerrno>

#include "base/control_block.h"
#include "kernel/guest/guest_path.h"
#include "kernel/process/exec_stage.h"
#include "loader/enter_program.h"
#include "loader/file_view.h"
#include "uthread/address_map.h"
#include "uthread/host_call.h"
#include "uthread/text_buffer.h"

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif
#ifndef AT_RSEQ_ALIGN
#define AT_RSEQ_ALIGN 28
#endif
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

namespace junction {
namespace {

constexpr uint64_t kNotRunnableStatus = 126;  // as shells have it

[[noreturn]] void Fail(const char* path, int64_t error) {
  TextBuffer<PATH_MAX + 80> line;
  line.Add("junction_run: ").Add(path).Add(": ");
  if (error == -ENOEXEC) {
    line.Add("not a program that can be loaded (x86-64 ELF or #!)\n");
  } else {
    line.Add("cannot be loaded, errno ").AddUnsigned(static_cast<uint64_t>(-error)).AddChar('\n');
  }
  HostCall(SYS_write, 2, line.data(), line.size());
  while (true) {
    HostCall(SYS_exit_group, kNotRunnableStatus);
  }
}

uint64_t ParseNumber(const char* text, uint64_t base) {
  uint64_t number = 0;
  for (; *text != '\0'; ++text) {
    const char digit = *text;
    number = number * base + static_cast<uint64_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
  }
  return number;
}

bool IsSame(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}

HostAuxv ReadHostAuxv(const uint64_t* pairs) {
  HostAuxv auxv = {};
  const char* file_name = "";
  for (; pairs[0] != AT_NULL; pairs += 2) {
    const uint64_t value = pairs[1];
    switch (pairs[0]) {
      case AT_SYSINFO_EHDR:
        auxv.vdso = value;
        break;
      case AT_HWCAP:
        auxv.hwcap = value;
        break;
      case AT_HWCAP2:
        auxv.hwcap2 = value;
        break;
      case AT_CLKTCK:
        auxv.clock_ticks = value;
        break;
      case AT_MINSIGSTKSZ:
        auxv.min_signal_stack = value;
        break;
      case AT_UID:
        auxv.uid = value;
        break;
      case AT_EUID:
        auxv.euid = value;
        break;
      case AT_GID:
        auxv.gid = value;
        break;
      case AT_EGID:
        auxv.egid = value;
        break;
      case AT_RSEQ_FEATURE_SIZE:
        auxv.rseq_size = value;
        break;
      case AT_RSEQ_ALIGN:
        auxv.rseq_align = value;
        break;
      case AT_EXECFN:
        file_name = reinterpret_cast<const char*>(value);
        break;
      default:
        break;
    }
  }
  auxv.stack_end = StackEnd(file_name);
  return auxv;
}

ControlBlock* MapControl(const char* path) {
  const HostFd fd(HostCall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0));
  const int64_t block = fd.error() != 0
                            ? fd.error()
                            : HostCall(SYS_mmap, kControlBlockAddress, kControlBlockSize_bytes, PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_FIXED_NOREPLACE, fd.get(), 0);
  if (IsHostError(block)) {
    Fail(path, block);
  }
  return reinterpret_cast<ControlBlock*>(block);
}

}  // namespace

// By second_stage_start.S; returns if the process is not a second stage.
extern "C" void junction_second_stage(const uint64_t* stack) {
  const uint64_t argc = stack[0];
  const auto* const argv = reinterpret_cast<const char* const*>(stack + 1);
  if (argc <= static_cast<uint64_t>(kStageGuestArguments) || !IsSame(argv[kStageName], kSecondStageName)) {
    return;
  }
  const char* const* const envp = argv + argc + 1;
  const char* const* after = envp;
  while (*after != nullptr) {
    ++after;
  }
  const EnterSpec spec = {argv[kStageFile],
                          argv[kStageFileAsGiven],
                          argv + kStageGuestArguments,
                          envp,
                          MapControl(argv[kStageControlPath]),
                          argv[kStageControlPath],
                          argv[kStagePlanPath],
                          static_cast<int>(ParseNumber(argv[kStageArenaFd], 10)),
                          reinterpret_cast<UProc*>(ParseNumber(argv[kStageProcess], 16)),
                          0,
                          true};
  Fail(spec.file, EnterProgram(spec, ReadHostAuxv(reinterpret_cast<const uint64_t*>(after + 1))));
}

}  // namespace junction
