/* SPDX-License-Identifier: Apache-2.0 */
/* Priority-inheriting futexes, robust lists, and what libc builds on futexes. */
#include "suite.h"

#include <linux/futex.h>
#include <semaphore.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static atomic_uint word;
static atomic_int stage;

static long futex_pi(atomic_uint* address, int op, const struct timespec* timeout) {
  return syscall(SYS_futex, address, op | FUTEX_PRIVATE_FLAG, 0, timeout, NULL, 0);
}

CASE(pi_lock_and_unlock) {
  EXPECT_EQ(futex_pi(&word, FUTEX_LOCK_PI, NULL), 0);
  EXPECT_EQ(atomic_load(&word) & FUTEX_TID_MASK, thread_id());
  EXPECT_EQ(futex_pi(&word, FUTEX_UNLOCK_PI, NULL), 0);
  EXPECT_EQ(atomic_load(&word), 0);
}

CASE(pi_lock_of_own_lock_is_edeadlk) {
  atomic_store(&word, (unsigned)thread_id());
  EXPECT_ERR(futex_pi(&word, FUTEX_LOCK_PI, NULL), EDEADLK);
  EXPECT_ERR(futex_pi(&word, FUTEX_TRYLOCK_PI, NULL), EDEADLK);
}

CASE(pi_unlock_by_another_is_eperm) {
  EXPECT_ERR(futex_pi(&word, FUTEX_UNLOCK_PI, NULL), EPERM);
  atomic_store(&word, (unsigned)thread_id() + 1);
  EXPECT_ERR(futex_pi(&word, FUTEX_UNLOCK_PI, NULL), EPERM);
}

CASE(pi_lock_of_a_dead_owner_is_esrch) {
  const pid_t pid = child_start();
  if (pid == 0) {
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
  atomic_store(&word, (unsigned)pid);
  EXPECT_ERR(futex_pi(&word, FUTEX_LOCK_PI, NULL), ESRCH);
}

/* Holds the lock as user space does, until stage 2. */
static void* hold_pi(void* unused) {
  (void)unused;
  atomic_store(&word, (unsigned)thread_id());
  atomic_store(&stage, 1);
  await_at_least(&stage, 2);
  EXPECT_EQ(futex_pi(&word, FUTEX_UNLOCK_PI, NULL), 0);
  return NULL;
}

CASE(pi_trylock_of_a_held_lock_is_eagain) {
  const pthread_t thread = thread_start(hold_pi, NULL);
  await_at_least(&stage, 1);
  EXPECT_ERR(futex_pi(&word, FUTEX_TRYLOCK_PI, NULL), EAGAIN);
  atomic_store(&stage, 2);
  thread_join(thread);
  EXPECT_EQ(futex_pi(&word, FUTEX_TRYLOCK_PI, NULL), 0);
}

CASE(pi_lock_times_out_at_a_realtime) {
  const pthread_t thread = thread_start(hold_pi, NULL);
  await_at_least(&stage, 1);
  const struct timespec until = after_ms(CLOCK_REALTIME, 5);
  EXPECT_ERR(futex_pi(&word, FUTEX_LOCK_PI, &until), ETIMEDOUT);
  EXPECT_GE(now_ns(CLOCK_REALTIME), until.tv_sec * 1000000000LL + until.tv_nsec);
  atomic_store(&stage, 2);
  thread_join(thread);
}

static void* lock_pi(void* unused) {
  (void)unused;
  EXPECT_EQ(futex_pi(&word, FUTEX_LOCK_PI, NULL), 0);
  EXPECT_EQ(atomic_load(&word) & FUTEX_TID_MASK, thread_id());
  atomic_store(&stage, 1);
  EXPECT_EQ(futex_pi(&word, FUTEX_UNLOCK_PI, NULL), 0);
  return NULL;
}

CASE(pi_unlock_hands_the_lock_over) {
  EXPECT_EQ(futex_pi(&word, FUTEX_LOCK_PI, NULL), 0);
  const pthread_t thread = thread_start(lock_pi, NULL);
  while ((atomic_load(&word) & FUTEX_WAITERS) == 0) {
    sched_yield();
  }
  EXPECT_EQ(atomic_load(&stage), 0);
  EXPECT_EQ(futex_pi(&word, FUTEX_UNLOCK_PI, NULL), 0);
  thread_join(thread);
  EXPECT_EQ(atomic_load(&word), 0);
}

struct counter {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int value;
};

static void* count_up(void* argument) {
  struct counter* const counter = argument;
  for (int i = 0; i < 5000; ++i) {
    EXPECT_EQ(pthread_mutex_lock(&counter->mutex), 0);
    ++counter->value;
    EXPECT_EQ(pthread_mutex_unlock(&counter->mutex), 0);
  }
  return NULL;
}

static void count_by_four(struct counter* counter) {
  pthread_t threads[4];
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    threads[i] = thread_start(count_up, counter);
  }
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
  EXPECT_EQ(counter->value, 20000);
}

