// SPDX-License-Identifier: Apache-2.0
// The side of the loader that may use libc: it ends where EnterProgram begins.
#include "loader/program.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/addition_protocol.h"
#include "base/request_protocol.h"
#include "base/unique_fd.h"
#include "kernel/door/loader_hooks.h"
#include "kernel/process/exec_stage.h"
#include "loader/enter_program.h"
#include "loader/load_program.h"
#include "uthread/address_map.h"

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif
#ifndef AT_RSEQ_ALIGN
#define AT_RSEQ_ALIGN 28
#endif

namespace junction {
namespace {

constexpr int kNotFoundStatus = 127;  // as shells have it
constexpr int kNotRunnableStatus = 126;

ExecPlan g_plan;

bool IsNotFound(int64_t error) { return error == -ENOENT || error == -ENOTDIR; }

[[noreturn]] void Fail(const std::string& path, int64_t error) {
  const int code = static_cast<int>(-error);
  const char* const reason = code == ENOEXEC ? "not a program that can be loaded (x86-64 ELF or #!)" : strerror(code);
  dprintf(STDERR_FILENO, "junction_run: %s: %s\n", path.c_str(), reason);
  _exit(IsNotFound(error) ? kNotFoundStatus : kNotRunnableStatus);
}

HostAuxv ReadHostAuxv() {
  HostAuxv auxv = {};
  auxv.vdso = getauxval(AT_SYSINFO_EHDR);
  auxv.hwcap = getauxval(AT_HWCAP);
  auxv.hwcap2 = getauxval(AT_HWCAP2);
  auxv.clock_ticks = getauxval(AT_CLKTCK);
  auxv.min_signal_stack = getauxval(AT_MINSIGSTKSZ);
  auxv.uid = getuid();
  auxv.euid = geteuid();
  auxv.gid = getgid();
  auxv.egid = getegid();
  auxv.rseq_size = getauxval(AT_RSEQ_FEATURE_SIZE);
  auxv.rseq_align = getauxval(AT_RSEQ_ALIGN);
  auxv.stack_end = StackEnd(reinterpret_cast<const char*>(getauxval(AT_EXECFN)));
  auxv.has_libc = true;
  if (__rseq_size != 0) {
    auxv.rseq_address = reinterpret_cast<uint64_t>(__builtin_thread_pointer()) + static_cast<uint64_t>(__rseq_offset);
  }
  return auxv;
}

// execvp's search: a name without a slash is looked up in PATH; the first that exists and is executable counts.
std::string FindInPath(const std::string& name, const std::vector<std::string>& env) {
  if (name.empty() || name.find('/') != std::string::npos) {
    return name;
  }
  std::string search = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const std::string& entry : env) {
    if (entry.starts_with("PATH=")) {
      search = entry.substr(5);
    }
  }
  for (size_t at = 0; at <= search.size();) {
    const size_t end = std::min(search.find(':', at), search.size());
    const std::string folder = search.substr(at, end - at);
    const std::string candidate = (folder.empty() ? "." : folder) + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
    at = end + 1;
  }
  return name;
}

// Copies the strings into one block, in order, as the host would lay them out; never freed.
std::vector<const char*> LayOut(const std::vector<std::string>& texts, char*& to) {
  std::vector<const char*> pointers;
  for (const std::string& text : texts) {
    pointers.push_back(to);
    std::memcpy(to, text.c_str(), text.size() + 1);
    to += text.size() + 1;
  }
  pointers.push_back(nullptr);
  return pointers;
}

size_t TotalSize(const std::vector<std::string>& texts) {
  size_t total = 0;
  for (const std::string& text : texts) {
    total += text.size() + 1;
  }
  return total;
}

std::vector<std::string> ArgumentsOf(const ProgramSpec& spec) {
  if (!g_plan.is_script) {
    return spec.argv.empty() ? std::vector<std::string>{""} : spec.argv;
  }
  std::vector<std::string> argv;
  const char* argument = g_plan.interpreter_args;
  for (uint32_t i = 0; i < g_plan.interpreter_arg_count; ++i) {
    argv.emplace_back(argument);
    argument += argv.back().size() + 1;
  }
  argv.emplace_back(g_plan.script);
  argv.insert(argv.end(), spec.argv.begin() + (spec.argv.empty() ? 0 : 1), spec.argv.end());
  return argv;
}

// Where all kernel objects will live. Sparse: pages come as they are used.
int MakeArena() {
  const int fd = static_cast<int>(syscall(SYS_memfd_create, "junction-arena", 0));
  if (fd < 0 || ftruncate(fd, static_cast<off_t>(kArenaSize_bytes)) != 0) {
    dprintf(STDERR_FILENO, "junction_run: arena: %s\n", strerror(errno));
    _exit(kNotRunnableStatus);
  }
  return fd;
}

uint64_t CurrentMask() {
  sigset_t set;
  sigprocmask(SIG_BLOCK, nullptr, &set);
  uint64_t mask;
  std::memcpy(&mask, &set, sizeof(mask));
  return mask;
}

ControlBlock* MapControl(const char* path) {
  const UniqueFd fd(open(path, O_RDWR | O_CLOEXEC));
  if (!fd.valid()) {
    return nullptr;
  }
  void* const block = mmap(nullptr, kControlBlockSize_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  return block == MAP_FAILED ? nullptr : static_cast<ControlBlock*>(block);
}

std::vector<std::string> ToVector(char** texts) {
  std::vector<std::string> all;
  for (; *texts != nullptr; ++texts) {
    all.emplace_back(*texts);
  }
  return all;
}

// Finds out what is to be loaded for `path`: g_plan. 0 or -errno.
int64_t PlanProgram(const std::string& path) {
  if (path.empty() || path.size() >= sizeof(g_plan.file)) {
    return path.empty() ? -ENOENT : -ENAMETOOLONG;
  }
  std::strcpy(g_plan.file, path.c_str());
  std::strcpy(g_plan.as_given, path.c_str());
  return PlanExec(&g_plan);
}

// Enters what was planned, as the first program of the instance (`process` is null) or of a process that was added.
[[noreturn]] void EnterPlanned(const ProgramSpec& spec, const std::string& path, int arena_fd, UProc* process) {
  const std::vector<std::string> argv = ArgumentsOf(spec);
  char* strings = static_cast<char*>(alloca(TotalSize(argv) + TotalSize(spec.env)));
  const std::vector<const char*> argv_pointers = LayOut(argv, strings);
  const std::vector<const char*> env_pointers = LayOut(spec.env, strings);
  const int64_t error = EnterProgram(
      {g_plan.file, g_plan.as_given, argv_pointers.data(), env_pointers.data(), spec.control, spec.control_path.c_str(),
       spec.plan_path.c_str(), arena_fd, process, spec.signal_mask.value_or(CurrentMask()), true, spec.nic},
      ReadHostAuxv());
  Fail(path, error);
}

// The process of an addition is there, only its program is still to be found. Tells who asked for it, as nobody else knows of it yet.
[[noreturn]] void RunAddedProgram(const ProgramSpec& spec, int arena_fd, UProc* process, int connection) {
  const std::string path = FindInPath(spec.path, spec.env);
  const int64_t error = PlanProgram(path);
  RequestMessage message{};
  message.magic = kRequestMagic;
  message.answer = RequestAnswer::kRunning;
  message.value = getpid();
  if (error != 0) {
    message.answer = RequestAnswer::kFailed;
    message.reason = static_cast<uint32_t>(AdditionStep::kProgram);
    message.error = static_cast<int32_t>(error);
  }
  send(connection, &message, sizeof(message), MSG_NOSIGNAL);
  if (error != 0) {
    _exit(IsNotFound(error) ? kNotFoundStatus : kNotRunnableStatus);
  }
  EnterPlanned(spec, path, arena_fd, process);
}

}  // namespace

void RunProgram(const ProgramSpec& spec) {
  const std::string path = FindInPath(spec.path, spec.env);
  if (const int64_t error = PlanProgram(path); error != 0) {
    Fail(path, error);
  }
  EnterPlanned(spec, path, MakeArena(), nullptr);
}

bool IsAddedStage(int argc, char** argv) {
  return argc > kStageGuestArguments && std::strcmp(argv[0], kAddedStageName) == 0;
}

void RunAddedStage(int argc, char** argv, char** envp) {
  ControlBlock* const control = MapControl(argv[kStageControlPath]);
  if (control == nullptr) {
    dprintf(STDERR_FILENO, "junction_run: control block %s: %s\n", argv[kStageControlPath], strerror(errno));
    _exit(kNotRunnableStatus);
  }
  RunAddedProgram({.path = argv[kStageFile],
                   .argv = {argv + kStageGuestArguments, argv + argc},
                   .env = ToVector(envp),
                   .control = control,
                   .control_path = argv[kStageControlPath],
                   .plan_path = argv[kStagePlanPath],
                   .signal_mask = 0},
                  static_cast<int>(std::strtol(argv[kStageArenaFd], nullptr, 10)),
                  reinterpret_cast<UProc*>(std::strtoull(argv[kStageProcess], nullptr, 16)),
                  static_cast<int>(std::strtol(argv[kStageFileAsGiven], nullptr, 10)));
}

}  // namespace junction
