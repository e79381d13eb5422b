/* SPDX-License-Identifier: Apache-2.0 */
/* futex(2): wait, wake, bitsets, requeue, wake_op, timeouts, and errors. A waiter cannot be seen from outside, so that cases wake
 * until the count says that it was there. */
#include "suite.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static atomic_uint word;
static atomic_uint other;
static atomic_int woken;

static long futex(atomic_uint* address, int op, unsigned value, const void* timeout, atomic_uint* second,
                  unsigned third) {
  return syscall(SYS_futex, address, op, value, timeout, second, third);
}

static void* wait_on_word(void* unused) {
  (void)unused;
  EXPECT_EQ(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), 0);
  atomic_fetch_add(&woken, 1);
  return NULL;
}

static void wake_until(atomic_uint* address, int op, int each, int total) {
  while (total > 0) {
    const long count = futex(address, op, (unsigned)each, NULL, NULL, 0);
    EXPECT(count >= 0 && count <= each);
    total -= (int)count;
    if (count == 0) {
      sched_yield();
    }
  }
  EXPECT_EQ(total, 0);
}

/* ---- requeueing ----
 * Linux may send a waiter that is just going to sleep when it is requeued back to the word where it began. So these run anew in another
 * process until the counts fit, a few times at most. */

static void start_waiters(pthread_t* threads, int count) {
  for (int i = 0; i < count; ++i) {
    threads[i] = thread_start(wait_on_word, NULL);
  }
}

/* Puts all `count` waiters of word on `other`. */
static void requeue_all(int count) {
  while (count > 0) {
    const long moved = futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void*)(uintptr_t)INT_MAX, &other, 0);
    EXPECT(moved >= 0);
    count -= (int)moved;
    sched_yield();
  }
}

static void wake_everywhere(pthread_t* threads, int count) {
  while (atomic_load(&woken) < count) {
    EXPECT_OK(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0));
    EXPECT_OK(futex(&other, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0));
    sched_yield();
  }
  for (int i = 0; i < count; ++i) {
    thread_join(threads[i]);
  }
}

/* `attempt` tells whether all counts were as expected. */
static int fits_within_attempts(int (*attempt)(void)) {
  for (int i = 0; i < 10; ++i) {
    const pid_t pid = child_start();
    if (pid == 0) {
      _exit(attempt() ? 0 : 1);
    }
    if (child_result(pid) == 0) {
      return 1;
    }
  }
  return 0;
}

CASE(wait_with_another_value_is_eagain) {
  EXPECT_ERR(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
  EXPECT_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EAGAIN);
}

CASE(wait_times_out) {
  const struct timespec timeout = {0, 5000000};
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  EXPECT_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, &timeout, NULL, 0), ETIMEDOUT);
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - start, 5000000);
}

CASE(wait_with_zero_timeout) {
  const struct timespec timeout = {0, 0};
  EXPECT_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, &timeout, NULL, 0), ETIMEDOUT);
  EXPECT_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 7, &timeout, NULL, 0), EAGAIN);
}

CASE(wait_with_bad_timeout_is_einval) {
  const struct timespec negative = {-1, 0};
  const struct timespec too_many_ns = {0, 1000000000};
  EXPECT_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, &negative, NULL, 0), EINVAL);
  EXPECT_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, &too_many_ns, NULL, 0), EINVAL);
}

CASE(misaligned_address_is_einval) {
  static char bytes[8] __attribute__((aligned(8)));
  atomic_uint* const odd = (atomic_uint*)(void*)(bytes + 1);
  EXPECT_ERR(futex(odd, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EINVAL);
  EXPECT_ERR(futex(odd, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
}

CASE(bad_addresses_are_efault) {
  void* const hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(hole != MAP_FAILED);
  EXPECT_ERR(futex(hole, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
  EXPECT_ERR(futex(hole, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
  EXPECT_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, hole, NULL, 0), EFAULT);
  EXPECT_ERR(futex((atomic_uint*)(uintptr_t)0xffff800000000000UL, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EFAULT);
}

CASE(unknown_operation_is_enosys) {
  EXPECT_ERR(futex(&word, 99, 0, NULL, NULL, 0), ENOSYS);
  /* FUTEX_CLOCK_REALTIME only goes with operations that have an absolute time. */
  EXPECT_ERR(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
}

CASE(wake_without_waiters) {
  EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
  EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
  EXPECT_EQ(futex(&word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0), 0);
}

CASE(wake_one_at_a_time) {
  pthread_t threads[4];
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    threads[i] = thread_start(wait_on_word, NULL);
  }
  wake_until(&word, FUTEX_WAKE_PRIVATE, 1, 4);
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
  EXPECT_EQ(atomic_load(&woken), 4);
}

CASE(wake_all) {
  pthread_t threads[8];
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    threads[i] = thread_start(wait_on_word, NULL);
  }
  wake_until(&word, FUTEX_WAKE_PRIVATE, INT_MAX, 8);
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
}

static void* wait_for_bits(void* bits) {
  EXPECT_EQ(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (unsigned)(uintptr_t)bits), 0);
  atomic_fetch_or(&woken, (int)(uintptr_t)bits);
  return NULL;
}

static void wake_bits(unsigned bits) {
  while (futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, bits) == 0) {
    sched_yield();
  }
}

CASE(bitset_wakes_only_matching_waiters) {
  const pthread_t first = thread_start(wait_for_bits, (void*)1);
  const pthread_t second = thread_start(wait_for_bits, (void*)2);
  wake_bits(2);
  thread_join(second);
  EXPECT_EQ(atomic_load(&woken), 2);
  EXPECT_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 6), 0);
  wake_bits(1);
  thread_join(first);
  EXPECT_EQ(atomic_load(&woken), 3);
}

CASE(plain_wake_wakes_bitset_waiters) {
  const pthread_t thread = thread_start(wait_for_bits, (void*)4);
  wake_until(&word, FUTEX_WAKE_PRIVATE, 1, 1);
  thread_join(thread);
}

CASE(bitset_of_zero_is_einval) {
  EXPECT_ERR(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 0), EINVAL);
  EXPECT_ERR(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 0), EINVAL);
}

