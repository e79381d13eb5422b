/* SPDX-License-Identifier: Apache-2.0 */
/* Threads: making thousands, their ids and storage, what the kernel does when they end, signals to one, the ends of processes. */
#include "suite.h"

#include <limits.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static __thread int per_thread = 5;
static __thread char large_per_thread[10000];
static atomic_int stage;
static int pipe_fds[2];

static void* add_up(void* argument) {
  per_thread += (int)(intptr_t)argument;
  large_per_thread[9999] = 1;
  return (void*)(intptr_t)per_thread;
}

static pthread_attr_t small_stack(void) {
  pthread_attr_t attributes;
  EXPECT_EQ(pthread_attr_init(&attributes), 0);
  EXPECT_EQ(pthread_attr_setstacksize(&attributes, 65536), 0);
  return attributes;
}

CASE(create_and_join_thousands) {
  for (int i = 0; i < 3000; ++i) {
    void* result = NULL;
    const pthread_t thread = thread_start(add_up, (void*)(intptr_t)i);
    EXPECT_EQ(pthread_join(thread, &result), 0);
    EXPECT_EQ((intptr_t)result, 5 + i);
  }
  EXPECT_EQ(per_thread, 5);
  EXPECT_EQ(large_per_thread[9999], 0);
}

static void* wait_for_stage(void* unused) {
  (void)unused;
  char byte;
  EXPECT_EQ(read(pipe_fds[0], &byte, 1), 0);
  return NULL;
}

CASE(a_thousand_at_once) {
  static pthread_t threads[1000];
  const pthread_attr_t attributes = small_stack();
  make_pipe(pipe_fds);
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    EXPECT_EQ(pthread_create(&threads[i], &attributes, wait_for_stage, NULL), 0);
  }
  close(pipe_fds[1]);
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
}

static void* note_id(void* result) {
  *(pid_t*)result = thread_id();
  EXPECT_EQ(getpid(), *(pid_t*)(&((pid_t*)result)[1]));
  return NULL;
}

CASE(thread_ids) {
  pid_t ids[2] = {0, getpid()};
  EXPECT_EQ(thread_id(), getpid());
  thread_join(thread_start(note_id, ids));
  EXPECT(ids[0] > 0 && ids[0] != getpid());
  while (syscall(SYS_tgkill, getpid(), ids[0], 0) == 0) { /* joined a little before it is quite gone */
    sched_yield();
  }
  EXPECT_EQ(errno, ESRCH);
}

static void* end_detached(void* unused) {
  (void)unused;
  atomic_fetch_add(&stage, 1);
  return NULL;
}

CASE(detached_threads_end) {
  pthread_attr_t attributes = small_stack();
  EXPECT_EQ(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED), 0);
  for (int i = 0; i < 200; ++i) {
    pthread_t thread;
    EXPECT_EQ(pthread_create(&thread, &attributes, end_detached, NULL), 0);
  }
  await_at_least(&stage, 200);
}

/* ---- threads by the call itself ---- */

enum {
  kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
};
static char stack[65536] __attribute__((aligned(16)));
static atomic_int tid_word;

static int raw_thread(void* unused) {
  (void)unused;
  atomic_fetch_add(&stage, 1);
  syscall(SYS_exit, 0);
  return 0;
}

static void await_zero(atomic_int* word) {
  for (int value; (value = atomic_load(word)) != 0;) {
    syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
  }
}

CASE(clear_child_tid_is_cleared_and_woken) {
  atomic_store(&tid_word, 12345);
  const int tid = clone(raw_thread, stack + sizeof(stack), kThreadFlags | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID,
                        NULL, &tid_word, NULL, &tid_word);
  EXPECT_OK(tid);
  await_zero(&tid_word);
  EXPECT_EQ(atomic_load(&stage), 1);
}

static int raw_thread_that_moves_its_word(void* unused) {
  (void)unused;
  EXPECT_EQ(syscall(SYS_set_tid_address, &tid_word), thread_id());
  syscall(SYS_exit, 0);
  return 0;
}

CASE(set_tid_address) {
  atomic_store(&tid_word, 12345);
  EXPECT_OK(clone(raw_thread_that_moves_its_word, stack + sizeof(stack), kThreadFlags, NULL));
  await_zero(&tid_word);
}

