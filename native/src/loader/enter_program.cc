// SPDX-License-Identifier: Apache-2.0
// The last steps before a guest's first instruction. Read first: System V ABI AMD64 supplement 3.4 (process initialisation),
// getauxval(3), Linux's create_elf_tables (fs/binfmt_elf.c).
#include "loader/enter_program.h"

#include <asm/prctl.h>
#include <elf.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <csignal>

#include "kernel/door/loader_hooks.h"
#include "kernel/guest/guest_path.h"
#include "kernel/memory/memory.h"
#include "loader/image_patcher.h"
#include "loader/load_program.h"
#include "uthread/host_call.h"
#include "uthread/panic.h"
#include "uthread/vdso.h"

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

constexpr size_t kAuxPairs = 24;
constexpr uint32_t kRseqSignature = 0x53053053;  // the one that glibc registers with on x86
constexpr uint64_t kRseqArea_bytes = 32;
constexpr uint64_t kRseqUnregister = 1;
constexpr char kPlatform[] = "x86_64";

LoadedProgram g_program;

size_t Count(const char* const* texts) {
  size_t count = 0;
  while (texts[count] != nullptr) {
    ++count;
  }
  return count;
}

// Small things that the auxiliary vector points to, above the pointers.
struct StackTexts {
  uint64_t random[2];
  char platform[8];
  char as_given[PATH_MAX];
};

class AuxWriter {
 public:
  explicit AuxWriter(uint64_t* to) : to_(to) {}
  void Add(uint64_t type, uint64_t value) {
    KERNEL_CHECK(pairs_ < kAuxPairs);
    ++pairs_;
    *to_++ = type;
    *to_++ = value;
  }

 private:
  uint64_t* to_;
  size_t pairs_ = 0;
};

void WriteAuxv(uint64_t* to, const HostAuxv& host, const StackTexts& texts) {
  AuxWriter aux(to);
  if (host.vdso != 0) {
    aux.Add(AT_SYSINFO_EHDR, host.vdso);
  }
  aux.Add(AT_HWCAP, host.hwcap);
  aux.Add(AT_PAGESZ, 4096);
  aux.Add(AT_CLKTCK, host.clock_ticks);
  aux.Add(AT_PHDR, g_program.headers);
  aux.Add(AT_PHENT, sizeof(Elf64_Phdr));
  aux.Add(AT_PHNUM, g_program.header_count);
  aux.Add(AT_BASE, g_program.interpreter_base);
  aux.Add(AT_FLAGS, 0);
  aux.Add(AT_ENTRY, g_program.entry);
  aux.Add(AT_UID, host.uid);
  aux.Add(AT_EUID, host.euid);
  aux.Add(AT_GID, host.gid);
  aux.Add(AT_EGID, host.egid);
  aux.Add(AT_SECURE, 0);
  aux.Add(AT_RANDOM, reinterpret_cast<uint64_t>(texts.random));
  aux.Add(AT_HWCAP2, host.hwcap2);
  aux.Add(AT_EXECFN, reinterpret_cast<uint64_t>(texts.as_given));
  aux.Add(AT_PLATFORM, reinterpret_cast<uint64_t>(texts.platform));
  if (host.min_signal_stack != 0) {
    aux.Add(AT_MINSIGSTKSZ, host.min_signal_stack);
  }
  if (host.rseq_size != 0) {
    aux.Add(AT_RSEQ_FEATURE_SIZE, host.rseq_size);
    aux.Add(AT_RSEQ_ALIGN, host.rseq_align);
  }
  aux.Add(AT_NULL, 0);
}

// Lays out argc, argv, envp and auxv from `stack` upwards.
void WritePointers(uint64_t* stack, size_t argc, size_t envc, const EnterSpec& spec, const HostAuxv& host,
                   const StackTexts& texts) {
  uint64_t* to = stack;
  *to++ = argc;
  for (size_t i = 0; i <= argc; ++i) {
    *to++ = reinterpret_cast<uint64_t>(spec.argv[i]);
  }
  for (size_t i = 0; i <= envc; ++i) {
    *to++ = reinterpret_cast<uint64_t>(spec.envp[i]);
  }
  WriteAuxv(to, host, texts);
}

