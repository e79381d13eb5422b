// SPDX-License-Identifier: Apache-2.0
#include "run/host_syscalls_document.h"

#include <map>
#include <vector>

#include "run/host_syscalls.h"

namespace junction {
namespace {

// Rows with the same reason and limits stand in one line of the document.
std::string Rows(HostRole role) {
  struct Line {
    std::string names;
    const char* limits;
    const char* why;
  };
  std::vector<Line> lines;
  std::map<std::string, size_t> line_of;
  for (const HostSyscall& row : HostSyscalls(role)) {
    const char* limits = row.limits == nullptr ? "" : row.limits->text;
    const auto [place, is_new] = line_of.emplace(std::string(limits) + "|" + row.why, lines.size());
    if (is_new) {
      lines.push_back({"", limits, row.why});
    }
    std::string& names = lines[place->second].names;
    names += (names.empty() ? "" : " ") + std::string(row.name);
  }
  std::string text = "| calls | arguments | why |\n|---|---|---|\n";
  for (const Line& line : lines) {
    text += "| " + line.names + " | " + line.limits + " | " + line.why + " |\n";
  }
  return text;
}

}  // namespace

std::string HostSyscallsDocument() {
  std::string text =
      "# Host syscalls\n\n"
      "What the processes of an instance may ask of Linux. Generated from `native/src/run/host_syscalls.cc` by the "
      "program\n"
      "`host_syscalls_document`; a test compares the two. The seccomp filters are made from the same table: a call "
      "without\n"
      "a row answers ENOSYS, arguments outside the limits answer an error of the call's own, another architecture's "
      "call\n"
      "kills the process.\n\n";
  text += "## The guest (" + std::to_string(HostSyscalls(HostRole::kGuest).size()) + " calls)\n\n";
  text +=
      "The Junction kernel and, as nothing separates them, the guest's code in one address space. A call from any code "
      "but\n"
      "junction_run's own image kills the process. The list shrinks as the Junction kernel takes files and sockets "
      "over.\n\n";
  text += Rows(HostRole::kGuest);
  text += "\n## The monitor (" + std::to_string(HostSyscalls(HostRole::kMonitor).size()) + " calls)\n\n";
  text += "`junction_run` itself once the guest runs. It keeps CAP_KILL and no other capability.\n\n";
  text += Rows(HostRole::kMonitor);
  text +=
      "\n## Refused to the guest\n\nCalls that one may miss or fear. The list is not complete: what has no row above "
      "is refused.\n\n";
  text += "| call | why |\n|---|---|\n";
  for (const RefusedSyscall& refused : RefusedSyscalls()) {
    text += "| " + std::string(refused.name) + " | " + refused.why + " |\n";
  }
  return text;
}

}  // namespace junction