CASE(children_threads_are_not_waited_for) {
  EXPECT_OK(clone(raw_thread, stack + sizeof(stack), kThreadFlags, NULL));
  await_at_least(&stage, 1);
  EXPECT_ERR(waitpid(-1, NULL, __WALL), ECHILD);
}

CASE(clear_child_tid_of_a_forked_child) {
  atomic_int* const word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  atomic_store(word, 99);
  const pid_t pid = (pid_t)syscall(SYS_clone, CLONE_CHILD_CLEARTID | SIGCHLD, NULL, NULL, word, NULL);
  if (pid == 0) {
    _exit(0); /* nobody else uses the memory, so that the word stays */
  }
  EXPECT_EQ(child_result(pid), 0);
  EXPECT_EQ(atomic_load(word), 99);
}

/* ---- signals to one thread ---- */

static volatile pid_t handler_thread;
static void note_handler_thread(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  handler_thread = thread_id();
  EXPECT_EQ(info->si_code, SI_TKILL);
  EXPECT_EQ(info->si_pid, getpid());
  atomic_fetch_add(&handled, 1);
}

static volatile pid_t waiting_thread;
static void* wait_for_handler(void* unused) {
  (void)unused;
  waiting_thread = thread_id();
  atomic_store(&stage, 1);
  await_at_least(&handled, 1);
  return NULL;
}

CASE(tgkill_reaches_that_thread) {
  install_info(SIGUSR1, note_handler_thread, SA_RESTART);
  const pthread_t thread = thread_start(wait_for_handler, NULL);
  await_at_least(&stage, 1);
  EXPECT_OK(syscall(SYS_tgkill, getpid(), waiting_thread, SIGUSR1));
  thread_join(thread);
  EXPECT_EQ(handler_thread, waiting_thread);
}

CASE(tgkill_errors) {
  EXPECT_ERR(syscall(SYS_tgkill, getpid(), 0x3ffffff, SIGUSR1), ESRCH);
  EXPECT_ERR(syscall(SYS_tgkill, 0x3ffffff, thread_id(), SIGUSR1), ESRCH);
  EXPECT_ERR(syscall(SYS_tgkill, getppid(), thread_id(), SIGUSR1), ESRCH);
  EXPECT_ERR(syscall(SYS_tgkill, -1, thread_id(), SIGUSR1), EINVAL);
  EXPECT_ERR(syscall(SYS_tgkill, getpid(), 0, SIGUSR1), EINVAL);
  EXPECT_ERR(syscall(SYS_tgkill, getpid(), thread_id(), 999), EINVAL);
  EXPECT_ERR(syscall(SYS_tkill, 0, 0), EINVAL);
}

static void* take_signal(void* result) {
  const sigset_t set = only_signal(SIGUSR1);
  *(int*)result = sigwaitinfo(&set, NULL);
  return NULL;
}

CASE(signal_of_the_process_goes_to_a_thread_that_wants_it) {
  int result = 0;
  block_signal(SIGUSR1);
  const pthread_t thread = thread_start(take_signal, &result);
  EXPECT_OK(kill(getpid(), SIGUSR1));
  thread_join(thread);
  EXPECT_EQ(result, SIGUSR1);
}

static void* look_at_mask(void* unused) {
  (void)unused;
  sigset_t set;
  EXPECT_EQ(pthread_sigmask(SIG_SETMASK, NULL, &set), 0);
  EXPECT_EQ(sigismember(&set, SIGUSR1), 1);
  unblock_signal(SIGUSR1);
  return NULL;
}

CASE(mask_is_inherited_and_separate) {
  block_signal(SIGUSR1);
  thread_join(thread_start(look_at_mask, NULL));
  sigset_t set;
  EXPECT_EQ(pthread_sigmask(SIG_SETMASK, NULL, &set), 0);
  EXPECT_EQ(sigismember(&set, SIGUSR1), 1);
}

static void* look_at_pending(void* unused) {
  (void)unused;
  sigset_t set;
  EXPECT_OK(sigpending(&set));
  EXPECT_EQ(sigismember(&set, SIGUSR1), 0); /* was sent to the other thread */
  EXPECT_EQ(sigismember(&set, SIGUSR2), 1); /* was sent to the process */
  return NULL;
}

