// SPDX-License-Identifier: Apache-2.0
// Vector registers, MXCSR and x87 state of threads that take turns on one core, by waiting and by preemption, each with its own mix of
// components in use: every one must keep its own values, and upper halves that it does not use must stay zero.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xmmintrin.h>

enum { kThreads = 12, kRounds = 300 };

struct Registers {
  uint8_t low[16][64];   // zmm0 to zmm15, as wide as the kind has them
  uint8_t high[16][64];  // zmm16 to zmm31
  uint64_t opmask[8];
  uint32_t mxcsr;
  uint16_t x87_control;
};

// What a thread keeps in its registers.
enum Kind { kSse, kAvx, kAvx512, kX87 };

static int g_has_avx512;
static atomic_int g_failures;
static atomic_int g_signals;

#define EACH16(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define TEXT(x) #x
#define LOAD_XMM(n) "movups " TEXT(n) "*64(%0), %%xmm" TEXT(n) "\n"
#define LOAD_YMM(n) "vmovups " TEXT(n) "*64(%0), %%ymm" TEXT(n) "\n"
#define LOAD_ZMM(n) "vmovups " TEXT(n) "*64(%0), %%zmm" TEXT(n) "\n"
#define SAVE_XMM(n) "movups %%xmm" TEXT(n) ", " TEXT(n) "*64(%0)\n"
#define SAVE_YMM(n) "vmovups %%ymm" TEXT(n) ", " TEXT(n) "*64(%0)\n"
#define SAVE_ZMM(n) "vmovups %%zmm" TEXT(n) ", " TEXT(n) "*64(%0)\n"
// Register numbers cannot be computed in the assembler, so these are written out.
#define EACH_HIGH(X) \
  X(16, 0)           \
  X(17, 1)           \
  X(18, 2)           \
  X(19, 3)           \
  X(20, 4) X(21, 5) X(22, 6) X(23, 7) X(24, 8) X(25, 9) X(26, 10) X(27, 11) X(28, 12) X(29, 13) X(30, 14) X(31, 15)
#define LOAD_HIGH_ZMM(r, n) "vmovups 1024+" TEXT(n) "*64(%0), %%zmm" TEXT(r) "\n"
#define SAVE_HIGH_ZMM(r, n) "vmovups %%zmm" TEXT(r) ", 1024+" TEXT(n) "*64(%0)\n"
#define EACH8(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define LOAD_K(n) "kmovq 2048+" TEXT(n) "*8(%0), %%k" TEXT(n) "\n"
#define SAVE_K(n) "kmovq %%k" TEXT(n) ", 2048+" TEXT(n) "*8(%0)\n"

// Loads everything, makes one raw getpid or spins for `spins`, saves everything: nothing between may touch a vector register.
static void Turn(enum Kind kind, const struct Registers* in, struct Registers* out, long call, long spins) {
  __asm__ volatile("ldmxcsr 2112(%0)" : : "r"(in) : "memory");
  if (kind == kX87) {
    __asm__ volatile("fldcw 2116(%0)" : : "r"(in) : "memory");
  }
  if (kind == kAvx512) {
    __asm__ volatile(EACH16(LOAD_ZMM) EACH_HIGH(LOAD_HIGH_ZMM) EACH8(LOAD_K) : : "r"(in) : "memory");
  } else if (kind == kAvx) {
    __asm__ volatile(EACH16(LOAD_YMM) : : "r"(in) : "memory");
  } else {
    __asm__ volatile("vzeroupper\n" EACH16(LOAD_XMM) : : "r"(in) : "memory");
  }
  if (spins != 0) {
    __asm__ volatile("1: dec %0\n jnz 1b" : "+r"(spins) : : "cc");
  } else {
    long result = call;
    __asm__ volatile("syscall" : "+a"(result) : : "rcx", "r11", "memory");
  }
  if (g_has_avx512) {
    __asm__ volatile(EACH16(SAVE_ZMM) EACH_HIGH(SAVE_HIGH_ZMM) EACH8(SAVE_K) : : "r"(out) : "memory");
  } else {
    __asm__ volatile(EACH16(SAVE_YMM) : : "r"(out) : "memory");
  }
  __asm__ volatile("stmxcsr 2112(%0)\n vzeroupper" : : "r"(out) : "memory");
  if (kind == kX87) {
    __asm__ volatile("fnstcw 2116(%0)" : : "r"(out) : "memory");
  }
}

