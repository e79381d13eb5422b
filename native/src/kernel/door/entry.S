// SPDX-License-Identifier: Apache-2.0
// Every guest syscall enters here, and every way back to guest code leaves here. Hot path: general registers only, no TLS.
//
// Read first: syscall(2), "SYSCALL" and "IRET" in the Intel SDM volume 2, uthread/uthread.h.
//
// On entry (from a trampoline, or from the SIGSYS handler's rewritten context): rax = number, rdi rsi rdx r10 r8 r9 = arguments, rcx =
// address to return to, r11 = free, rsp = the guest's, GS base = the Kthread. The two bytes before the return address are always a
// `syscall` instruction: to make a call again, go to rcx - 2 with rax = number.
//
// What a host signal handler finds, by the interrupted address (host_signals.cc):
//   junction_entry .. junction_entry_saved       still guest code: rip = rcx - 2
//   in_kernel != 0                               kernel code: only mark attention
//   junction_leave_again .. junction_leave_end   on the way out, whether in_kernel is 0 already or not: the frame is whole in
//                                                memory, so leaving starts over at junction_leave_again on the kernel stack's top
//   else                                         guest code: its registers go into the frame, it goes on at junction_interrupt_entry
#include "kernel/door/guest_table_size.h"
#include "uthread/uthread_layout.h"

#define ENOSYS_RESULT -38
// Flags that a guest may have set and the kernel must not run with: AC makes it fault where it is not aligned, NT its iretq.
#define FLAG_DIRECTION 0x400
#define FLAG_NESTED_TASK 0x4000
#define FLAG_ALIGNMENT_CHECK 0x40000
#define FLAGS_OF_GUEST_ALONE (FLAG_DIRECTION | FLAG_NESTED_TASK | FLAG_ALIGNMENT_CHECK)
#define FLAGS_ALWAYS 2
#define USER_CS 0x33
#define USER_SS 0x2b

    .text
    .balign 64
    .globl junction_entry
junction_entry:
    movl    $1, %gs:KT_IN_KERNEL
    .globl junction_entry_saved
junction_entry_saved:
    mov     %gs:KT_CURRENT, %r11            // moves only until the flags are saved: Linux keeps them across a call
    mov     %rcx, UT_RIP(%r11)
    mov     %rsp, UT_RSP(%r11)
    mov     %rax, UT_RAX(%r11)
    mov     %eax, %eax
    mov     %rax, UT_NUMBER(%r11)
    mov     %rdi, UT_RDI(%r11)
    mov     %rsi, UT_RSI(%r11)
    mov     %rdx, UT_RDX(%r11)
    mov     %r10, UT_R10(%r11)
    mov     %r8, UT_R8(%r11)
    mov     %r9, UT_R9(%r11)
    mov     %rbx, UT_RBX(%r11)
    mov     %rbp, UT_RBP(%r11)
    mov     %r12, UT_R12(%r11)
    mov     %r13, UT_R13(%r11)
    mov     %r14, UT_R14(%r11)
    mov     %r15, UT_R15(%r11)
    movl    $0, UT_FULL_FRAME(%r11)
    mov     UT_STACK_TOP(%r11), %rsp
    pushfq
    popq    UT_RFLAGS(%r11)
    testl   $FLAGS_OF_GUEST_ALONE, UT_RFLAGS(%r11)
    jnz     junction_entry_odd_flags
junction_entry_call:
    mov     %gs:KT_COUNTER, %rcx
    incq    (%rcx)
    mov     %r11, %rdi
    cmp     $GUEST_TABLE_ROWS, %eax
    jae     1f
    call    *junction_dispatch_table(,%rax,8)   // int64_t (*)(Uthread*)
    mov     %gs:KT_CURRENT, %r11
    mov     %rax, UT_RAX(%r11)
    jmp     junction_leave_again
1:  movq    $ENOSYS_RESULT, UT_RAX(%r11)
    jmp     junction_leave_again

