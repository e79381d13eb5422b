// SPDX-License-Identifier: Apache-2.0
// The memory functions that the compiler may call (no_libc.h): general registers only.

    .text
    .globl junction_memcpy
junction_memcpy:
    mov     %rdi, %rax
    mov     %rdx, %rcx
    rep movsb
    ret
    .globl junction_memmove
junction_memmove:
    mov     %rdi, %rax
    mov     %rdi, %rcx
    sub     %rsi, %rcx
    cmp     %rdx, %rcx
    jb      1f
    mov     %rdx, %rcx
    rep movsb
    ret
1:  std
    lea     -1(%rdi,%rdx), %rdi
    lea     -1(%rsi,%rdx), %rsi
    mov     %rdx, %rcx
    rep movsb
    cld
    ret
    .globl junction_memset
junction_memset:
    mov     %rdi, %r8
    mov     %esi, %eax
    mov     %rdx, %rcx
    rep stosb
    mov     %r8, %rax
    ret
    .globl junction_memcmp
junction_memcmp:
    xor     %ecx, %ecx
1:  cmp     %rdx, %rcx
    jae     2f
    movzbl  (%rdi,%rcx), %eax
    movzbl  (%rsi,%rcx), %r8d
    inc     %rcx
    sub     %r8d, %eax
    jz      1b
    ret
2:  xor     %eax, %eax
    ret
    .globl junction_strlen
junction_strlen:
    xor     %eax, %eax
1:  cmpb    $0, (%rdi,%rax)
    je      2f
    inc     %rax
    jmp     1b
2:  ret

    .section .note.GNU-stack, "", @progbits
