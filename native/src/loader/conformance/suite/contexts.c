/* SPDX-License-Identifier: Apache-2.0 */
/* What an interrupted program keeps, and what its handler may change of it. */
#include "suite.h"

#include <setjmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <sys/wait.h>

static sigjmp_buf jump;
static void jump_back(int signal) { siglongjmp(jump, signal); }

static void after_jump(void) { _exit(55); }

static void go_elsewhere(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  greg_t* const registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  registers[REG_RSP] = (registers[REG_RSP] - 256) / 16 * 16 - 8; /* as after a call */
  registers[REG_RIP] = (greg_t)(uintptr_t)after_jump;
}

CASE(handler_may_change_rip) {
  const pid_t pid = child_start();
  if (pid == 0) {
    install_info(SIGUSR1, go_elsewhere, 0);
    raise(SIGUSR1);
    _exit(1);
  }
  EXPECT_EQ(child_result(pid), 55);
}

static void change_rax(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  greg_t* const registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  registers[REG_RAX] = 4242;
  registers[REG_RIP] += 2; /* past ud2 */
}

CASE(handler_may_change_rax) {
  install_info(SIGILL, change_rax, 0);
  uint64_t result = 1;
  __asm__ volatile("ud2" : "+a"(result));
  EXPECT_EQ(result, 4242);
}

CASE(registers_survive_a_handler) {
  install(SIGUSR1, count_signal, 0);
  uint64_t rbx = 1, r12 = 2, r13 = 3, r14 = 4, result;
  const pid_t pid = getpid();
  __asm__ volatile(
      "mov %[b], %%rbx; mov %[c], %%r12; mov %[d], %%r13; mov %[e], %%r14\n"
      "movq %%rbx, %%xmm7; pxor %%xmm8, %%xmm8\n"
      "mov $62, %%eax; syscall\n" /* kill: the handler runs before the next instruction */
      "movq %%xmm7, %%rcx; sub %%rbx, %%rcx; add %%rcx, %%rax\n"
      "mov %%rbx, %[b]; mov %%r12, %[c]; mov %%r13, %[d]; mov %%r14, %[e]"
      : "=&a"(result), [b] "+m"(rbx), [c] "+m"(r12), [d] "+m"(r13), [e] "+m"(r14)
      : "D"((uint64_t)pid), "S"((uint64_t)SIGUSR1)
      : "rbx", "rcx", "r11", "r12", "r13", "r14", "xmm7", "xmm8", "memory");
  EXPECT_EQ(result, 0);
  EXPECT(rbx == 1 && r12 == 2 && r13 == 3 && r14 == 4);
  EXPECT_EQ(atomic_load(&handled), 1);
}

CASE(the_red_zone_is_left_alone) {
  /* A handler must not write to the 128 bytes below the stack pointer. */
  install(SIGALRM, count_signal, SA_RESTART);
  tick_every_us(500);
  uint64_t wrong = 0;
  while (atomic_load(&handled) < 20) {
    uint64_t value;
    __asm__ volatile(
        "movq $0x1234567, -8(%%rsp); movq $0x7654321, -120(%%rsp)\n"
        "mov $10000, %%ecx; 1: dec %%ecx; jnz 1b\n"
        "mov -8(%%rsp), %0; sub $0x1234567, %0; mov -120(%%rsp), %%rcx; sub $0x7654321, %%rcx; or %%rcx, %0"
        : "=&r"(value)
        :
        : "rcx", "cc", "memory");
    wrong |= value;
  }
  EXPECT_EQ(wrong, 0);
}

CASE(longjmp_out_of_a_handler_restores_the_mask) {
  sigset_t set;
  install(SIGUSR1, jump_back, 0);
  for (int i = 0; i < 100; ++i) {
    if (sigsetjmp(jump, 1) == 0) {
      raise(SIGUSR1);
      EXPECT(!"reached");
    }
  }
  EXPECT_OK(sigprocmask(SIG_SETMASK, NULL, &set));
  EXPECT_EQ(sigismember(&set, SIGUSR1), 0);
}

static void disturb_vectors(int signal) {
  (void)signal;
  __asm__ volatile(
      "pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm5, %%xmm5; pcmpeqd %%xmm9, %%xmm9; pcmpeqd %%xmm15, %%xmm15\n"
      "fninit; fld1; fld1; fld1" ::
          : "xmm0", "xmm5", "xmm9", "xmm15", "memory");
  __asm__ volatile("fninit");
  atomic_fetch_add(&handled, 1);
}

