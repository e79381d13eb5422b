// SPDX-License-Identifier: Apache-2.0
// Where the Junction kernel lives in a guest's address space. Fixed, so that every stage and every uProc agrees; chosen away from
// 0x400000 (static programs), 0xc000000000 (Go), the 0x55.. and 0x7f.. areas of the host, and the shadows of sanitizers.
//
//   0x7000'0000      +-------------------------+
//                    | image of junction_run   |  static, not position independent (junction_program_link)
//   0x7200'0000      +-------------------------+
//                    | near trampolines        |  of images below 2 GiB
//   0x7600'0000      +-------------------------+
//
//   0x2f00'0000'0000 +-------------------------+
//                    | arena                   |  one shared mapping of the instance's memfd: all kernel objects
//   0x2f10'0000'0000 +-------------------------+
//                    | control block           |  64 KiB, shared with the host
//                    +-------------------------+
//
//   0x2f20'0000'0000 +-------------------------+
//                    | NIC                     |  shared with its peers (nic/nic_layout.h), if the instance has one
//   0x2f20'2000'0000 +-------------------------+
#pragma once

#include <cstdint>

namespace junction {

inline constexpr uint64_t kImageLow = 0x70000000;
inline constexpr uint64_t kNearTrampolinesLow = 0x72000000;
inline constexpr uint64_t kFixedAreaHigh = 0x76000000;
inline constexpr uint64_t kArenaLow = 0x2f0000000000;
inline constexpr uint64_t kArenaSize_bytes = 0x1000000000;  // 64 GiB of addresses; pages come as they are used
inline constexpr uint64_t kControlBlockAddress = kArenaLow + kArenaSize_bytes;
inline constexpr uint64_t kNicAddress = 0x2f2000000000;
inline constexpr uint64_t kNicMax_bytes = 0x80000000;  // more than the largest geometry needs
inline constexpr uint64_t kKernelAreaLow = kArenaLow;
inline constexpr uint64_t kKernelAreaHigh = kNicAddress + kNicMax_bytes;

}  // namespace junction
