// SPDX-License-Identifier: Apache-2.0
// Every guest syscall enters here, and every host syscall leaves here. Hot path: general registers only, no stack, no TLS.
//
// Read first: syscall(2), "SYSCALL" in the Intel SDM volume 2B, Documentation/admin-guide/syscall-user-dispatch.rst of Linux.
//
// On entry (from a trampoline, or from the SIGSYS handler's rewritten context): rax = number, rdi rsi rdx r10 r8 r9 =
// arguments, rcx = address to return to, r11 = free, rsp = the guest's, GS base = the thread's ThreadBlock. The two bytes
// before the return address are always a `syscall` instruction: to resume a call from scratch, jump to rcx - 2 with rax = number.
//
// Fields of the ThreadBlock hold a call's state while the registers cannot. A guest signal handler may run at any instruction
// at which signals are not blocked and may make calls of its own, which overwrite those fields. So signal delivery
// (signal_delivery.cc) looks at the interrupted address first; by the labels below it either rewinds the call to its start or
// completes it, so that the interrupted context never depends on the ThreadBlock again.
//
//   address range                              what delivery does to the interrupted context
//   junction_entry .. junction_pass            nothing: all is in registers
//   [junction_pass_syscall]                    rip = TB_RETURN - 2 (also where the host restarts a call)
//   [junction_pass_done]                       rip = TB_RETURN
//   [emulated_saved .. emulated_clobber)       rip = rcx - 2
//   [emulated_clobber .. emulated_block]       rip = TB_RETURN - 2, rax = TB_NUMBER, arguments from TB_*
//   (emulated_block .. emulated_unmask]        cannot happen: signals are blocked, but for faults of our own copies
//   [emulated_unmasked .. emulated_tail)       rax = TB_RESULT, arguments, rip = TB_RETURN
//   [emulated_tail .. emulated_end)            arguments, rip = TB_RETURN
//   [host_unmasked .. host_syscall]            rip = TB_RETURN - 2, rax = TB_NUMBER, arguments (the handler will run again)
//   [host_done .. host_end)                    arguments, rip = TB_RETURN
//   [trace_saved .. trace_block]               as emulated_unmasked
#include "kernel/thread_block_layout.h"

#define SYS_RT_SIGPROCMASK 14
#define SYS_RT_SIGRETURN 15
#define SYS_CLONE 56
#define SYS_EXIT 60
#define SIG_SETMASK 2
#define SIGSYS_BIT 30
#define UC_SIGMASK 296
#define ENOSYS_RESULT -38

    .section .text.junction_host, "ax", @progbits
    .balign 4096
    .globl junction_host_text_begin
junction_host_text_begin:

// ---- the guest's door -------------------------------------------------------------------------------------------------
    .balign 64
    .globl junction_entry
junction_entry:
    mov     %gs:TB_COUNTER, %r11
    incq    (%r11)
    mov     %eax, %r11d
    cmp     $DISPATCH_ROWS, %r11d
    jae     junction_enosys
    jmp     *junction_dispatch_table(,%r11,8)

// A call that goes to the host as it is, on the guest's own stack, so that EINTR, restarts and signals are natural.
    .balign 64
    .globl junction_pass
junction_pass:
    mov     %rcx, %gs:TB_RETURN
    .globl junction_pass_syscall
junction_pass_syscall:
    syscall
    .globl junction_pass_done
junction_pass_done:
    jmp     *%gs:TB_RETURN

    .globl junction_enosys
junction_enosys:
    mov     $ENOSYS_RESULT, %rax
    jmp     *%rcx

    .globl junction_eperm
junction_eperm:
    mov     $-1, %rax
    jmp     *%rcx

// rt_sigreturn needs the guest's rsp, which points at the ucontext; the net's signal must not get blocked by it.
    .globl junction_sigreturn
junction_sigreturn:
    btrq    $SIGSYS_BIT, UC_SIGMASK(%rsp)
    mov     $SYS_RT_SIGRETURN, %eax
    syscall
    ud2

// ---- checks that let the common case pass without the kernel stack -----------------------------------------------------
// mmap: only executable file mappings and fixed ones concern us.
    .globl junction_mmap
junction_mmap:
    test    $4, %edx                        // PROT_EXEC
    jnz     junction_emulated
    test    $0x10, %r10d                    // MAP_FIXED
    jz      junction_pass
    jmp     junction_range