// Makes /proc/self/cmdline, environ and auxv show the guest's. Best effort: needs a host with checkpoint/restore compiled in.
void TellHostAboutStack(const EnterSpec& spec, uint64_t* stack, size_t argc, size_t envc) {
  if (!spec.strings_are_contiguous || argc == 0) {
    return;
  }
  const auto end_of = [](const char* text) { return reinterpret_cast<uint64_t>(text) + TextLength(text) + 1; };
  const uint64_t brk = static_cast<uint64_t>(HostCall(SYS_brk, 0));
  struct prctl_mm_map map = {};
  map.start_code = 0x70000000;
  map.end_code = map.start_code + 4096;
  map.start_data = map.end_code;
  map.end_data = map.start_data;
  map.start_brk = brk;
  map.brk = brk;
  map.start_stack = reinterpret_cast<uint64_t>(stack);
  map.arg_start = reinterpret_cast<uint64_t>(spec.argv[0]);
  map.arg_end = end_of(spec.argv[argc - 1]);
  map.env_start = envc > 0 ? reinterpret_cast<uint64_t>(spec.envp[0]) : map.arg_end;
  map.env_end = envc > 0 ? end_of(spec.envp[envc - 1]) : map.arg_end;
  map.auxv = reinterpret_cast<decltype(map.auxv)>(stack + 1 + argc + 1 + envc + 1);
  map.auxv_size = kAuxPairs * 16;
  map.exe_fd = static_cast<uint32_t>(-1);
  HostCall(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

// comm, as execve sets it.
void NameThread(const char* path) {
  const char* name = path;
  for (const char* at = path; *at != '\0'; ++at) {
    if (*at == '/') {
      name = at + 1;
    }
  }
  char* const to = CurrentThread().name;
  const size_t room = sizeof(CurrentThread().name) - 1;
  const size_t length = TextLength(name) < room ? TextLength(name) : room;
  __builtin_memcpy(to, name, length);
  to[length] = '\0';
  HostCall(SYS_prctl, PR_SET_NAME, to, 0, 0, 0);
}

// What the host has put there and the guest will look for in its list of mappings.
void RecordHostMappings(const HostAuxv& host, const uint64_t* stack) {
  constexpr uint64_t kPage_bytes = 4096;
  constexpr uint64_t kStackRoom_bytes = 128 * 1024;  // as Linux expands a new stack
  constexpr uint64_t kVdso_bytes = 2 * kPage_bytes;
  const KernelLockGuard lock;
  AddressSpace& memory = *CurrentProcess().memory;
  const uint64_t stack_low = (reinterpret_cast<uint64_t>(stack) - kStackRoom_bytes) & ~(kPage_bytes - 1);
  RecordMapping(memory, stack_low, host.stack_end - stack_low, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0, "[stack]");
  if (host.vdso != 0) {
    RecordMapping(memory, host.vdso, kVdso_bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, -1, 0, "[vdso]");
  }
}

// The vDSO's getcpu tells the host's CPUs, which may be more than the guest sees: programs with a slot for each CPU would write past the
// last. Without it libraries make the call, which is patched and knows better.
void HideHostCpus(const HostAuxv& host) {
  if (host.vdso != 0) {
    HideVdsoFunction(host.vdso,
                     "__vdso_getcpu");  // where the host does not let us the guest sees the host's, as the README says
  }
}

// Nothing of our own libc may stay known to the host, or it would write into its memory later.
void ForgetOwnThread(const HostAuxv& host) {
  if (!host.has_libc) {
    return;
  }
  if (host.rseq_address != 0) {
    HostCall(SYS_rseq, host.rseq_address, kRseqArea_bytes, kRseqUnregister, kRseqSignature);
  }
  HostCall(SYS_set_robust_list, nullptr, 24);
  HostCall(SYS_set_tid_address, nullptr);
  HostCall(SYS_arch_prctl, ARCH_SET_FS, 0);
}

}  // namespace

int64_t EnterProgram(const EnterSpec& spec, const HostAuxv& host) {
  // The kernel keeps its kthread in GS and changes FS with each uthread.
  constexpr uint64_t kFsgsbase = 1 << 1;  // HWCAP2_FSGSBASE of Linux' asm/hwcap2.h
  if ((host.hwcap2 & kFsgsbase) == 0) {
    KernelPanic("the host does not let programs use FSGSBASE (`./junction doctor` tells more); AT_HWCAP2", host.hwcap2);
  }
  uint64_t random[4];
  if (HostCall(SYS_getrandom, random, sizeof(random), 0) != static_cast<int64_t>(sizeof(random))) {
    return -EIO;
  }
  CopyPath(g_image.control_path, spec.control_path);
  CopyPath(g_image.plan_path, spec.plan_path);
  g_loader_hooks = {&PatchMapping, &ForgetRange, &IsTrampoline, &PlanExec};
  if (const int64_t error =
          PrepareProcess({spec.control, spec.arena_fd, spec.process, spec.signal_mask, host.vdso, spec.nic});
      error != 0) {
    KernelPanic("cannot start: the host refuses what the kernel needs; errno", static_cast<uint64_t>(-error));
  }
  HideHostCpus(host);
  if (const int64_t error = LoadProgram(spec.file, random[0], g_program); error != 0) {
    AbandonProcess();
    return error;
  }
  UProc& process = CurrentProcess();
  CopyPath(process.exe_path, g_program.path);
  process.memory->brk_start = g_program.brk_start;
  process.memory->brk_now = g_program.brk_start;
  process.memory->brk_limit = g_program.brk_limit;

  // The guest's stack goes on where ours ends: it is the host's own stack area, which grows as the guest expects.
  auto* const texts = static_cast<StackTexts*>(__builtin_alloca(sizeof(StackTexts)));
  texts->random[0] = random[1];
  texts->random[1] = random[2];
  __builtin_memcpy(texts->platform, kPlatform, sizeof(kPlatform));
  CopyPath(texts->as_given, spec.as_given);
  const size_t argc = Count(spec.argv);
  const size_t envc = Count(spec.envp);
  const size_t words = 1 + argc + 1 + envc + 1 + kAuxPairs * 2;
  auto* stack = static_cast<uint64_t*>(__builtin_alloca_with_align((words + 2) * sizeof(uint64_t), 128));
  WritePointers(stack, argc, envc, spec, host, *texts);
  TellHostAboutStack(spec, stack, argc, envc);
  NameThread(spec.as_given);
  RecordHostMappings(host, stack);
  ForgetOwnThread(host);
  StartProcess(g_program.start, reinterpret_cast<uint64_t>(stack));
}

}  // namespace junction