CASE(bitset_timeout_is_absolute) {
  const unsigned any = FUTEX_BITSET_MATCH_ANY;
  struct timespec until = after_ms(CLOCK_MONOTONIC, 5);
  EXPECT_ERR(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &until, NULL, any), ETIMEDOUT);
  EXPECT_GE(now_ns(CLOCK_MONOTONIC), until.tv_sec * 1000000000LL + until.tv_nsec);
  EXPECT_ERR(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &until, NULL, any), ETIMEDOUT);
  until = after_ms(CLOCK_REALTIME, 5);
  EXPECT_ERR(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &until, NULL, any), ETIMEDOUT);
  EXPECT_GE(now_ns(CLOCK_REALTIME), until.tv_sec * 1000000000LL + until.tv_nsec);
}

static int move_three(void) {
  pthread_t threads[3];
  start_waiters(threads, 3);
  requeue_all(3);
  const int fits = futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 0 && atomic_load(&woken) == 0 &&
                   futex(&other, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1 &&
                   futex(&other, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 2;
  wake_everywhere(threads, 3);
  return fits;
}

CASE(requeue_moves_waiters) { EXPECT(fits_within_attempts(move_three)); }

static int wake_two_and_move_one(void) {
  pthread_t threads[4];
  start_waiters(threads, 4);
  requeue_all(4);
  /* From `other` back to word: two woken, one moved, one left. */
  const int fits = futex(&other, FUTEX_REQUEUE_PRIVATE, 2, (void*)1, &word, 0) == 3 &&
                   futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 1 &&
                   futex(&other, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 1;
  wake_everywhere(threads, 4);
  return fits;
}

CASE(requeue_wakes_some_and_moves_the_rest) { EXPECT(fits_within_attempts(wake_two_and_move_one)); }

CASE(cmp_requeue_with_another_value_is_eagain) {
  EXPECT_ERR(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void*)1, &other, 5), EAGAIN);
}

CASE(negative_counts_are_einval) {
  EXPECT_ERR(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, (unsigned)-1, (void*)1, &other, 0), EINVAL);
  EXPECT_ERR(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void*)(uintptr_t)-1, &other, 0), EINVAL);
}

CASE(wake_op_changes_the_second_word) {
  static const struct {
    unsigned op;
    unsigned argument;
    unsigned before;
    unsigned after;
  } rows[] = {{FUTEX_OP_SET, 7, 5, 7},
              {FUTEX_OP_ADD, 3, 5, 8},
              {FUTEX_OP_OR, 6, 9, 15},
              {FUTEX_OP_ANDN, 6, 7, 1},
              {FUTEX_OP_XOR, 5, 15, 10},
              {FUTEX_OP_ADD, 0xfff, 5, 4},
              {FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 4, 1, 17}};
  for (size_t i = 0; i < COUNT_OF(rows); ++i) {
    atomic_store(&other, rows[i].before);
    const unsigned op = FUTEX_OP(rows[i].op, rows[i].argument, FUTEX_OP_CMP_EQ, 0);
    EXPECT_EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &other, op), 0);
    EXPECT_EQ(atomic_load(&other), rows[i].after);
  }
}

static void* wait_on_other(void* unused) {
  (void)unused;
  EXPECT_EQ(futex(&other, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), 0);
  return NULL;
}

CASE(wake_op_wakes_on_the_second_word_only_if_it_compares) {
  const pthread_t thread = thread_start(wait_on_other, NULL);
  const unsigned never = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_NE, 0);
  const unsigned always = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_LE, 0);
  for (long count = 0; count == 0;) {
    EXPECT_EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &other, never), 0);
    sched_yield();
    count = futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &other, always);
    EXPECT(count == 0 || count == 1);
  }
  thread_join(thread);
}