// munmap, mprotect, mremap(rdi, rsi = old range): pass unless the range may touch memory of ours or a patched image. Our
// memory lies in three envelopes, each [low, high), in ascending order: the fixed area, the thread area, and the span of far images
// with their trampolines.
    .globl junction_range
junction_range:
    mov     %rdi, %r11
    add     %rsi, %r11
    jc      junction_emulated
    cmp     junction_fixed_low(%rip), %r11
    jbe     junction_pass
    cmp     junction_fixed_high(%rip), %rdi
    jb      junction_emulated
    cmp     junction_threads_low(%rip), %r11
    jbe     junction_pass
    cmp     junction_threads_high(%rip), %rdi
    jb      junction_emulated
    cmp     junction_far_low(%rip), %r11
    jbe     junction_pass
    cmp     junction_far_high(%rip), %rdi
    jae     junction_pass
    jmp     junction_emulated

// mremap: a fixed new address is rare enough to look at.
    .globl junction_mremap
junction_mremap:
    test    $2, %r10d                       // MREMAP_FIXED
    jnz     junction_emulated
    jmp     junction_range

// open(rdi = path), openat(rsi = path): only a path that starts with "/proc/" concerns us. The load may fault on a bad pointer:
// junction_path_*_load is in the fault table, and the host then says EFAULT itself.
    .globl junction_open
junction_open:
    mov     %rdi, %r11
    and     $4095, %r11d
    cmp     $4092, %r11d
    ja      junction_emulated               // the load could cross into another page
    .globl junction_open_load
junction_open_load:
    cmpl    $0x6f72702f, (%rdi)             // "/pro"
    jne     junction_pass
    jmp     junction_emulated

    .globl junction_openat
junction_openat:
    mov     %rsi, %r11
    and     $4095, %r11d
    cmp     $4092, %r11d
    ja      junction_emulated
    .globl junction_openat_load
junction_openat_load:
    cmpl    $0x6f72702f, (%rsi)             // "/pro"
    jne     junction_pass
    jmp     junction_emulated

// close(rdi): only descriptors of mapped listening sockets concern us.
    .globl junction_close
junction_close:
    cmp     $WATCHED_DESCRIPTORS, %edi
    jae     junction_pass
    mov     %edi, %r11d
    shr     $5, %r11d
    mov     junction_watched_descriptors(,%r11,4), %r11d
    bt      %edi, %r11d
    jnc     junction_pass
    jmp     junction_emulated

// Calls whose signal mask argument is a null pointer pass; else the mask must be freed of SIGSYS.
    .globl junction_mask_r10
junction_mask_r10:                          // ppoll
    test    %r10, %r10
    jz      junction_pass
    jmp     junction_emulated
    .globl junction_mask_r8
junction_mask_r8:                           // epoll_pwait, epoll_pwait2
    test    %r8, %r8
    jz      junction_pass
    jmp     junction_emulated
    .globl junction_address_r8
junction_address_r8:                        // sendto with an address
    test    %r8, %r8
    jz      junction_pass
    jmp     junction_emulated
    .globl junction_mask_r9
junction_mask_r9:                           // pselect6, io_pgetevents
    test    %r9, %r9
    jz      junction_pass
    jmp     junction_emulated

// ---- calls that the Junction kernel answers ----------------------------------------------------------------------------
    .balign 64
    .globl junction_emulated
junction_emulated:
    mov     %rcx, %gs:TB_RETURN
    .globl emulated_saved
emulated_saved:
    mov     %rax, %gs:TB_NUMBER
    mov     %rdi, %gs:TB_RDI
    mov     %rsi, %gs:TB_RSI
    mov     %rdx, %gs:TB_RDX
    mov     %r10, %gs:TB_R10
    mov     %r8, %gs:TB_R8
    mov     %r9, %gs:TB_R9
    mov     %rbx, %gs:TB_RBX
    mov     %rbp, %gs:TB_RBP
    mov     %r12, %gs:TB_R12
    mov     %r13, %gs:TB_R13
    mov     %r14, %gs:TB_R14
    mov     %r15, %gs:TB_R15
    .globl emulated_clobber
emulated_clobber:
    mov     $SIG_SETMASK, %edi
    lea     junction_kernel_mask(%rip), %rsi
    mov     %gs:TB_SELF, %rdx
    add     $TB_MASK, %rdx
    mov     $8, %r10d
    mov     $SYS_RT_SIGPROCMASK, %eax
    .globl emulated_block