CASE(vector_registers_survive_handlers) {
  install(SIGALRM, disturb_vectors, SA_RESTART);
  tick_every_us(500);
  uint64_t wrong = 0;
  while (atomic_load(&handled) < 20) {
    uint64_t value;
    __asm__ volatile(
        "mov $0x123456789, %%rax; movq %%rax, %%xmm0; movq %%rax, %%xmm5; movq %%rax, %%xmm9; movq %%rax, %%xmm15\n"
        "mov $10000, %%ecx; 1: dec %%ecx; jnz 1b\n"
        "movq %%xmm0, %0; xor %%rax, %0; movq %%xmm5, %%rcx; xor %%rax, %%rcx; or %%rcx, %0\n"
        "movq %%xmm9, %%rcx; xor %%rax, %%rcx; or %%rcx, %0; movq %%xmm15, %%rcx; xor %%rax, %%rcx; or %%rcx, %0"
        : "=&r"(value)
        :
        : "rax", "rcx", "xmm0", "xmm5", "xmm9", "xmm15", "cc", "memory");
    wrong |= value;
  }
  EXPECT_EQ(wrong, 0);
}

CASE(vector_registers_survive_calls) {
  const uint64_t before = 0x123456789;
  uint64_t after[4];
  int fds[2];
  make_pipe(fds);
  put_byte(fds[1]);
  char byte;
  __asm__ volatile(
      "movq %[before], %%xmm0; movq %[before], %%xmm7; movq %[before], %%xmm8; movq %[before], %%xmm15\n"
      "xor %%eax, %%eax; syscall\n" /* read */
      "movq %%xmm0, %0; movq %%xmm7, %1; movq %%xmm8, %2; movq %%xmm15, %3"
      : "=m"(after[0]), "=m"(after[1]), "=m"(after[2]), "=m"(after[3])
      : [before] "r"(before), "D"((uint64_t)fds[0]), "S"(&byte), "d"(1UL)
      : "rax", "rcx", "r11", "xmm0", "xmm7", "xmm8", "xmm15", "memory");
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(after[i], before);
  }
}

CASE(registers_survive_calls) {
  /* All but rax, rcx and r11. */
  uint64_t sum;
  __asm__ volatile(
      "mov $1, %%rbx; mov $2, %%rdx; mov $3, %%rsi; mov $4, %%rdi; mov $5, %%r8; mov $6, %%r9; mov $7, %%r10\n"
      "mov $8, %%r12; mov $9, %%r13; mov $10, %%r14; mov $11, %%r15\n"
      "mov $39, %%eax; stc; std; syscall\n" /* getpid: even the direction flag is kept */
      "setc %%al; pushf; pop %%rcx; cld; shr $10, %%rcx; and $1, %%ecx; movzx %%al, %%eax; add %%rcx, %%rax\n"
      "add %%rbx, %%rax; add %%rdx, %%rax; add %%rsi, %%rax; add %%rdi, %%rax; add %%r8, %%rax; add %%r9, %%rax\n"
      "add %%r10, %%rax; add %%r12, %%rax; add %%r13, %%rax; add %%r14, %%rax; add %%r15, %%rax"
      : "=&a"(sum)
      :
      : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
  EXPECT_EQ(sum, 66 + 2);
}

/* Linux runs with flags of its own and gives back what it found. */
enum { kDirection = 0x400, kNestedTask = 0x4000, kAlignmentCheck = 0x40000 };

static long call_with_flags(uint64_t flags, long number, const void* first, void* second) {
  long result;
  uint64_t kept;
  __asm__ volatile(
      "pushfq\n orq %[flags], (%%rsp)\n popfq\n"
      "syscall\n"
      "pushfq\n popq %[kept]\n"
      "pushq $0x202\n popfq"
      : "=a"(result), [kept] "=&r"(kept)
      : "a"(number), "D"(first), "S"(second), [flags] "r"(flags), "d"(4000L)
      : "rcx", "r11", "memory", "cc");
  EXPECT_EQ(kept & (kDirection | kNestedTask | kAlignmentCheck), flags);
  return result;
}

CASE(calls_work_with_odd_flags_and_keep_them) {
  static const uint64_t all[] = {kDirection, kNestedTask, kAlignmentCheck, kDirection | kNestedTask | kAlignmentCheck};
  char odd[4096];
  install(SIGUSR1, count_signal, 0);
  for (size_t i = 0; i < COUNT_OF(all); ++i) {
    struct stat status;
    EXPECT_EQ(call_with_flags(all[i], SYS_stat, "/proc/self/exe", &status), 0);
    EXPECT(call_with_flags(all[i], SYS_readlink, "/proc/self/exe", odd + 1) > 0);
    EXPECT_EQ(call_with_flags(all[i], SYS_sched_yield, NULL, NULL), 0);
    EXPECT_EQ(call_with_flags(all[i], SYS_tkill, (void*)(intptr_t)thread_id(), (void*)SIGUSR1), 0);
    EXPECT_EQ(handled, i + 1);
  }
}

CASE(signals_come_while_odd_flags_are_set) {
  install(SIGALRM, count_signal, 0);
  const struct itimerval often = {{0, 1000}, {0, 1000}};
  EXPECT_OK(setitimer(ITIMER_REAL, &often, NULL));
  while (handled < 20) {
    __asm__ volatile(
        "pushfq\n orq $0x44000, (%%rsp)\n popfq\n"
        "mov $10000, %%ecx\n 1: dec %%ecx\n jnz 1b\n"
        "pushq $0x202\n popfq" ::
            : "rcx", "cc", "memory");
  }
}
