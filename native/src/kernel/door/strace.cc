// SPDX-License-Identifier: Apache-2.0
#include "kernel/door/strace.h"

#include <sys/syscall.h>

#include "kernel/door/guest_table.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/process/guest_thread.h"
#include "uthread/host_call.h"
#include "uthread/text_buffer.h"

namespace junction {
namespace {

constexpr size_t kTextShown_bytes = 64;
using Line = TextBuffer<640>;

void AddText(Line& line, uint64_t address) {
  char text[kTextShown_bytes + 1];
  const int64_t length = CopyTextFromGuest(text, address, sizeof(text));
  if (length < 0 && length != -ENAMETOOLONG) {
    line.AddHex(address);
    return;
  }
  const size_t shown = length < 0 ? kTextShown_bytes : static_cast<size_t>(length);
  line.AddChar('"');
  for (size_t i = 0; i < shown; ++i) {
    line.AddChar(text[i] >= ' ' && text[i] < 0x7f ? text[i] : '.');
  }
  line.AddChar('"');
  if (length < 0) {
    line.Add("...");
  }
}

void AddArgument(Line& line, char kind, uint64_t value) {
  switch (kind) {
    case 'd':
      line.AddSigned(static_cast<int32_t>(value));
      return;
    case 'u':
      line.AddUnsigned(value);
      return;
    case 'o':
      line.AddChar('0').AddUnsigned(value & 0xffffffff, 8);
      return;
    case 's':
      AddText(line, value);
      return;
    default:
      line.AddHex(value);
  }
}

void StartLine(Line& line, const GuestThread& thread) {
  const auto number = static_cast<uint32_t>(thread.syscall_number);
  line.AddChar('[').AddSigned(thread.tid).Add("] ");
  if (kGuestTable[number].name != nullptr) {
    line.Add(kGuestTable[number].name);
  } else {
    line.Add("syscall_").AddUnsigned(number);
  }
}

void Print(Line& line) {
  line.AddChar('\n');
  HostCall(SYS_write, 2, line.data(), line.size());
}

}  // namespace

void TraceCall(const GuestThread& thread) {
  Line line;
  StartLine(line, thread);
  const auto number = static_cast<uint32_t>(thread.syscall_number);
  const char* kinds = kGuestTable[number].name != nullptr ? kGuestTable[number].arguments : "xxxxxx";
  line.AddChar('(');
  for (int i = 0; kinds[i] != '\0'; ++i) {
    if (i > 0) {
      line.Add(", ");
    }
    AddArgument(line, kinds[i], thread.frame.arg(i));
  }
  line.AddChar(')');
  Print(line);
}

void TraceResult(const GuestThread& thread, int64_t result) {
  Line line;
  StartLine(line, thread);
  line.Add(" = ");
  if (result > -4096 && result < 1 << 20) {
    line.AddSigned(result);
  } else {
    line.AddHex(static_cast<uint64_t>(result));
  }
  Print(line);
}

}  // namespace junction
