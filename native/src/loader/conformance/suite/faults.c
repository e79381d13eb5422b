/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of the program itself as signals: what the handler is told, how it goes on, and what happens without one. */
#include "suite.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>

static sigjmp_buf jump;
static volatile siginfo_t fault_info;
static volatile greg_t fault_rip;
static volatile greg_t fault_error;

static void note_and_jump(int signal, siginfo_t* info, void* context) {
  (void)signal;
  fault_info.si_signo = info->si_signo;
  fault_info.si_code = info->si_code;
  fault_info.si_addr = info->si_addr;
  fault_rip = ((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP];
  fault_error = ((ucontext_t*)context)->uc_mcontext.gregs[REG_ERR];
  siglongjmp(jump, 1);
}

/* Runs `body`, which must fault, and checks what the handler was told. */
static void expect_fault(int signal, int code, void (*body)(void)) {
  install_info(signal, note_and_jump, 0);
  if (sigsetjmp(jump, 1) == 0) {
    body();
    EXPECT(!"a fault");
  }
  EXPECT_EQ(fault_info.si_signo, signal);
  EXPECT_EQ(fault_info.si_code, code);
}

static char* page;
static char* map_page(int protection) {
  page = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(page != MAP_FAILED);
  return page;
}

static void write_page(void) { *(volatile char*)(page + 5) = 1; }
static void read_page(void) { (void)*(volatile char*)(page + 5); }
static void call_page(void) { ((void (*)(void))(uintptr_t)page)(); }
static void write_null(void) { *(volatile int*)0 = 1; }
static void read_noncanonical(void) { (void)*(volatile char*)0x1234567812345678; }
static void jump_to_null(void) { ((void (*)(void))0)(); }
static void run_ud2(void) { __asm__ volatile("ud2"); }
static void run_privileged(void) { __asm__ volatile("hlt"); }
static void run_int3(void) { __asm__ volatile("int3"); }
static void divide(void) { __asm__ volatile("xor %%ecx, %%ecx; xor %%edx, %%edx; div %%ecx" ::: "rax", "rcx", "rdx"); }

CASE(write_to_nothing_is_maperr) {
  map_page(PROT_NONE);
  EXPECT_OK(munmap(page, 4096));
  expect_fault(SIGSEGV, SEGV_MAPERR, write_page);
  EXPECT(fault_info.si_addr == page + 5);
  EXPECT_EQ(fault_error & 2, 2); /* a write */
}

CASE(write_to_read_only_is_accerr) {
  map_page(PROT_READ);
  expect_fault(SIGSEGV, SEGV_ACCERR, write_page);
  EXPECT(fault_info.si_addr == page + 5);
}

CASE(read_of_prot_none_is_accerr) {
  map_page(PROT_NONE);
  expect_fault(SIGSEGV, SEGV_ACCERR, read_page);
  EXPECT(fault_info.si_addr == page + 5);
  EXPECT_EQ(fault_error & 2, 0);
}

CASE(execution_of_data_is_accerr) {
  map_page(PROT_READ | PROT_WRITE);
  expect_fault(SIGSEGV, SEGV_ACCERR, call_page);
  EXPECT(fault_info.si_addr == page);
  EXPECT_EQ(fault_rip, (greg_t)(uintptr_t)page);
}

CASE(null_pointers) {
  expect_fault(SIGSEGV, SEGV_MAPERR, write_null);
  EXPECT(fault_info.si_addr == NULL);
  expect_fault(SIGSEGV, SEGV_MAPERR, jump_to_null);
  EXPECT_EQ(fault_rip, 0);
}

CASE(noncanonical_address_is_a_general_protection_fault) {
  expect_fault(SIGSEGV, SI_KERNEL, read_noncanonical);
  EXPECT(fault_info.si_addr == NULL);
}

CASE(privileged_instruction_is_sigsegv) { expect_fault(SIGSEGV, SI_KERNEL, run_privileged); }

CASE(undefined_instruction_is_sigill) {
  expect_fault(SIGILL, ILL_ILLOPN, run_ud2);
  EXPECT_EQ(fault_rip, (greg_t)(uintptr_t)fault_info.si_addr);
}

CASE(division_by_zero_is_sigfpe) {
  expect_fault(SIGFPE, FPE_INTDIV, divide);
  EXPECT_EQ(fault_rip, (greg_t)(uintptr_t)fault_info.si_addr);
}

CASE(breakpoint_is_sigtrap) { expect_fault(SIGTRAP, SI_KERNEL, run_int3); }

static int file_fd;
static void read_past_the_end(void) { (void)*(volatile char*)(page + 4096 + 8); }

CASE(access_past_the_end_of_a_file_is_sigbus) {
  file_fd = scratch_file();
  EXPECT_EQ(write(file_fd, "abc", 3), 3);
  page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file_fd, 0);
  EXPECT(page != MAP_FAILED);
  EXPECT_EQ(page[3], 0); /* the rest of the last page is there */
  expect_fault(SIGBUS, BUS_ADRERR, read_past_the_end);
  EXPECT(fault_info.si_addr == page + 4096 + 8);
}

