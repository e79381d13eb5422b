// SPDX-License-Identifier: Apache-2.0
// Offsets of ThreadBlock's fields for entry.S; thread_block.h asserts that they are right. Macros, as the assembler reads this file.
#pragma once

#define TB_SELF 0
#define TB_KERNEL_STACK 8
#define TB_COUNTER 16
#define TB_RETURN 24
#define TB_NUMBER 32
#define TB_RDI 40
#define TB_RSI 48
#define TB_RDX 56
#define TB_R10 64
#define TB_R8 72
#define TB_R9 80
#define TB_RSP 88
#define TB_RESULT 96
#define TB_MASK 104
#define TB_RBX 112
#define TB_RBP 120
#define TB_R12 128
#define TB_R13 136
#define TB_R14 144
#define TB_R15 152
#define TB_HOST_NUMBER 160
#define TB_HOST_RDI 168
#define TB_HOST_RSI 176
#define TB_HOST_RDX 184
#define TB_HOST_R10 192
#define TB_HOST_R8 200
#define TB_HOST_R9 208

/// Rows of the dispatch table; a greater number is ENOSYS.
#define DISPATCH_ROWS 480

/// Bit map of descriptors that hold a mapped listening socket (sys_socket.cc): one bit for each descriptor below this.
#define WATCHED_DESCRIPTORS 65536