static void Expect(int is_true, const char* what, int thread) {
  if (!is_true && atomic_fetch_add(&g_failures, 1) < 5) {
    printf("thread %d: %s\n", thread, what);
  }
}

static size_t Width(enum Kind kind) { return kind == kAvx512 ? 64 : kind == kAvx ? 32 : 16; }

static void Compare(enum Kind kind, const struct Registers* in, const struct Registers* out, int thread) {
  static const uint8_t kZeros[64];
  for (int i = 0; i < 16; ++i) {
    Expect(memcmp(in->low[i], out->low[i], Width(kind)) == 0, "its low registers changed", thread);
    Expect(memcmp(out->low[i] + Width(kind), kZeros, 64 - Width(kind)) == 0, "an upper half is not zero", thread);
  }
  if (kind == kAvx512) {
    Expect(memcmp(in->high, out->high, sizeof(in->high)) == 0, "its high registers changed", thread);
    Expect(memcmp(in->opmask, out->opmask, sizeof(in->opmask)) == 0, "its masks changed", thread);
  }
  Expect((in->mxcsr & 0xffc0) == (out->mxcsr & 0xffc0), "MXCSR changed", thread);
  Expect(kind != kX87 || in->x87_control == out->x87_control, "the x87 control word changed", thread);
}

static void* Run(void* argument) {
  const int thread = (int)(long)argument;
  const enum Kind kind = thread % 4 == kAvx512 && !g_has_avx512 ? kAvx : (enum Kind)(thread % 4);
  struct Registers in;
  struct Registers out;
  for (int round = 0; round < kRounds; ++round) {
    memset(&in, thread * 16 + round % 16 + 1, sizeof(in));
    memset(&out, 0, sizeof(out));
    in.mxcsr = 0x1f80 | (uint32_t)(thread % 4) << 13;  // rounding mode
    in.x87_control = (uint16_t)(0x37f & ~(3 << 8)) | (uint16_t)((thread / 4 % 2 ? 3 : 2) << 8);
    Turn(kind, &in, &out, 24 /* sched_yield */, round % 10 == 9 ? 3000000 : 0);
    Compare(kind, &in, &out, thread);
  }
  __asm__ volatile("ldmxcsr %0" : : "m"((uint32_t){0x1f80}));
  return NULL;
}

// Uses registers of its own: whatever it interrupts must not see them.
static void Handle(int number) {
  (void)number;
  struct Registers in;
  struct Registers out;
  memset(&in, 0xee, sizeof(in));
  memset(&out, 0, sizeof(out));
  in.mxcsr = 0x1f80;
  Turn(g_has_avx512 ? kAvx512 : kAvx, &in, &out, 39 /* getpid */, 0);
  atomic_fetch_add(&g_signals, 1);
}

int main(void) {
  if (!__builtin_cpu_supports("avx")) {
    puts("no AVX here");
    return 0;
  }
  g_has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
  struct sigaction action = {.sa_handler = Handle, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; ++i) {
    pthread_create(&threads[i], NULL, Run, (void*)i);
  }
  for (int i = 0; i < 200; ++i) {
    pthread_kill(threads[i % kThreads], SIGUSR1);
    sched_yield();
  }
  for (int i = 0; i < kThreads; ++i) {
    pthread_join(threads[i], NULL);
  }
  printf("%d failures, signals %s\n", atomic_load(&g_failures), atomic_load(&g_signals) > 0 ? "came" : "did not come");
  return atomic_load(&g_failures) != 0;
}