emulated_block:
    syscall                                 // from here no guest signal handler can run
    mov     %rsp, %gs:TB_RSP
    mov     %gs:TB_KERNEL_STACK, %rsp
    cld
    mov     %gs:TB_SELF, %rdi
    call    junction_dispatch               // eax: 0 = return TB_RESULT, 1 = make the host call in TB_HOST_*
    test    %eax, %eax
    jnz     host_leave

// Leaves the kernel: all of TB_* is the guest's state, rbx rbp r12-r15 are the guest's already.
    .globl junction_leave
junction_leave:
    mov     %gs:TB_RSP, %rsp
    mov     $SIG_SETMASK, %edi
    mov     %gs:TB_SELF, %rsi
    add     $TB_MASK, %rsi
    xor     %edx, %edx
    mov     $8, %r10d
    mov     $SYS_RT_SIGPROCMASK, %eax
    .globl emulated_unmask
emulated_unmask:
    syscall
    .globl emulated_unmasked
emulated_unmasked:
    mov     %gs:TB_RESULT, %rax
    .globl emulated_tail
emulated_tail:
    mov     %gs:TB_RDI, %rdi
    mov     %gs:TB_RSI, %rsi
    mov     %gs:TB_RDX, %rdx
    mov     %gs:TB_R10, %r10
    mov     %gs:TB_R8, %r8
    mov     %gs:TB_R9, %r9
    mov     %gs:TB_RETURN, %rcx
    jmp     *%rcx
    .globl emulated_end
emulated_end:

// Leaves the kernel with a host call that may block, made as a passed call is: on the guest's stack, with its mask.
host_leave:
    mov     %gs:TB_RSP, %rsp
    mov     $SIG_SETMASK, %edi
    mov     %gs:TB_SELF, %rsi
    add     $TB_MASK, %rsi
    xor     %edx, %edx
    mov     $8, %r10d
    mov     $SYS_RT_SIGPROCMASK, %eax
    syscall
    .globl host_unmasked
host_unmasked:
    mov     %gs:TB_HOST_NUMBER, %rax
    mov     %gs:TB_HOST_RDI, %rdi
    mov     %gs:TB_HOST_RSI, %rsi
    mov     %gs:TB_HOST_RDX, %rdx
    mov     %gs:TB_HOST_R10, %r10
    mov     %gs:TB_HOST_R8, %r8
    mov     %gs:TB_HOST_R9, %r9
    .globl host_syscall
host_syscall:
    syscall
    .globl host_done
host_done:
    cmpb    $0, junction_strace(%rip)
    je      emulated_tail_from_host
    mov     %rax, %gs:TB_RESULT
    .globl trace_saved
trace_saved:
    mov     $SIG_SETMASK, %edi
    lea     junction_kernel_mask(%rip), %rsi
    mov     %gs:TB_SELF, %rdx
    add     $TB_MASK, %rdx
    mov     $8, %r10d
    mov     $SYS_RT_SIGPROCMASK, %eax
    .globl trace_block
trace_block:
    syscall
    mov     %rsp, %gs:TB_RSP
    mov     %gs:TB_KERNEL_STACK, %rsp
    mov     %gs:TB_SELF, %rdi
    call    junction_trace_result
    jmp     junction_leave
    .globl trace_end
trace_end:
emulated_tail_from_host:
    jmp     emulated_tail
    .globl host_end
host_end:

// ---- host calls of the Junction kernel itself ---------------------------------------------------------------------------
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

// long junction_host_clone(flags, stack, parent_tid, child_tid, tls): the child starts on `stack`, whose top word is its ThreadBlock.
    .globl junction_host_clone
junction_host_clone:
    mov     %rcx, %r10
    mov     $SYS_CLONE, %eax
    syscall
    test    %rax, %rax
    jz      1f
    ret
1:  xor     %ebp, %ebp
    pop     %rdi
    and     $-16, %rsp
    call    junction_child_start            // sets the GS base, so that TB_* is the child's
    mov     %gs:TB_RBX, %rbx
    mov     %gs:TB_RBP, %rbp
    mov     %gs:TB_R12, %r12
    mov     %gs:TB_R13, %r13
    mov     %gs:TB_R14, %r14
    mov     %gs:TB_R15, %r15
    jmp     junction_leave

// void junction_host_exit(uint32_t* block_state, int status): gives the thread's block back, then ends the thread without touching memory.
    .globl junction_host_exit
