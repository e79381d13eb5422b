// SPDX-License-Identifier: Apache-2.0
// All host syscalls of the Junction kernel leave from this text range: the only one that Syscall User Dispatch lets through.
// Read first: Documentation/admin-guide/syscall-user-dispatch.rst of Linux.

#define SYS_RT_SIGRETURN 15
#define SYS_CLONE 56
#define SYS_EXIT 60
#define SYS_EPOLL_PWAIT2 441
#define EINTR_RESULT -4

    .section .text.junction_host, "ax", @progbits
    .balign 4096
    .globl junction_host_text_begin
junction_host_text_begin:

// long junction_host_call(long number, long a, long b, long c, long d, long e, long f); result as the host gives it.
    .balign 64
    .globl junction_host_call
junction_host_call:
    mov     %rdi, %rax
    mov     %rsi, %rdi
    mov     %rdx, %rsi
    mov     %rcx, %rdx
    mov     %r8, %r10
    mov     %r9, %r8
    mov     8(%rsp), %r9
    syscall
    ret

// long junction_host_fork(flags, child_stack_top, child_main, argument)
    .globl junction_host_fork
junction_host_fork:
    mov     %rdx, %r9                       // clone has five arguments; r8 is the TLS, which no flag of ours asks for
    mov     %rcx, %r8
    xor     %edx, %edx
    xor     %r10d, %r10d
    mov     $SYS_CLONE, %eax
    syscall
    test    %rax, %rax
    jz      1f
    ret
1:  xor     %ebp, %ebp
    mov     %r8, %rdi
    call    *%r9
    ud2

// long junction_host_park_poll(epoll_fd, events, max_events, timeout, stay_awake)
    .globl junction_host_park_poll
junction_host_park_poll:
    mov     %r8, %r11
    mov     %rcx, %r10
    xor     %r8d, %r8d
    mov     $8, %r9d
    mov     $SYS_EPOLL_PWAIT2, %eax
    .globl junction_host_park_begin
junction_host_park_begin:
    cmpl    $0, (%r11)
    jne     junction_host_park_abort
    .globl junction_host_park_syscall
junction_host_park_syscall:
    syscall
    ret
    .globl junction_host_park_abort
junction_host_park_abort:
    mov     $EINTR_RESULT, %rax
    ret

// void junction_host_exit_thread(uint32_t* word)
    .globl junction_host_exit_thread
junction_host_exit_thread:
    mov     %rdi, %rdx
    xor     %edi, %edi
    mov     $SYS_EXIT, %eax
    movl    $0, (%rdx)
    syscall
    ud2

// Where the host's signal handlers return to.
    .globl junction_restorer
junction_restorer:
    mov     $SYS_RT_SIGRETURN, %rax
    syscall
    ud2

    .globl junction_host_text_end
junction_host_text_end:
    nop                                     // the net compares the address after a `syscall`

    .section .note.GNU-stack, "", @progbits
