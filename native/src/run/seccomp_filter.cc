// SPDX-License-Identifier: Apache-2.0
// Read first: seccomp(2), "filter machine" in Linux' Documentation/networking/filter.rst. A jump counts from the next
// instruction and only goes forwards, so a finished piece of program can be put anywhere: the tree is made from its leaves.
#include "run/seccomp_filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "base/check.h"

namespace junction {
namespace {

constexpr size_t kMaxConditionalJump = 255;
constexpr uint32_t kX32Bit = 0x40000000;  // __X32_SYSCALL_BIT

constexpr uint32_t kAllow = SECCOMP_RET_ALLOW;
constexpr uint32_t kKill = SECCOMP_RET_KILL_PROCESS;
constexpr uint32_t Refuse(int code) { return SECCOMP_RET_ERRNO | static_cast<uint32_t>(code); }

sock_filter Load(size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)); }
sock_filter Return(uint32_t action) { return BPF_STMT(BPF_RET | BPF_K, action); }

// Little endian: the low half of a 64-bit argument comes first.
size_t ArgumentOffset(uint8_t index) { return offsetof(seccomp_data, args) + sizeof(uint64_t) * index; }

void Append(BpfProgram& program, const BpfProgram& piece) { program.insert(program.end(), piece.begin(), piece.end()); }

// `if (A compares with k) then_piece else else_piece`; both end in a return, so nothing runs on behind them.
BpfProgram Branch(uint16_t comparison, uint32_t k, const BpfProgram& then_piece, const BpfProgram& else_piece) {
  BpfProgram program;
  if (else_piece.size() <= kMaxConditionalJump) {
    program.push_back(
        BPF_JUMP(static_cast<uint16_t>(BPF_JMP | comparison | BPF_K), k, static_cast<uint8_t>(else_piece.size()), 0));
  } else {
    program.push_back(BPF_JUMP(static_cast<uint16_t>(BPF_JMP | comparison | BPF_K), k, 0, 1));
    program.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<uint32_t>(else_piece.size())));
  }
  Append(program, else_piece);
  Append(program, then_piece);
  return program;
}

// Returns "allow" if all matches hold, else runs `otherwise`.
BpfProgram CaseCheck(ArgumentCase matches, const BpfProgram& otherwise) {
  BpfProgram program = {Return(kAllow)};
  for (size_t i = matches.size(); i-- > 0;) {
    const ArgumentMatch& match = matches[i];
    BpfProgram check = {Load(ArgumentOffset(match.index))};
    if (match.mask != 0xffffffff) {
      check.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, match.mask));
    }
    // Each comparison jumps over those behind it and over `otherwise` to what comes after this match.
    JUNCTION_CHECK(!match.values.empty() && match.values.size() + otherwise.size() <= kMaxConditionalJump);
    size_t rest = match.values.size() + otherwise.size();
    for (const uint32_t value : match.values) {
      --rest;
      check.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value & match.mask, static_cast<uint8_t>(rest), 0));
    }
    Append(check, otherwise);
    Append(check, program);
    program = std::move(check);
  }
  return program;
}

BpfProgram RowProgram(const HostSyscall& row) {
  if (row.limits == nullptr) {
    return {Return(kAllow)};
  }
  BpfProgram program = {Return(Refuse(row.limits->refusal))};
  for (size_t i = row.limits->cases.size(); i-- > 0;) {
    program = CaseCheck(row.limits->cases[i], program);
  }
  return program;
}

// What holds from one syscall number on up to the next segment's.
struct Segment {
  uint32_t first;
  const HostSyscall* limited;  // a single call with limits, or
  bool is_allowed;             // a range of calls
};

std::vector<Segment> Segments(std::span<const HostSyscall> rows) {
  std::vector<Segment> segments = {{0, nullptr, false}};
  const auto start = [&](uint32_t first, const HostSyscall* limited, bool is_allowed) {
    Segment& last = segments.back();
    if (last.first == first) {
      last = {first, limited, is_allowed};
      if (segments.size() > 1 && limited == nullptr && segments.end()[-2].limited == nullptr &&
          segments.end()[-2].is_allowed == is_allowed) {
        segments.pop_back();  // the range before goes on
      }
    } else {
      segments.push_back({first, limited, is_allowed});
    }
  };
  for (const HostSyscall& row : rows) {
    JUNCTION_CHECK(row.number < kX32Bit && row.number >= segments.back().first);
    start(row.number, row.limits != nullptr ? &row : nullptr, row.limits == nullptr);
    start(row.number + 1, nullptr, false);
  }
  return segments;
}

BpfProgram Search(std::span<const Segment> segments) {
  if (segments.size() == 1) {
    const Segment& segment = segments[0];
    return segment.limited != nullptr ? RowProgram(*segment.limited)
                                      : BpfProgram{Return(segment.is_allowed ? kAllow : Refuse(ENOSYS))};
  }
  const size_t middle = segments.size() / 2;
  return Branch(BPF_JGE, segments[middle].first, Search(segments.subspan(middle)), Search(segments.first(middle)));
}

