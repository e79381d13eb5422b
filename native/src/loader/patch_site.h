// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace junction {

/// One `syscall` instruction and the instructions around it that give way to a jump.
///
///   before_bytes >= 5:  [ instructions, 5 bytes or more ][ 0f 05 ]        the jump goes over the instructions; `syscall` stays
///                       ^ offset - before_bytes           ^ offset
///   after_bytes > 0:    [ 0f 05 ][ instructions, 3 bytes or more ]        the jump goes over both
///                       ^ offset
///   before_bytes 3, 4:  [ instructions, 3 or 4 bytes ][ 0f 05 ]           the jump goes over both
///                       ^ offset - before_bytes        ^ offset
/// Exactly one of the two is not 0. In the first two forms the address of the `syscall` stays a place to jump to. In the first the last
/// `kept_bytes` stay too, for those that jump to them: then the jump goes over a single instruction, and its trampoline over all.
struct PatchSite {
  uint32_t offset;  // of the `syscall`, from the start of the text
  uint8_t before_bytes;
  uint8_t after_bytes;
  uint16_t kept_bytes;
};
static_assert(sizeof(PatchSite) == 8);

inline constexpr uint32_t kJump_bytes = 5;     // e9 rel32
inline constexpr uint32_t kSyscall_bytes = 2;  // 0f 05

/// True if the `syscall` goes into the trampoline with its neighbours.
constexpr bool MovesSyscall(const PatchSite& site) { return site.before_bytes < kJump_bytes; }

}  // namespace junction
