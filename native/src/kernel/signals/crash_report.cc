// SPDX-License-Identifier: Apache-2.0
// What a function's log says about a crash, where a core file is of no use to anybody. One write, so that lines of others do not mix in.
#include "kernel/signals/crash_report.h"

#include <sys/syscall.h>

#include "kernel/files/file.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/memory/vma.h"
#include "kernel/process/uproc.h"
#include "kernel/signals/signal_sets.h"
#include "uthread/address_map.h"
#include "uthread/host_call.h"
#include "uthread/text_buffer.h"

namespace junction {
namespace {

using Report = TextBuffer<3072>;

constexpr int kMostFrames = 16;
constexpr int kErrorFd = 2;

const char* SignalName(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGILL:
      return "SIGILL";
    case SIGFPE:
      return "SIGFPE";
    case SIGTRAP:
      return "SIGTRAP";
    case SIGSYS:
      return "SIGSYS";
    default:
      return "SIGABRT";
  }
}

// The last part of the name: the whole path is long and the program's own is told anyway.
void AddName(Report& report, const MappedObject& object) {
  uint32_t start = object.name_size_bytes;
  while (start > 0 && object.name()[start - 1] != '/') {
    --start;
  }
  for (uint32_t i = start; i < object.name_size_bytes; ++i) {
    report.AddChar(object.name()[i]);
  }
}

// What an address belongs to: `libc.so.6+0x271ab`, as an offset in the file.
void AddPlace(Report& report, const AddressSpace& space, uint64_t address) {
  if (address >= kKernelAreaLow && address < kKernelAreaHigh) {
    report.Add(" (memory of the Junction kernel)");
    return;
  }
  const Vma* const vma = FindVma(space, address);
  if (vma == nullptr) {
    report.Add(" (nothing mapped there)");
  } else if (vma->object == nullptr || vma->object->name_size_bytes == 0) {
    report.Add(" (anonymous memory)");
  } else {
    report.Add(" (");
    AddName(report, *vma->object);
    report.AddChar('+').AddHex(address - vma->start + vma->offset).AddChar(')');
  }
}

void AddCause(Report& report, const GuestThread& thread, const siginfo_t& info) {
  const UProc& process = *thread.process;
  report.Add("junction: ").Add(process.exe_path).Add(" (process ").AddSigned(process.pid);
  report.Add(", thread ").AddSigned(thread.tid).Add(" \"").Add(thread.name).Add("\") died of ");
  report.Add(SignalName(info.si_signo)).Add(", code ").AddSigned(info.si_code);
  if (info.si_code <= 0) {
    report.Add(", sent by process ").AddSigned(info.si_pid);
  } else if (IsIn(info.si_signo, kSynchronousSignals)) {
    const auto address = reinterpret_cast<uint64_t>(info.si_addr);
    report.Add(", address ").AddHex(address);
    if (info.si_code != SI_KERNEL) {
      AddPlace(report, *process.memory, address);
    }
  }
  report.Add("\njunction:   at ").AddHex(thread.frame.rip);
  AddPlace(report, *process.memory, thread.frame.rip);
  report.AddChar('\n');
}

struct NamedRegister {
  const char* name;
  uint64_t GuestFrame::* value;
};
constexpr NamedRegister kRegisters[] = {
    {"rip", &GuestFrame::rip}, {"rsp", &GuestFrame::rsp}, {"rbp", &GuestFrame::rbp}, {"rflags", &GuestFrame::rflags},
    {"rax", &GuestFrame::rax}, {"rbx", &GuestFrame::rbx}, {"rcx", &GuestFrame::rcx}, {"rdx", &GuestFrame::rdx},
    {"rsi", &GuestFrame::rsi}, {"rdi", &GuestFrame::rdi}, {"r8", &GuestFrame::r8},   {"r9", &GuestFrame::r9},
    {"r10", &GuestFrame::r10}, {"r11", &GuestFrame::r11}, {"r12", &GuestFrame::r12}, {"r13", &GuestFrame::r13},
    {"r14", &GuestFrame::r14}, {"r15", &GuestFrame::r15},
};

void AddRegisters(Report& report, const GuestFrame& frame) {
  int in_line = 0;
  for (const NamedRegister& reg : kRegisters) {
    report.Add(in_line == 0 ? "junction:   " : " ").Add(reg.name).AddChar('=').AddHex(frame.*reg.value);
    if (++in_line == 6) {
      report.AddChar('\n');
      in_line = 0;
    }
  }
}

// Along the frame pointers: right where the program keeps them, else short.
void AddBacktrace(Report& report, const GuestThread& thread) {
  uint64_t at = thread.frame.rbp;
  for (int i = 0; i < kMostFrames; ++i) {
    uint64_t link[2];  // the caller's rbp, the return address
    if (at % 8 != 0 || !CopyFromGuest(link, at, sizeof(link)) || link[1] == 0) {
      break;
    }
    report.Add("junction:   called from ").AddHex(link[1]);
    AddPlace(report, *thread.process->memory, link[1]);
    report.AddChar('\n');
    if (link[0] <= at) {
      break;
    }
    at = link[0];
  }
}

}  // namespace

void ReportCrash(GuestThread& thread, const siginfo_t& info) {
  const File* const file = GetFile(kErrorFd);
  if (!TheInstance().has_crash_reports || file == nullptr || file->is_virtual()) {
    return;
  }
  Report report;
  AddCause(report, thread, info);
  AddRegisters(report, thread.frame);
  AddBacktrace(report, thread);
  const KernelUnlockGuard unlocked;
  HostCall(SYS_write, kErrorFd, report.data(), report.size());
}

}  // namespace junction