CASE(access_after_truncation_is_sigbus) {
  file_fd = scratch_file();
  EXPECT_OK(ftruncate(file_fd, 4096));
  page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file_fd, 0);
  page[5] = 1;
  EXPECT_OK(ftruncate(file_fd, 0));
  expect_fault(SIGBUS, BUS_ADRERR, write_page);
}

static void make_writable(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  char* const start = (char*)((uintptr_t)info->si_addr & ~4095UL);
  EXPECT_OK(mprotect(start, 4096, PROT_READ | PROT_WRITE));
  atomic_fetch_add(&handled, 1);
}

CASE(handler_repairs_and_returns) {
  install_info(SIGSEGV, make_writable, 0);
  char* const pages = mmap(NULL, 100 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(pages != MAP_FAILED);
  for (int i = 0; i < 100; ++i) {
    *(volatile char*)(pages + i * 4096) = (char)i;
  }
  EXPECT_EQ(atomic_load(&handled), 100);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(pages[i * 4096], (char)i);
  }
}

CASE(handler_may_map_what_is_missing) {
  const pid_t pid = child_start();
  if (pid == 0) {
    map_page(PROT_READ);
    install_info(SIGSEGV, make_writable, SA_NODEFER | SA_ONSTACK);
    write_page();
    _exit(page[5]);
  }
  EXPECT_EQ(child_result(pid), 1);
}

static int faults_with(int signal, void (*body)(void)) {
  const pid_t pid = child_start();
  if (pid == 0) {
    if (signal != 0) {
      block_signal(signal);
    }
    body();
    _exit(0);
  }
  return child_result(pid);
}

CASE(faults_kill_without_a_handler) {
  map_page(PROT_READ);
  EXPECT_EQ(faults_with(0, write_page), -SIGSEGV);
  EXPECT_EQ(faults_with(0, run_ud2), -SIGILL);
  EXPECT_EQ(faults_with(0, divide), -SIGFPE);
  EXPECT_EQ(faults_with(0, run_int3), -SIGTRAP);
  EXPECT_EQ(faults_with(0, jump_to_null), -SIGSEGV);
}

CASE(blocked_and_ignored_faults_kill_all_the_same) {
  EXPECT_EQ(faults_with(SIGSEGV, write_null), -SIGSEGV);
  signal(SIGSEGV, SIG_IGN);
  EXPECT_EQ(faults_with(0, write_null), -SIGSEGV);
  install(SIGSEGV, count_signal, 0);
  EXPECT_EQ(faults_with(SIGSEGV, write_null), -SIGSEGV);
}

static void fault_again(int signal) {
  (void)signal;
  write_null();
}

CASE(fault_in_its_own_handler_kills) {
  install(SIGSEGV, fault_again, 0);
  EXPECT_EQ(faults_with(0, write_null), -SIGSEGV);
}

CASE(sent_fault_signals_are_ordinary_signals) {
  install(SIGSEGV, count_signal, 0);
  EXPECT_OK(raise(SIGSEGV));
  EXPECT_OK(kill(getpid(), SIGSEGV));
  EXPECT_EQ(atomic_load(&handled), 2);
  block_signal(SIGSEGV);
  EXPECT_OK(raise(SIGSEGV));
  EXPECT_EQ(atomic_load(&handled), 2);
}

static __thread sigjmp_buf own_jump;
static void jump_in_thread(int signal) { siglongjmp(own_jump, signal); }
static void* fault_often(void* unused) {
  (void)unused;
  for (volatile int i = 0; i < 200; ++i) {
    if (sigsetjmp(own_jump, 1) == 0) {
      write_null();
    }
  }
  return NULL;
}

CASE(faults_in_several_threads) {
  pthread_t threads[4];
  install(SIGSEGV, jump_in_thread, 0);
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    threads[i] = thread_start(fault_often, NULL);
  }
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
}

CASE(code_made_at_run_time_runs_and_makes_calls) {
  static const unsigned char code[] = {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3}; /* mov $39 (getpid), %eax; syscall; ret */
  map_page(PROT_READ | PROT_WRITE);
  memcpy(page, code, sizeof(code));
  EXPECT_OK(mprotect(page, 4096, PROT_READ | PROT_EXEC));
  EXPECT_EQ(((long (*)(void))(uintptr_t)page)(), getpid());
  EXPECT_OK(mprotect(page, 4096, PROT_READ | PROT_WRITE));
  page[1] = 110; /* getppid */
  EXPECT_OK(mprotect(page, 4096, PROT_READ | PROT_EXEC));
  EXPECT_EQ(((long (*)(void))(uintptr_t)page)(), getppid());
}

static int recurse(int depth) {
  volatile char frame[4000];
  frame[0] = (char)depth;
  return depth == 0 ? 0 : recurse(depth - 1) + (frame[0] == (char)depth);
}

CASE(the_main_stack_grows) { EXPECT_EQ(recurse(1500), 1500); } /* 6 of the usual 8 MB */
