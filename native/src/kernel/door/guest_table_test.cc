// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "kernel/door/guest_table_size.h"
#include "kernel/door/syscalls_document.h"

namespace junction {
namespace {

struct Row {
  int number;
  std::string name;
  std::string arguments;
  std::string note;
  bool is_denied;
  int host_number;  // what <sys/syscall.h> says, for the rows that it knows
};

#define HOST(number, name, arguments, note) {number, #name, arguments, note, false, number},
#define HOST_FD(number, name, index, error, arguments, note) {number, #name, arguments, note, false, number},
#define FAST(number, name, level, handler, arguments, note) {number, #name, arguments, note, false, SYS_##name},
#define KERNEL(number, name, level, handler, arguments, note) {number, #name, arguments, note, false, SYS_##name},
#define MISSING(number, name, arguments, note) {number, #name, arguments, note, false, number},
#define DENIED(number, name, arguments, note) {number, #name, arguments, note, true, SYS_##name},
const std::vector<Row> kRows = {
#include "kernel/door/guest_syscalls.inc"
};

TEST(GuestTable, HasAscendingNumbersThatFit) {
  int previous = -1;
  for (const Row& row : kRows) {
    EXPECT_GT(row.number, previous) << row.name;
    EXPECT_LT(row.number, GUEST_TABLE_ROWS - 1) << row.name;
    EXPECT_EQ(row.number, row.host_number) << row.name;
    previous = row.number;
  }
}

TEST(GuestTable, HasEachNameOnce) {
  std::set<std::string> names;
  for (const Row& row : kRows) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
  }
}

TEST(GuestTable, DescribesArgumentsByKnownLetters) {
  for (const Row& row : kRows) {
    EXPECT_LE(row.arguments.size(), 6U) << row.name;
    EXPECT_EQ(row.arguments.find_first_not_of("duxops"), std::string::npos) << row.name;
  }
}

TEST(GuestTable, DeniesWhatWouldBreakOutOrTakeTheNetAway) {
  std::set<std::string> denied;
  for (const Row& row : kRows) {
    if (row.is_denied) {
      denied.insert(row.name);
    }
  }
  for (const char* name :
       {"mount", "umount2", "pivot_root", "chroot", "ptrace", "bpf", "perf_event_open", "kexec_load", "init_module",
        "keyctl", "setns", "unshare", "userfaultfd", "seccomp", "process_vm_writev", "open_by_handle_at"}) {
    EXPECT_TRUE(denied.contains(name)) << name;
  }
}

TEST(GuestTable, IsTheOneInTheDocument) {
  std::ifstream file(JUNCTION_DOCS_DIR "/syscalls.md");
  const std::string document(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(document, RenderSyscallsDocument()) << "run: syscalls_document > docs/syscalls.md";
}

}  // namespace
}  // namespace junction