// Kills unless the call comes from the range. The program's tail is far away, so the checks jump over single returns.
BpfProgram FromCallers(const CallerRange& callers, const BpfProgram& then) {
  constexpr size_t kPointer = offsetof(seccomp_data, instruction_pointer);
  BpfProgram program = {
      Load(kPointer + 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
      Return(kKill),
      Load(kPointer),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, callers.low, 1, 0),
      Return(kKill),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, callers.high, 0, 1),
      Return(kKill),
  };
  Append(program, then);
  return program;
}

bool IsConditional(const sock_filter& instruction) {
  return BPF_CLASS(instruction.code) == BPF_JMP && BPF_OP(instruction.code) != BPF_JA;
}

// The return that a jump at `from` may take instead of the one at `target`: one that others go to already, else the last
// equal one that it reaches.
size_t SharedReturn(const BpfProgram& program, const std::vector<bool>& is_kept, size_t from, size_t target) {
  const auto is_return = [&](size_t at) {
    return BPF_CLASS(program[at].code) == BPF_RET && program[at].k == program[target].k;
  };
  if (!is_return(target)) {
    return target;
  }
  size_t last = target;
  for (size_t at = from + 1; at < program.size() && at - from - 1 <= kMaxConditionalJump; ++at) {
    if (is_return(at)) {
      last = at;
      if (is_kept[at]) {
        break;
      }
    }
  }
  return last;
}

// The same program with few returns instead of one for each leaf of the tree, which is half of its size: Linux takes
// 0.14 us an instruction to install it. What is left out only shortens jumps.
BpfProgram ShareReturns(const BpfProgram& program) {
  struct Targets {
    size_t if_true;
    size_t if_false;
  };
  std::vector<Targets> targets(program.size());
  std::vector<bool> is_kept(program.size());
  for (size_t i = program.size(); i-- > 0;) {
    if (IsConditional(program[i])) {
      targets[i].if_true = SharedReturn(program, is_kept, i, i + 1 + program[i].jt);
      is_kept[targets[i].if_true] = true;
      targets[i].if_false = SharedReturn(program, is_kept, i, i + 1 + program[i].jf);
      is_kept[targets[i].if_false] = true;
    }
  }
  // Now exactly what is reached: jumps only go forwards, so one pass sees each target before its instruction.
  is_kept.assign(program.size(), false);
  is_kept[0] = true;
  std::vector<size_t> place(program.size() + 1);
  for (size_t i = 0; i < program.size(); ++i) {
    place[i + 1] = place[i] + (is_kept[i] ? 1 : 0);
    if (!is_kept[i] || BPF_CLASS(program[i].code) == BPF_RET) {
      continue;
    }
    if (IsConditional(program[i])) {
      is_kept[targets[i].if_true] = true;
      is_kept[targets[i].if_false] = true;
    } else {
      is_kept[i + 1 + (BPF_CLASS(program[i].code) == BPF_JMP ? program[i].k : 0)] = true;
    }
  }
  BpfProgram shared;
  for (size_t i = 0; i < program.size(); ++i) {
    if (!is_kept[i]) {
      continue;
    }
    sock_filter instruction = program[i];
    const auto distance = [&](size_t target) { return place[target] - place[i] - 1; };
    if (IsConditional(instruction)) {
      JUNCTION_CHECK(std::max(distance(targets[i].if_true), distance(targets[i].if_false)) <= kMaxConditionalJump);
      instruction.jt = static_cast<uint8_t>(distance(targets[i].if_true));
      instruction.jf = static_cast<uint8_t>(distance(targets[i].if_false));
    } else if (BPF_CLASS(instruction.code) == BPF_JMP) {
      instruction.k = static_cast<uint32_t>(distance(i + 1 + instruction.k));
    }
    shared.push_back(instruction);
  }
  return shared;
}

}  // namespace

BpfProgram BuildSeccompFilter(std::span<const HostSyscall> rows, const CallerRange& callers) {
  BpfProgram by_number = {Load(offsetof(seccomp_data, nr))};
  Append(by_number, Search(Segments(rows)));
  if (callers.high != 0) {
    by_number = FromCallers(callers, by_number);
  }
  BpfProgram program = {Load(offsetof(seccomp_data, arch))};
  Append(program, Branch(BPF_JEQ, AUDIT_ARCH_X86_64, by_number, {Return(kKill)}));
  program = ShareReturns(program);
  JUNCTION_CHECK(program.size() <= BPF_MAXINSNS);
  return program;
}

Result<void> InstallSeccompFilter(std::span<const sock_filter> program, bool is_for_all_threads) {
  const sock_fprog request = {.len = static_cast<uint16_t>(program.size()),
                              .filter = const_cast<sock_filter*>(program.data())};  // only read by Linux
  const unsigned flags = is_for_all_threads ? SECCOMP_FILTER_FLAG_TSYNC : 0;
  const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &request);
  if (result > 0) {
    return PlainError("seccomp: a thread has a filter of its own");
  }
  if (result < 0) {
    return ErrnoError("seccomp");
  }
  return {};
}

}  // namespace junction
