// SPDX-License-Identifier: Apache-2.0
#include "kernel/door/syscalls_document.h"

#include <algorithm>
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

constexpr const char* kHost = "host";
constexpr const char* kFull = "full";
constexpr const char* kPartial = "partial";
constexpr const char* kStub = "stub";
constexpr const char* kEnosys = "enosys";
constexpr const char* kDenied = "denied";

const std::vector<Row>& Rows() {
  static const std::vector<Row> rows = {
#define HOST(number, name, arguments, note) {number, #name, kHost, note},
#define HOST_FD(number, name, index, error, arguments, note) {number, #name, kHost, note},
#define FAST(number, name, level, handler, arguments, note) {number, #name, level, note},
#define KERNEL(number, name, level, handler, arguments, note) {number, #name, level, note},
#define MISSING(number, name, arguments, note) {number, #name, kEnosys, note},
#define DENIED(number, name, arguments, note) {number, #name, kDenied, note},
#include "kernel/door/guest_syscalls.inc"
#undef HOST
#undef HOST_FD
#undef FAST
#undef KERNEL
#undef MISSING
#undef DENIED
  };
  return rows;
}

constexpr const char* kHead = R"(# Guest syscalls

Made from `native/src/kernel/door/guest_syscalls.inc` by `syscalls_document`; do not edit. What a program in an instance gets from each
syscall of Linux x86-64. A number that is not in the table answers ENOSYS.

)";

using Cells = std::vector<std::string>;

// A table with aligned columns, as the repository's formatter has it. The first row is the head.
std::string RenderTable(const std::vector<Cells>& rows) {
  std::vector<size_t> widths(rows[0].size());
  for (const Cells& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  const auto add = [&](const Cells& row) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += "| " + row[i] + std::string(widths[i] - row[i].size() + 1, ' ');
    }
    text += "|\n";
  };
  for (size_t i = 0; i < rows.size(); ++i) {
    add(rows[i]);
    if (i == 0) {
      Cells rule;
      for (const size_t width : widths) {
        rule.emplace_back(width, '-');
      }
      add(rule);
    }
  }
  return text;
}

}  // namespace

std::string RenderSyscallsDocument() {
  std::map<std::string, int> counts;
  std::vector<Cells> calls = {{"number", "name", "level", "note"}};
  for (const Row& row : Rows()) {
    ++counts[row.level];
    calls.push_back({std::to_string(row.number), row.name, row.level, row.note});
  }
  const auto count = [&](const char* level) { return std::to_string(counts[level]); };
  const std::vector<Cells> levels = {
      {"level", "calls", "meaning"},
      {kHost, count(kHost), "goes to the host as it is; the host's filter (docs/host-syscalls.md) has the last word"},
      {kFull, count(kFull), "answered by the Junction kernel as Linux would"},
      {kPartial, count(kPartial), "answered, but not all of it: see the note"},
      {kStub, count(kStub), "accepted, without an effect"},
      {kEnosys, count(kEnosys), "ENOSYS, as on a Linux without it"},
      {kDenied, count(kDenied), "EPERM"},
  };
  return kHead + RenderTable(levels) + "\n" + RenderTable(calls);
}

}  // namespace junction