CASE(pending_of_thread_and_process) {
  block_signal(SIGUSR1);
  block_signal(SIGUSR2);
  EXPECT_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
  EXPECT_OK(kill(getpid(), SIGUSR2));
  thread_join(thread_start(look_at_pending, NULL));
}

/* ---- ends ---- */

static void* end_process(void* code) {
  _exit((int)(intptr_t)code);
  return NULL;
}

static void pause_forever(void) {
  for (;;) {
    pause();
  }
}

CASE(exit_group_from_a_thread_ends_all) {
  const pid_t pid = child_start();
  if (pid == 0) {
    make_pipe(pipe_fds);
    for (int i = 0; i < 10; ++i) {
      thread_start(wait_for_stage, NULL);
    }
    thread_start(end_process, (void*)23);
    pause_forever();
  }
  EXPECT_EQ(child_result(pid), 23);
}

static void* go_on_alone(void* fd) {
  put_byte(*(int*)fd);
  _exit(31);
  return NULL;
}

static void* go_on_until_byte(void* fds) {
  take_byte(((int*)fds)[0]);
  return go_on_alone(&((int*)fds)[3]);
}

CASE(main_thread_may_end_before_the_others) {
  int fds[4];
  make_pipe(fds);
  make_pipe(fds + 2);
  const pid_t pid = child_start();
  if (pid == 0) {
    thread_start(go_on_until_byte, fds);
    syscall(SYS_exit, 7);
  }
  EXPECT_EQ(waitpid(pid, NULL, WNOHANG), 0);
  put_byte(fds[1]);
  take_byte(fds[2]);
  EXPECT_EQ(child_result(pid), 31);
}

static void* end_thread(void* code) {
  syscall(SYS_exit, (int)(intptr_t)code);
  return NULL;
}

CASE(the_process_ends_with_its_last_thread) {
  const pid_t pid = child_start();
  if (pid == 0) {
    thread_start(end_thread, (void*)7);
    syscall(SYS_exit, 7);
  }
  EXPECT_EQ(child_result(pid), 7);
}

static void* fault(void* unused) {
  (void)unused;
  *(volatile int*)8 = 1;
  return NULL;
}

CASE(fault_in_a_thread_ends_the_process) {
  const pid_t pid = child_start();
  if (pid == 0) {
    thread_start(fault, NULL);
    pause_forever();
  }
  EXPECT_EQ(child_result(pid), -SIGSEGV);
}

CASE(exit_while_threads_are_busy) {
  for (int i = 0; i < 20; ++i) {
    const pid_t pid = child_start();
    if (pid == 0) {
      for (int j = 0; j < 4; ++j) {
        thread_start(end_detached, NULL);
      }
      _exit(i);
    }
    EXPECT_EQ(child_result(pid), i);
  }
}

/* ---- libc's own ---- */

static void clean_up(void* flag) { *(int*)flag = 1; }

static void* wait_to_be_cancelled(void* flag) {
  pthread_cleanup_push(clean_up, flag);
  atomic_store(&stage, 1);
  pause_forever();
  pthread_cleanup_pop(0);
  return NULL;
}

CASE(cancel) {
  int flag = 0;
  void* result = NULL;
  const pthread_t thread = thread_start(wait_to_be_cancelled, &flag);
  await_at_least(&stage, 1);
  EXPECT_EQ(pthread_cancel(thread), 0);
  EXPECT_EQ(pthread_join(thread, &result), 0);
  EXPECT(result == PTHREAD_CANCELED);
  EXPECT_EQ(flag, 1);
}

static void destroy(void* value) { atomic_fetch_add(&stage, (int)(intptr_t)value); }
static pthread_key_t key;
static void* set_key(void* value) {
  EXPECT_EQ(pthread_setspecific(key, value), 0);
  return NULL;
}

CASE(keys_have_destructors) {
  EXPECT_EQ(pthread_key_create(&key, destroy), 0);
  for (intptr_t i = 1; i <= 10; ++i) {
    thread_join(thread_start(set_key, (void*)i));
  }
  EXPECT_EQ(atomic_load(&stage), 55);
}

