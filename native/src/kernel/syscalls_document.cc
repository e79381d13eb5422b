// SPDX-License-Identifier: Apache-2.0
#include "kernel/syscalls_document.h"

#include <map>
#include <vector>

namespace junction {
namespace {

struct Row {
  int number;
  const char* name;
  const char* level;
  const char* note;
};

constexpr const char* kPass = "pass";
constexpr const char* kChecked = "checked";
constexpr const char* kEmulated = "emulated";
constexpr const char* kPartial = "partial";
constexpr const char* kEnosys = "enosys";
constexpr const char* kDenied = "denied";

const std::vector<Row>& Rows() {
  static const std::vector<Row> rows = {
#define PASS(number, name, arguments, note) {number, #name, kPass, note},
#define CHECKED(number, name, check, handler, arguments, note) {number, #name, kChecked, note},
#define EMULATED(number, name, level, handler, arguments, note) {number, #name, level, note},
#define MISSING(number, name, arguments, note) {number, #name, kEnosys, note},
#define DENIED(number, name, arguments, note) {number, #name, kDenied, note},
#include "kernel/guest_syscalls.inc"
#undef PASS
#undef CHECKED
#undef EMULATED
#undef MISSING
#undef DENIED
  };
  return rows;
}

constexpr const char* kHead = R"(# Guest syscalls

Made from `native/src/kernel/guest_syscalls.inc` by `syscalls_document`; do not edit. What a program in an instance gets from each
syscall of Linux x86-64. A number that is not in the table answers ENOSYS.

| level | meaning |
| --- | --- |
| pass | goes to the host as it is; the host's filter (docs/host-syscalls.md) has the last word |
| checked | passes, but for the cases that the note names |
| emulated | answered by the Junction kernel as Linux would |
| partial | answered, but not all of it: see the note |
| enosys | ENOSYS, as on a Linux without it |
| denied | EPERM |

)";

}  // namespace

std::string RenderSyscallsDocument() {
  std::string text = kHead;
  std::map<std::string, int> counts;
  for (const Row& row : Rows()) {
    ++counts[row.level];
  }
  for (const char* level : {kPass, kChecked, kEmulated, kPartial, kEnosys, kDenied}) {
    text += std::string(level) + ": " + std::to_string(counts[level]) + (level == kDenied ? ".\n\n" : ", ");
  }
  text += "| number | name | level | note |\n| --- | --- | --- | --- |\n";
  for (const Row& row : Rows()) {
    text += "| " + std::to_string(row.number) + " | " + row.name + " | " + row.level + " | " + row.note + " |\n";
  }
  return text;
}

}  // namespace junction
