// SPDX-License-Identifier: Apache-2.0
// A length decoder for x86-64 that also says what matters for moving an instruction elsewhere. Of our own because Debian's
// decoder (Zydis) exists only as a shared library, while this code runs inside static guest-side programs without libc; the
// tests compare it with Zydis over whole system libraries.
//
// Read first: Intel SDM volume 2, chapter 2 (formats) and appendix A (opcode maps).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace junction {

enum class InstructionKind : uint8_t {
  kInvalid,  // not an instruction we know, or cut off by the end of the bytes
  kPlain,    // can run anywhere, once a RIP-relative operand is adjusted
  kSyscall,  // 0f 05
  kBranch,   // jump or conditional jump to a fixed target
  kCall,     // call of a fixed target
  kIndirectJump,
  kIndirectCall,
  kReturn,
  kTrap,  // int3, ud2, hlt, int n, transactions and the like: not to be moved
};

struct Instruction {
  InstructionKind kind = InstructionKind::kInvalid;
  uint8_t length = 0;               // 1 to 15
  uint8_t rip_displacement_at = 0;  // offset of the 4-byte RIP-relative displacement, 0 = none
  int32_t branch_distance = 0;      // kBranch, kCall: target minus the end of the instruction
};

inline constexpr size_t kMaxInstruction_bytes = 15;

/// Decodes the instruction at the start of `code`. Reads no byte beyond the span. Any thread, no state.
Instruction DecodeInstruction(std::span<const uint8_t> code);

}  // namespace junction