junction_host_exit:
    mov     %rdi, %rdx
    mov     %esi, %edi
    mov     $SYS_EXIT, %eax
    movl    $0, (%rdx)
    syscall
    ud2

// ---- signals -------------------------------------------------------------------------------------------------------------
// The host's handler for every guest handler; the host blocks all signals while it runs. rdi = signal, rsi = siginfo, rdx = ucontext.
// junction_deliver_signal puts the context in order and says which guest handler to run with which mask (none: return).
    .balign 64
    .globl junction_signal_entry
junction_signal_entry:
    mov     %rdi, %rbx
    mov     %rsi, %rbp
    mov     %rdx, %r12
    sub     $24, %rsp                       // [rsp] = the mask; keeps rsp a multiple of 16 for the call
    mov     %rsp, %rcx
    call    junction_deliver_signal
    test    %rax, %rax
    jz      1f
    mov     %rax, %r13
    mov     $SIG_SETMASK, %edi
    mov     %rsp, %rsi
    xor     %edx, %edx
    mov     $8, %r10d
    mov     $SYS_RT_SIGPROCMASK, %eax
    syscall
    .globl signal_unmasked
signal_unmasked:                            // guest context from here: a signal may nest, its frame may not fit the stack
    add     $24, %rsp
    mov     %rbx, %rdi
    mov     %rbp, %rsi
    mov     %r12, %rdx
    xor     %eax, %eax
    jmp     *%r13
1:  add     $24, %rsp
    ret                                     // to the restorer
    .globl signal_entry_end
signal_entry_end:

// The host's handler for SIGSYS: the net. It runs with all signals blocked.
    .globl junction_net_entry
junction_net_entry:
    mov     %rdi, %rbx
    mov     %rsi, %rbp
    mov     %rdx, %r12
    sub     $8, %rsp
    call    junction_net                    // eax: 1 = a trapped syscall, its context now continues at junction_entry
    add     $8, %rsp
    test    %eax, %eax
    jnz     1f
    mov     %rbx, %rdi                      // somebody sent a SIGSYS: a guest signal like others
    mov     %rbp, %rsi
    mov     %r12, %rdx
    jmp     junction_signal_entry
1:  ret                                     // to the restorer

    .globl junction_restorer
junction_restorer:
    mov     $SYS_RT_SIGRETURN, %rax
    syscall
    ud2

    .globl junction_host_text_end
junction_host_text_end:
    nop                                     // the net compares the address after a `syscall`

// ---- no host call below ----------------------------------------------------------------------------------------------------
    .text
// void junction_enter_guest(uint64_t rip, uint64_t rsp): all other registers zero, as after execve.
    .globl junction_enter_guest
junction_enter_guest:
    mov     %rdi, %rcx
    mov     %rsi, %rsp
    xor     %eax, %eax
    xor     %ebx, %ebx
    xor     %edx, %edx
    xor     %esi, %esi
    xor     %edi, %edi
    xor     %ebp, %ebp
    xor     %r8d, %r8d
    xor     %r9d, %r9d
    xor     %r10d, %r10d
    xor     %r11d, %r11d
    xor     %r12d, %r12d
    xor     %r13d, %r13d
    xor     %r14d, %r14d
    xor     %r15d, %r15d
    push    $0x202
    popf
    jmp     *%rcx

// size_t junction_copy(void* to, const void* from, size_t size): returns the bytes not copied; a fault ends it early (fault table).
    .globl junction_copy
junction_copy:
    mov     %rdx, %rcx
    .globl junction_copy_move
junction_copy_move:
    rep movsb
    .globl junction_copy_fault
junction_copy_fault:
    mov     %rcx, %rax
    ret

// long junction_copy_text(char* to, const char* from, size_t size): copies up to and with the NUL; length without it, -1 on a fault,
// `size` if there is no NUL in size bytes.
    .globl junction_copy_text
junction_copy_text:
    xor     %eax, %eax
1:  cmp     %rdx, %rax
    jae     2f
    .globl junction_copy_text_load
junction_copy_text_load:
    movb    (%rsi,%rax), %cl
    movb    %cl, (%rdi,%rax)
    test    %cl, %cl
    jz      2f
    inc     %rax
    jmp     1b
2:  ret
    .globl junction_copy_text_fault
junction_copy_text_fault:
    mov     $-1, %rax
    ret

// The memory functions that the compiler may call (no_libc.h).
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

    .section .note.GNU-stack, "", @progbits