junction_entry_odd_flags:
    pushq   $FLAGS_ALWAYS
    popfq
    jmp     junction_entry_call

    .globl junction_leave
    .globl junction_leave_again
junction_leave:
junction_leave_again:
    mov     %gs:KT_CURRENT, %r11
    cmpl    $0, %gs:KT_ATTENTION
    jne     junction_leave_attention
    cmpl    $0, UT_FULL_FRAME(%r11)
    jne     junction_leave_full
    testl   $FLAGS_OF_GUEST_ALONE, UT_RFLAGS(%r11)
    jnz     junction_leave_odd_flags
    movl    $0, %gs:KT_IN_KERNEL
    mov     UT_RFLAGS(%r11), %rcx           // the arithmetic flags; popf would take 20 times as long
    mov     %ecx, %eax
    shr     $11, %eax
    and     $1, %eax
    mov     %cl, %ah
    add     $0x7f, %al                      // OF
    sahf                                    // the others
    mov     UT_RAX(%r11), %rax
    mov     UT_RDI(%r11), %rdi
    mov     UT_RSI(%r11), %rsi
    mov     UT_RDX(%r11), %rdx
    mov     UT_R10(%r11), %r10
    mov     UT_R8(%r11), %r8
    mov     UT_R9(%r11), %r9
    mov     UT_RBX(%r11), %rbx
    mov     UT_RBP(%r11), %rbp
    mov     UT_R12(%r11), %r12
    mov     UT_R13(%r11), %r13
    mov     UT_R14(%r11), %r14
    mov     UT_R15(%r11), %r15
    mov     UT_RIP(%r11), %rcx
    mov     UT_RSP(%r11), %rsp
    jmp     *%rcx

// A call made with one of the odd flags set: only iretq brings it back cheaply enough to care.
junction_leave_odd_flags:
    mov     UT_RIP(%r11), %rcx
    mov     %rcx, UT_RCX(%r11)
    mov     UT_RFLAGS(%r11), %rcx
    mov     %rcx, UT_R11(%r11)

// All registers, flags too: after an interrupt, into a signal handler, back from one.
junction_leave_full:
    mov     UT_STACK_TOP(%r11), %rsp
    movl    $0, %gs:KT_IN_KERNEL
    pushq   $USER_SS
    pushq   UT_RSP(%r11)
    pushq   UT_RFLAGS(%r11)
    pushq   $USER_CS
    pushq   UT_RIP(%r11)
    mov     UT_RAX(%r11), %rax
    mov     UT_RDI(%r11), %rdi
    mov     UT_RSI(%r11), %rsi
    mov     UT_RDX(%r11), %rdx
    mov     UT_R10(%r11), %r10
    mov     UT_R8(%r11), %r8
    mov     UT_R9(%r11), %r9
    mov     UT_RCX(%r11), %rcx
    mov     UT_RBX(%r11), %rbx
    mov     UT_RBP(%r11), %rbp
    mov     UT_R12(%r11), %r12
    mov     UT_R13(%r11), %r13
    mov     UT_R14(%r11), %r14
    mov     UT_R15(%r11), %r15
    mov     UT_R11(%r11), %r11
    iretq
    .globl junction_leave_end
junction_leave_end:

junction_leave_attention:
    mov     UT_STACK_TOP(%r11), %rsp
    call    junction_leave_slow
    jmp     junction_leave_again

// A host signal handler has put the guest's registers into the frame and its reason into attention.
    .globl junction_interrupt_entry
junction_interrupt_entry:
    cld
    jmp     junction_leave_again

// The first act of a new uthread.
    .globl junction_uthread_start
junction_uthread_start:
    xor     %ebp, %ebp
    call    junction_first_switch
    jmp     junction_leave_again

// size_t junction_copy(void* to, const void* from, size_t size): returns the bytes not copied; a fault ends it early (fault table).
    .balign 64
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

    .section .note.GNU-stack, "", @progbits