/* A waiter on the second word, which has `value`: whether wake_op wakes it. */
static int wakes_if(unsigned compare, int value, int than) {
  pthread_t thread;
  start_waiters(&thread, 1);
  requeue_all(1);
  atomic_store(&other, (unsigned)value);
  const unsigned op = FUTEX_OP(FUTEX_OP_ADD, 0, compare, (unsigned)than & 0xfff);
  const long count = futex(&word, FUTEX_WAKE_OP_PRIVATE, 0, (void*)1, &other, op);
  const long rest = futex(&other, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  wake_everywhere(&thread, 1);
  return count + rest == 1 ? (int)count : -1;
}

static int lower(void) { return wakes_if(FUTEX_OP_CMP_LT, -2, -1) == 1; }
static int not_greater(void) { return wakes_if(FUTEX_OP_CMP_GT, -2, -1) == 0; }
static int greater_or_equal(void) { return wakes_if(FUTEX_OP_CMP_GE, 3, 3) == 1; }

CASE(wake_op_compares_signed) {
  EXPECT(fits_within_attempts(lower));
  EXPECT(fits_within_attempts(not_greater));
  EXPECT(fits_within_attempts(greater_or_equal));
}

CASE(wake_op_unknown_operation_is_enosys) {
  EXPECT_ERR(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &other, FUTEX_OP(7, 0, FUTEX_OP_CMP_EQ, 0)), ENOSYS);
}

CASE(wake_op_bad_second_word_is_efault) {
  void* const hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_ERR(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, hole, FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0)),
             EFAULT);
}

CASE(signal_ends_a_wait_with_eintr) {
  install(SIGALRM, count_signal, 0);
  tick_every_us(2000);
  EXPECT_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EINTR);
  const struct timespec long_time = {100, 0};
  EXPECT_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, &long_time, NULL, 0), EINTR);
  EXPECT(atomic_load(&handled) > 0);
}

static void change_word(int signal) {
  (void)signal;
  if (atomic_fetch_add(&handled, 1) == 2) {
    atomic_store(&word, 1);
  }
}

CASE(wait_restarts_and_looks_at_the_word_again) {
  install(SIGALRM, change_word, SA_RESTART);
  tick_every_us(2000);
  EXPECT_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EAGAIN);
  EXPECT_GE(atomic_load(&handled), 3);
}

CASE(wait_with_timeout_restarts_not) {
  /* It has a restart block, which a handler turns into EINTR even with SA_RESTART. */
  install(SIGALRM, count_signal, SA_RESTART);
  const struct timespec long_time = {100, 0};
  tick_every_us(2000);
  EXPECT_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, &long_time, NULL, 0), EINTR);
}

CASE(shared_across_fork) {
  atomic_uint* const shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT(shared != MAP_FAILED);
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_EQ(futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0), 0);
    _exit(3);
  }
  wake_until(shared, FUTEX_WAKE, 1, 1);
  EXPECT_EQ(child_result(pid), 3);
}

CASE(private_memory_is_not_shared_across_fork) {
  const pid_t pid = child_start();
  if (pid == 0) {
    const struct timespec timeout = {0, 20000000};
    EXPECT_ERR(futex(&word, FUTEX_WAIT, 0, &timeout, NULL, 0), ETIMEDOUT);
    _exit(0);
  }
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(futex(&word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0), 0);
  }
  EXPECT_EQ(child_result(pid), 0);
}

static void* wait_shared(void* address) {
  EXPECT_EQ(futex(address, FUTEX_WAIT, 0, NULL, NULL, 0), 0);
  return NULL;
}

CASE(two_mappings_of_a_file_are_one_word) {
  const int fd = scratch_file();
  EXPECT_OK(ftruncate(fd, 4096));
  atomic_uint* const one = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  atomic_uint* const two = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  EXPECT(one != MAP_FAILED && two != MAP_FAILED && one != two);
  const pthread_t thread = thread_start(wait_shared, one + 5);
  wake_until(two + 5, FUTEX_WAKE, 1, 1);
  thread_join(thread);
}

static void* wait_on_shared(void* address) {
  futex(address, FUTEX_WAIT, 0, NULL, NULL, 0);
  return NULL;
}

/* Killed by the host, not by the kernel that keeps the waiters. */
CASE(waiter_of_a_process_that_the_cpu_limit_killed_takes_no_wake_up) {
  atomic_uint* const shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const pid_t killed = child_start();
  if (killed == 0) {
    const struct rlimit one_second = {1, 1};
    thread_start(wait_on_shared, shared);
    EXPECT_OK(setrlimit(RLIMIT_CPU, &one_second));
    for (;;) {
    }
  }
  EXPECT_EQ(child_result(killed), -SIGKILL);
  EXPECT_EQ(futex(shared, FUTEX_WAKE, INT_MAX, NULL, NULL, 0), 0);
}
