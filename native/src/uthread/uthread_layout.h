// SPDX-License-Identifier: Apache-2.0
// Offsets for assembly; uthread.h asserts that they are right. Macros, as the assembler reads this file.
#pragma once

#define KT_SELF 0
#define KT_CURRENT 8
#define KT_ATTENTION 16
#define KT_IN_KERNEL 20
#define KT_COUNTER 24
#define KT_IDLE_RSP 32
#define KT_SCRATCH 40
#define KT_ENTRY 48  // known to patched images on disk, too (loader/trampoline.h)

#define UT_STACK_TOP 0
#define UT_FRAME 8
#define UT_RAX (UT_FRAME + 0)
#define UT_RDI (UT_FRAME + 8)
#define UT_RSI (UT_FRAME + 16)
#define UT_RDX (UT_FRAME + 24)
#define UT_R10 (UT_FRAME + 32)
#define UT_R8 (UT_FRAME + 40)
#define UT_R9 (UT_FRAME + 48)
#define UT_RCX (UT_FRAME + 56)
#define UT_R11 (UT_FRAME + 64)
#define UT_RBX (UT_FRAME + 72)
#define UT_RBP (UT_FRAME + 80)
#define UT_R12 (UT_FRAME + 88)
#define UT_R13 (UT_FRAME + 96)
#define UT_R14 (UT_FRAME + 104)
#define UT_R15 (UT_FRAME + 112)
#define UT_RIP (UT_FRAME + 120)
#define UT_RSP (UT_FRAME + 128)
#define UT_RFLAGS (UT_FRAME + 136)
#define UT_NUMBER (UT_FRAME + 144)
#define UT_KERNEL_RSP (UT_FRAME + 152)
#define UT_FULL_FRAME (UT_FRAME + 160)
