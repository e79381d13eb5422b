// SPDX-License-Identifier: Apache-2.0
// Where the host begins junction_run (the ELF entry, junction_program_link). A process that a guest execve made goes to the Junction
// kernel at once: a libc would ask the processor for its features with some thirty CPUIDs first, each of which leaves a virtual
// machine, make a heap, a TLS area and more, all to be thrown away: a third of a spawn of /bin/true. All others go to libc's _start.
//
// System V ABI AMD64 3.4.1: rsp = argc, argv, envp, auxiliary vector; rdx = function for atexit, passed on untouched.
    .text
    .globl junction_start
    .type junction_start, @function
junction_start:
    xor     %ebp, %ebp
    mov     %rsp, %rbx
    mov     %rdx, %r12
    mov     %rsp, %rdi
    call    junction_second_stage       // comes back only if this is none
    mov     %rbx, %rsp
    mov     %r12, %rdx
    jmp     _start
    .size junction_start, . - junction_start

    .section .note.GNU-stack, "", @progbits
