// SPDX-License-Identifier: Apache-2.0
// Switching kernel stacks. General registers only: what the guest has in vector registers stays in the machine (vector_state.cc).

    .text
// void junction_switch(uint64_t* save_rsp, uint64_t load_rsp): returns when somebody switches back.
    .balign 64
    .globl junction_switch
junction_switch:
    push    %rbp
    push    %rbx
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, (%rdi)
    mov     %rsi, %rsp
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbx
    pop     %rbp
    ret

    .section .note.GNU-stack, "", @progbits
