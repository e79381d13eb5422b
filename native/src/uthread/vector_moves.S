// SPDX-License-Identifier: Apache-2.0
// Moves of vector registers to and from the components of an XSAVE image (standard format): several times quicker than xsaveopt and
// xrstor, whose micro-code takes 33 and 67 to 90 ns however little there is to move. The only code of the kernel that touches vector
// registers; vector_state.cc decides which of it may run. Read first: Intel SDM volume 1, 13.4 and 13.5. Nothing here needs alignment.
//
//   image + 24   MXCSR
//         + 160  XMM0-15, 16 bytes each
//   Where the other components lie CPUID leaf 0xD says; vector_state.cc passes their addresses.

#define MXCSR 24
#define XMM 160

    .text

// void junction_save_sse(void* image)
    .balign 64
    .globl junction_save_sse
junction_save_sse:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups %xmm\n, XMM + 16 * \n(%rdi)
    .endr
    vstmxcsr MXCSR(%rdi)
    ret

// void junction_load_sse(const void* image): the upper parts of registers 0-15 become zero.
    .balign 64
    .globl junction_load_sse
junction_load_sse:
    vzeroupper
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups XMM + 16 * \n(%rdi), %xmm\n
    .endr
    vldmxcsr MXCSR(%rdi)
    ret

// void junction_save_avx(void* component): the upper halves of YMM0-15.
    .balign 64
    .globl junction_save_avx
junction_save_avx:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vextractf128 $1, %ymm\n, 16 * \n(%rdi)
    .endr
    ret

// void junction_load_avx(const void* component), after junction_load_sse
    .balign 64
    .globl junction_load_avx
junction_load_avx:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vinsertf128 $1, 16 * \n(%rdi), %ymm\n, %ymm\n
    .endr
    ret

// void junction_save_opmask(void* component): K0-7.
    .balign 64
    .globl junction_save_opmask
junction_save_opmask:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq   %k\n, 8 * \n(%rdi)
    .endr
    ret

// void junction_load_opmask(const void* component)
    .balign 64
    .globl junction_load_opmask
junction_load_opmask:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq   8 * \n(%rdi), %k\n
    .endr
    ret

// void junction_save_zmm_hi256(void* component): the upper halves of ZMM0-15.
    .balign 64
    .globl junction_save_zmm_hi256
junction_save_zmm_hi256:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vextractf64x4 $1, %zmm\n, 32 * \n(%rdi)
    .endr
    ret

// void junction_load_zmm_hi256(const void* component), after junction_load_avx
    .balign 64
    .globl junction_load_zmm_hi256
junction_load_zmm_hi256:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vinsertf64x4 $1, 32 * \n(%rdi), %zmm\n, %zmm\n
    .endr
    ret

// void junction_save_hi16_zmm(void* component): ZMM16-31.
    .balign 64
    .globl junction_save_hi16_zmm
junction_save_hi16_zmm:
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovups %zmm\n, 64 * (\n - 16)(%rdi)
    .endr
    ret

// void junction_load_hi16_zmm(const void* component)
    .balign 64
    .globl junction_load_hi16_zmm
junction_load_hi16_zmm:
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovups 64 * (\n - 16)(%rdi), %zmm\n
    .endr
    ret

    .section .note.GNU-stack, "", @progbits
