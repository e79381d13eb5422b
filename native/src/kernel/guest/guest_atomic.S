// SPDX-License-Identifier: Apache-2.0
// Atomic steps on a guest's 32-bit word. A fault makes the result -EFAULT: each label before an access is in the fault table
// (fault_table.cc). Results are 64 bits wide, so that no value of the word looks like an error.
#define EFAULT_RESULT -14

    .text
// int64_t junction_load_32(const uint32_t* address)
    .globl junction_load_32
junction_load_32:
    .globl junction_load_32_at
junction_load_32_at:
    mov     (%rdi), %eax
    ret

// int64_t junction_store_32(uint32_t* address, uint32_t value): 0.
    .globl junction_store_32
junction_store_32:
    xor     %eax, %eax
    .globl junction_store_32_at
junction_store_32_at:
    mov     %esi, (%rdi)
    ret

// int64_t junction_compare_exchange_32(uint32_t* address, uint32_t expected, uint32_t desired): what was there.
    .globl junction_compare_exchange_32
junction_compare_exchange_32:
    mov     %esi, %eax
    .globl junction_compare_exchange_32_at
junction_compare_exchange_32_at:
    lock cmpxchg %edx, (%rdi)
    mov     %eax, %eax
    ret

    .globl junction_atomic_fault
junction_atomic_fault:
    mov     $EFAULT_RESULT, %rax
    ret

    .section .note.GNU-stack, "", @progbits