static void* name_itself(void* unused) {
  (void)unused;
  char name[16] = "";
  EXPECT_EQ(pthread_setname_np(pthread_self(), "worker"), 0);
  EXPECT_OK(prctl(PR_GET_NAME, name));
  EXPECT_EQ(strcmp(name, "worker"), 0);
  return NULL;
}

CASE(names_are_per_thread) {
  char name[16] = "";
  EXPECT_OK(prctl(PR_SET_NAME, "a name that is far too long"));
  thread_join(thread_start(name_itself, NULL));
  EXPECT_OK(prctl(PR_GET_NAME, name));
  EXPECT_EQ(strcmp(name, "a name that is "), 0);
}

static double vector_work(int seed) {
  double sum = seed;
  for (int i = 1; i < 20000; ++i) {
    sum += 1.0 / (sum + i);
    if (i % 64 == 0) {
      sched_yield();
    }
  }
  return sum;
}

static void* compute(void* result) {
  *(double*)result = vector_work((int)*(double*)result);
  return NULL;
}

CASE(floating_point_state_is_per_thread) {
  double results[4] = {1, 2, 3, 4};
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) {
    threads[i] = thread_start(compute, &results[i]);
  }
  for (int i = 0; i < 4; ++i) {
    thread_join(threads[i]);
    EXPECT(results[i] == vector_work(i + 1));
  }
}

static sem_t semaphores[2];
static void* pass_back(void* unused) {
  (void)unused;
  for (int i = 0; i < 2000; ++i) {
    EXPECT_OK(sem_wait(&semaphores[0]));
    EXPECT_OK(sem_post(&semaphores[1]));
  }
  return NULL;
}

CASE(ping_pong_between_threads) {
  EXPECT_OK(sem_init(&semaphores[0], 0, 0));
  EXPECT_OK(sem_init(&semaphores[1], 0, 0));
  const pthread_t thread = thread_start(pass_back, NULL);
  for (int i = 0; i < 2000; ++i) {
    EXPECT_OK(sem_post(&semaphores[0]));
    EXPECT_OK(sem_wait(&semaphores[1]));
  }
  thread_join(thread);
}

static void* spin_until_stage(void* unused) {
  (void)unused;
  while (atomic_load(&stage) < 8) { /* no call at all: others must run all the same */
  }
  return NULL;
}

CASE(busy_threads_do_not_keep_others_out) {
  pthread_t spinning[4];
  for (size_t i = 0; i < COUNT_OF(spinning); ++i) {
    spinning[i] = thread_start(spin_until_stage, NULL);
  }
  for (int i = 0; i < 8; ++i) {
    thread_join(thread_start(end_detached, NULL));
  }
  for (size_t i = 0; i < COUNT_OF(spinning); ++i) {
    thread_join(spinning[i]);
  }
}

static void* take_from_pipe(void* unused) {
  (void)unused;
  take_byte(pipe_fds[0]);
  atomic_store(&stage, 1);
  return NULL;
}

static void* sleep_long(void* unused) {
  (void)unused;
  const struct timespec an_hour = {3600, 0};
  nanosleep(&an_hour, NULL);
  return NULL;
}

/* The next timer of this process is far away, so nothing but the byte itself can make the busy thread give way. */
CASE(another_process_wakes_a_thread_beside_a_busy_one) {
  make_pipe(pipe_fds);
  int go[2];
  make_pipe(go);
  const pid_t pid = child_start();
  if (pid == 0) {
    take_byte(go[0]);
    const struct timespec while_it_spins = {0, 100000000};
    nanosleep(&while_it_spins, NULL);
    put_byte(pipe_fds[1]);
    for (;;) {
      pause(); /* its end would be news for its parent */
    }
  }
  const pthread_t taker = thread_start(take_from_pipe, NULL);
  thread_start(sleep_long, NULL);
  const struct timespec until_they_wait = {0, 50000000};
  nanosleep(&until_they_wait, NULL);
  put_byte(go[1]);
  while (atomic_load(&stage) == 0) { /* no call */
  }
  thread_join(taker);
  EXPECT_OK(kill(pid, SIGKILL));
  EXPECT_EQ(child_result(pid), -SIGKILL);
}