static void init_counter(struct counter* counter, int protocol, int robust, int shared) {
  pthread_mutexattr_t attributes;
  EXPECT_EQ(pthread_mutexattr_init(&attributes), 0);
  EXPECT_EQ(pthread_mutexattr_setprotocol(&attributes, protocol), 0);
  EXPECT_EQ(pthread_mutexattr_setrobust(&attributes, robust), 0);
  EXPECT_EQ(pthread_mutexattr_setpshared(&attributes, shared), 0);
  EXPECT_EQ(pthread_mutex_init(&counter->mutex, &attributes), 0);
  counter->value = 0;
}

CASE(mutex_excludes) {
  static struct counter counter;
  init_counter(&counter, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
  count_by_four(&counter);
}

CASE(pi_mutex_excludes) {
  static struct counter counter;
  init_counter(&counter, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
  count_by_four(&counter);
}

CASE(robust_mutex_excludes) {
  static struct counter counter;
  init_counter(&counter, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE);
  count_by_four(&counter);
}

CASE(shared_mutex_excludes_processes) {
  struct counter* const counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT(counter != MAP_FAILED);
  init_counter(counter, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_SHARED);
  pid_t pids[3];
  for (size_t i = 0; i < COUNT_OF(pids); ++i) {
    pids[i] = child_start();
    if (pids[i] == 0) {
      count_up(counter);
      _exit(0);
    }
  }
  for (size_t i = 0; i < COUNT_OF(pids); ++i) {
    EXPECT_EQ(child_result(pids[i]), 0);
  }
  EXPECT_EQ(counter->value, 15000);
}

static void* lock_and_die(void* argument) {
  EXPECT_EQ(pthread_mutex_lock(&((struct counter*)argument)->mutex), 0);
  atomic_store(&stage, 1);
  return NULL;
}

static void expect_owner_dead(struct counter* counter) {
  EXPECT_EQ(pthread_mutex_lock(&counter->mutex), EOWNERDEAD);
  EXPECT_EQ(pthread_mutex_consistent(&counter->mutex), 0);
  EXPECT_EQ(pthread_mutex_unlock(&counter->mutex), 0);
  EXPECT_EQ(pthread_mutex_lock(&counter->mutex), 0);
  EXPECT_EQ(pthread_mutex_unlock(&counter->mutex), 0);
}

CASE(robust_mutex_of_a_dead_thread) {
  static struct counter counter;
  init_counter(&counter, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE);
  thread_join(thread_start(lock_and_die, &counter));
  expect_owner_dead(&counter);
}

CASE(robust_pi_mutex_of_a_dead_thread) {
  static struct counter counter;
  init_counter(&counter, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE);
  thread_join(thread_start(lock_and_die, &counter));
  expect_owner_dead(&counter);
}

CASE(robust_mutex_left_inconsistent) {
  static struct counter counter;
  init_counter(&counter, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE);
  thread_join(thread_start(lock_and_die, &counter));
  EXPECT_EQ(pthread_mutex_lock(&counter.mutex), EOWNERDEAD);
  EXPECT_EQ(pthread_mutex_unlock(&counter.mutex), 0);
  EXPECT_EQ(pthread_mutex_lock(&counter.mutex), ENOTRECOVERABLE);
}

CASE(robust_mutex_of_a_killed_process) {
  struct counter* const counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT(counter != MAP_FAILED);
  init_counter(counter, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED);
  int held[2];
  make_pipe(held);
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_EQ(pthread_mutex_lock(&counter->mutex), 0);
    put_byte(held[1]);
    for (;;) {
      pause();
    }
  }
  take_byte(held[0]);
  EXPECT_EQ(pthread_mutex_trylock(&counter->mutex), EBUSY);
  EXPECT_OK(kill(pid, SIGKILL));
  expect_owner_dead(counter); /* may block until the kernel has walked the list */
  EXPECT_EQ(child_result(pid), -SIGKILL);
}

struct entry {
  struct robust_list list;
  atomic_uint futex;
};
static struct entry held_entry;
static struct entry pending_entry;
static struct robust_list_head head;

static void* die_with_own_robust_list(void* unused) {
  (void)unused;
  head.list.next = &held_entry.list;
  held_entry.list.next = &head.list;
  head.futex_offset = (long)offsetof(struct entry, futex) - (long)offsetof(struct entry, list);
  head.list_op_pending = &pending_entry.list;
  const unsigned own = (unsigned)thread_id();
  atomic_store(&held_entry.futex, own | FUTEX_WAITERS);
  atomic_store(&pending_entry.futex, own);
  EXPECT_OK(syscall(SYS_set_robust_list, &head, sizeof(head)));
  struct robust_list_head* got = NULL;
  size_t size = 0;
  EXPECT_OK(syscall(SYS_get_robust_list, 0, &got, &size));
  EXPECT(got == &head && size == sizeof(head));
  return NULL;
}

CASE(robust_list_marks_held_and_pending_words) {
  thread_join(thread_start(die_with_own_robust_list, NULL));
  EXPECT_EQ(atomic_load(&held_entry.futex), FUTEX_OWNER_DIED | FUTEX_WAITERS);
  EXPECT_EQ(atomic_load(&pending_entry.futex), FUTEX_OWNER_DIED);
}

static void* die_with_broken_robust_list(void* unused) {
  (void)unused;
  head.list.next = &held_entry.list;
  held_entry.list.next = &held_entry.list; /* a circle that never comes back to the head */
  EXPECT_OK(syscall(SYS_set_robust_list, &head, sizeof(head)));
  return NULL;
}

static void* die_with_unmapped_robust_list(void* unused) {
  (void)unused;
  EXPECT_OK(syscall(SYS_set_robust_list, (void*)16, sizeof(head)));
  return NULL;
}

CASE(broken_robust_lists_do_no_harm) {
  thread_join(thread_start(die_with_broken_robust_list, NULL));
  thread_join(thread_start(die_with_unmapped_robust_list, NULL));
}

CASE(robust_list_errors) {
  struct robust_list_head* got = NULL;
  size_t size = 0;
  EXPECT_ERR(syscall(SYS_set_robust_list, &head, sizeof(head) - 1), EINVAL);
  EXPECT_ERR(syscall(SYS_get_robust_list, 0x3fffffff, &got, &size), ESRCH);
  EXPECT_ERR(syscall(SYS_get_robust_list, 0, NULL, &size), EFAULT);
}

CASE(timed_mutex_and_semaphore_time_out) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
  struct timespec until = after_ms(CLOCK_REALTIME, 3);
  EXPECT_EQ(pthread_mutex_timedlock(&mutex, &until), ETIMEDOUT);
  until = after_ms(CLOCK_MONOTONIC, 3);
  EXPECT_EQ(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &until), ETIMEDOUT);
  sem_t semaphore;
  EXPECT_OK(sem_init(&semaphore, 0, 1));
  EXPECT_OK(sem_wait(&semaphore));
  until = after_ms(CLOCK_REALTIME, 3);
  EXPECT_ERR(sem_timedwait(&semaphore, &until), ETIMEDOUT);
}

static struct counter queue = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static void* take_from_queue(void* unused) {
  (void)unused;
  EXPECT_EQ(pthread_mutex_lock(&queue.mutex), 0);
  while (queue.value == 0) {
    EXPECT_EQ(pthread_cond_wait(&queue.changed, &queue.mutex), 0);
  }
  --queue.value;
  EXPECT_EQ(pthread_mutex_unlock(&queue.mutex), 0);
  return NULL;
}

CASE(condition_variable_signal_and_broadcast) {
  pthread_t threads[6];
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    threads[i] = thread_start(take_from_queue, NULL);
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(pthread_mutex_lock(&queue.mutex), 0);
    ++queue.value;
    EXPECT_EQ(pthread_cond_signal(&queue.changed), 0);
    EXPECT_EQ(pthread_mutex_unlock(&queue.mutex), 0);
  }
  EXPECT_EQ(pthread_mutex_lock(&queue.mutex), 0);
  queue.value += 3;
  EXPECT_EQ(pthread_cond_broadcast(&queue.changed), 0);
  EXPECT_EQ(pthread_mutex_unlock(&queue.mutex), 0);
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
  EXPECT_EQ(queue.value, 0);
}

static pthread_barrier_t barrier;

static void* meet(void* unused) {
  (void)unused;
  for (int round = 1; round <= 50; ++round) {
    atomic_fetch_add(&stage, 1);
    pthread_barrier_wait(&barrier);
    EXPECT_GE(atomic_load(&stage), 3 * round);
    pthread_barrier_wait(&barrier);
  }
  return NULL;
}

CASE(barrier_meets) {
  EXPECT_EQ(pthread_barrier_init(&barrier, NULL, 3), 0);
  pthread_t threads[3];
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    threads[i] = thread_start(meet, NULL);
  }
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
  EXPECT_EQ(atomic_load(&stage), 150);
}
