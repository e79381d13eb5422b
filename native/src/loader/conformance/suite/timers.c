/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, sleeping, interval timers and POSIX timers. */
#include "suite.h"

#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/wait.h>

static volatile int last_code;
static volatile int last_value;
static volatile int last_overrun;

static void note_info(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  last_code = info->si_code;
  last_value = info->si_value.sival_int;
  last_overrun = info->si_overrun;
  atomic_fetch_add(&handled, 1);
}

/* Blocks `signal` so that sigwaitinfo cannot miss it. */
static int wait_for_signal(int signal, siginfo_t* info) {
  const sigset_t set = only_signal(signal);
  return sigwaitinfo(&set, info);
}

CASE(clocks_go_forward) {
  static const clockid_t clocks[] = {CLOCK_REALTIME,           CLOCK_MONOTONIC,         CLOCK_BOOTTIME,
                                     CLOCK_MONOTONIC_RAW,      CLOCK_REALTIME_COARSE,   CLOCK_MONOTONIC_COARSE,
                                     CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_TAI};
  for (size_t i = 0; i < COUNT_OF(clocks); ++i) {
    const int64_t first = now_ns(clocks[i]);
    EXPECT_GE(now_ns(clocks[i]), first);
    struct timespec resolution = {-1, -1};
    EXPECT_OK(clock_getres(clocks[i], &resolution));
    EXPECT(resolution.tv_sec == 0 && resolution.tv_nsec > 0);
  }
}

CASE(clock_calls_and_vdso_agree) {
  for (int i = 0; i < 100; ++i) {
    struct timespec by_call;
    const int64_t before = now_ns(CLOCK_MONOTONIC);
    EXPECT_OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &by_call));
    const int64_t between = by_call.tv_sec * 1000000000LL + by_call.tv_nsec;
    EXPECT_GE(between, before);
    EXPECT_GE(now_ns(CLOCK_MONOTONIC), between);
  }
  struct timeval day;
  const time_t before = time(NULL);
  EXPECT_OK(gettimeofday(&day, NULL));
  EXPECT_GE(day.tv_sec, before);
  EXPECT_GE(syscall(SYS_time, NULL), before);
}

CASE(clock_errors) {
  struct timespec now;
  EXPECT_ERR(syscall(SYS_clock_gettime, 99, &now), EINVAL);
  EXPECT_ERR(syscall(SYS_clock_getres, 99, &now), EINVAL);
  EXPECT_OK(clock_getres(CLOCK_MONOTONIC, NULL));
}

CASE(cpu_time_counts_work) {
  const int64_t process = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  const int64_t thread = now_ns(CLOCK_THREAD_CPUTIME_ID);
  while (now_ns(CLOCK_THREAD_CPUTIME_ID) - thread < 2000000) {
  }
  EXPECT_GE(now_ns(CLOCK_PROCESS_CPUTIME_ID) - process, 2000000);
  struct tms times_used;
  EXPECT(times(&times_used) != (clock_t)-1);
}

CASE(nanosleep_sleeps_at_least) {
  const struct timespec pause = {0, 3000000};
  struct timespec left = {7, 7};
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  EXPECT_OK(nanosleep(&pause, &left));
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - start, 3000000);
  EXPECT_EQ(left.tv_sec, 7); /* untouched */
}

CASE(nanosleep_errors) {
  const struct timespec bad[] = {{-1, 0}, {0, -1}, {0, 1000000000}};
  for (size_t i = 0; i < COUNT_OF(bad); ++i) {
    EXPECT_ERR(nanosleep(&bad[i], NULL), EINVAL);
    EXPECT_ERR(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &bad[i], NULL), EINVAL);
  }
  const struct timespec zero = {0, 0};
  EXPECT_OK(nanosleep(&zero, NULL));
  EXPECT_ERR(syscall(SYS_clock_nanosleep, 99, 0, &zero, NULL), EINVAL);
}

CASE(nanosleep_interrupted_says_what_is_left) {
  install(SIGALRM, count_signal, SA_RESTART); /* never restarted after a handler */
  const struct timespec pause = {100, 0};
  struct timespec left = {0, 0};
  tick_every_us(2000);
  EXPECT_ERR(nanosleep(&pause, &left), EINTR);
  EXPECT_GE(left.tv_sec, 1);
  EXPECT(left.tv_sec < 100);
}

CASE(clock_nanosleep_relative_and_absolute) {
  const struct timespec pause = {0, 3000000};
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL), 0);
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - start, 3000000);
  static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
  for (size_t i = 0; i < COUNT_OF(clocks); ++i) {
    const struct timespec until = after_ms(clocks[i], 3);
    EXPECT_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &until, NULL), 0);
    EXPECT_GE(now_ns(clocks[i]), until.tv_sec * 1000000000LL + until.tv_nsec);
    EXPECT_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &until, NULL), 0); /* past: at once */
  }
}

CASE(clock_nanosleep_absolute_leaves_the_remaining_time_alone) {
  install(SIGALRM, count_signal, 0);
  const struct timespec until = after_ms(CLOCK_MONOTONIC, 100000);
  struct timespec left = {7, 7};
  tick_every_us(2000);
  EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, &left), EINTR);
  EXPECT(left.tv_sec == 7 && left.tv_nsec == 7);
}

CASE(sleep_goes_on_after_an_ignored_signal) {
  signal(SIGALRM, SIG_IGN);
  tick_every_us(1000);
  const struct timespec pause = {0, 10000000};
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  EXPECT_OK(nanosleep(&pause, NULL));
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - start, 10000000);
}

CASE(itimer_real_once_and_again) {
  block_signal(SIGALRM);
  siginfo_t info;
  const struct itimerval once = {{0, 0}, {0, 3000}};
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  EXPECT_OK(setitimer(ITIMER_REAL, &once, NULL));
  EXPECT_EQ(wait_for_signal(SIGALRM, &info), SIGALRM);
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - start, 3000000);
  EXPECT_EQ(info.si_code, SI_KERNEL);
  struct itimerval now;
  EXPECT_OK(getitimer(ITIMER_REAL, &now));
  EXPECT(now.it_value.tv_sec == 0 && now.it_value.tv_usec == 0);
  const struct itimerval often = {{0, 1000}, {0, 1000}};
  EXPECT_OK(setitimer(ITIMER_REAL, &often, NULL));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(wait_for_signal(SIGALRM, &info), SIGALRM);
  }
}

CASE(itimer_errors_and_old_value) {
  const struct itimerval hour = {{5, 0}, {3600, 0}};
  const struct itimerval off = {{0, 0}, {0, 0}};
  const struct itimerval bad = {{0, 0}, {0, 1000000}};
  struct itimerval old;
  EXPECT_ERR(setitimer((__itimer_which_t)99, &hour, NULL), EINVAL);
  EXPECT_ERR(setitimer(ITIMER_REAL, &bad, NULL), EINVAL);
  EXPECT_OK(setitimer(ITIMER_REAL, &hour, NULL));
  EXPECT_OK(setitimer(ITIMER_REAL, &off, &old));
  EXPECT_EQ(old.it_interval.tv_sec, 5);
  EXPECT(old.it_value.tv_sec > 3000 && old.it_value.tv_sec <= 3600);
}

CASE(itimer_prof_counts_cpu_time) {
  install(SIGPROF, count_signal, SA_RESTART);
  install(SIGVTALRM, count_signal, SA_RESTART);
  const struct itimerval soon = {{0, 0}, {0, 10000}};
  EXPECT_OK(setitimer(ITIMER_PROF, &soon, NULL));
  while (atomic_load(&handled) < 1) {
  }
  EXPECT_OK(setitimer(ITIMER_VIRTUAL, &soon, NULL));
  while (atomic_load(&handled) < 2) {
  }
}

CASE(alarm_seconds) {
  EXPECT_EQ(alarm(100), 0);
  const unsigned left = alarm(50);
  EXPECT(left > 50 && left <= 100);
  EXPECT_GE(alarm(0), 1);
  EXPECT_EQ(alarm(0), 0);
}

CASE(alarm_is_not_inherited_but_survives_exec) {
  EXPECT_EQ(alarm(100), 0);
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_EQ(alarm(0), 0);
    alarm(200);
    helper_exec("alarm_left", NULL);
  }
  EXPECT_EQ(child_result(pid), 0);
}

HELPER(alarm_left) { return alarm(0) > 100 ? 0 : 1; }

CASE(alarm_kills_by_default) {
  const pid_t pid = child_start();
  if (pid == 0) {
    tick_every_us(1000);
    for (;;) {
      pause();
    }
  }
  EXPECT_EQ(child_result(pid), -SIGALRM);
}

static timer_t make_timer(int signal, int value) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal, .sigev_value = {.sival_int = value}};
  EXPECT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
  return timer;
}

CASE(posix_timer_sends_its_value) {
  block_signal(SIGRTMIN);
  timer_t timer = make_timer(SIGRTMIN, 42);
  siginfo_t info;
  const struct itimerspec soon = {{0, 0}, {0, 2000000}};
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  EXPECT_OK(timer_settime(timer, 0, &soon, NULL));
  EXPECT_EQ(wait_for_signal(SIGRTMIN, &info), SIGRTMIN);
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - start, 2000000);
  EXPECT_EQ(info.si_code, SI_TIMER);
  EXPECT_EQ(info.si_value.sival_int, 42);
  EXPECT_EQ(info.si_overrun, 0);
}

CASE(posix_timer_repeats_into_a_handler) {
  install_info(SIGRTMIN, note_info, SA_RESTART);
  timer_t timer = make_timer(SIGRTMIN, 7);
  const struct itimerspec often = {{0, 1000000}, {0, 1000000}};
  EXPECT_OK(timer_settime(timer, 0, &often, NULL));
  await_at_least(&handled, 5);
  EXPECT_EQ(last_code, SI_TIMER);
  EXPECT_EQ(last_value, 7);
  EXPECT_OK(timer_delete(timer));
}

CASE(posix_timer_counts_overruns) {
  block_signal(SIGRTMIN);
  timer_t timer = make_timer(SIGRTMIN, 0);
  siginfo_t info;
  const struct itimerspec often = {{0, 1000000}, {0, 1000000}};
  EXPECT_OK(timer_settime(timer, 0, &often, NULL));
  const struct timespec pause = {0, 8000000};
  EXPECT_OK(nanosleep(&pause, NULL));
  EXPECT_EQ(wait_for_signal(SIGRTMIN, &info), SIGRTMIN);
  EXPECT_GE(info.si_overrun, 6);
  EXPECT_GE(timer_getoverrun(timer), 6);
  EXPECT_OK(timer_delete(timer));
}

CASE(posix_timer_absolute_and_gettime) {
  block_signal(SIGRTMIN);
  timer_t timer = make_timer(SIGRTMIN, 0);
  siginfo_t info;
  struct itimerspec when = {{0, 0}, after_ms(CLOCK_MONOTONIC, 3)};
  struct itimerspec now;
  EXPECT_OK(timer_settime(timer, TIMER_ABSTIME, &when, NULL));
  EXPECT_EQ(wait_for_signal(SIGRTMIN, &info), SIGRTMIN);
  EXPECT_GE(now_ns(CLOCK_MONOTONIC), when.it_value.tv_sec * 1000000000LL + when.it_value.tv_nsec);
  const struct itimerspec hour = {{3, 0}, {3600, 0}};
  EXPECT_OK(timer_settime(timer, 0, &hour, NULL));
  EXPECT_OK(timer_gettime(timer, &now));
  EXPECT_EQ(now.it_interval.tv_sec, 3);
  EXPECT(now.it_value.tv_sec > 3000 && now.it_value.tv_sec <= 3600);
}

CASE(posix_timer_without_signal) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_NONE};
  EXPECT_OK(timer_create(CLOCK_REALTIME, &event, &timer));
  const struct itimerspec soon = {{0, 0}, {0, 1000000}};
  EXPECT_OK(timer_settime(timer, 0, &soon, NULL));
  struct itimerspec now;
  do {
    EXPECT_OK(timer_gettime(timer, &now));
  } while (now.it_value.tv_nsec != 0);
  EXPECT_OK(timer_delete(timer));
}

CASE(posix_timer_defaults_to_sigalrm) {
  block_signal(SIGALRM);
  int timer;
  siginfo_t info;
  EXPECT_OK(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer));
  const struct itimerspec soon = {{0, 0}, {0, 1000000}};
  EXPECT_OK(syscall(SYS_timer_settime, timer, 0, &soon, NULL));
  EXPECT_EQ(wait_for_signal(SIGALRM, &info), SIGALRM);
  EXPECT_EQ(info.si_code, SI_TIMER);
  EXPECT_EQ(info.si_value.sival_int, timer);
}

static pid_t timer_thread;
static void note_thread(int signal) {
  (void)signal;
  timer_thread = thread_id();
  atomic_fetch_add(&handled, 1);
}

static void* make_own_timer(void* unused) {
  (void)unused;
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
  event._sigev_un._tid = thread_id();
  int timer;
  EXPECT_OK(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
  const struct itimerspec soon = {{0, 0}, {0, 1000000}};
  EXPECT_OK(syscall(SYS_timer_settime, timer, 0, &soon, NULL));
  await_at_least(&handled, 1);
  EXPECT_EQ(timer_thread, thread_id());
  return NULL;
}

CASE(posix_timer_for_one_thread) {
  install(SIGUSR1, note_thread, SA_RESTART);
  thread_join(thread_start(make_own_timer, NULL));
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
  event._sigev_un._tid = 1; /* not a thread of ours */
  if (getpid() != 1) {
    int timer;
    EXPECT_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer), EINVAL);
  }
}

CASE(posix_timer_errors) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 999};
  struct itimerspec value = {{0, 0}, {0, 1000000000}};
  EXPECT_ERR(timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
  event.sigev_signo = SIGUSR1;
  EXPECT_ERR(timer_create(99, &event, &timer), EINVAL);
  timer = make_timer(SIGUSR1, 0);
  EXPECT_ERR(timer_settime(timer, 0, &value, NULL), EINVAL);
  EXPECT_OK(timer_delete(timer));
  EXPECT_ERR(syscall(SYS_timer_delete, 12345), EINVAL);
  EXPECT_ERR(syscall(SYS_timer_gettime, 12345, &value), EINVAL);
  EXPECT_ERR(syscall(SYS_timer_getoverrun, 12345), EINVAL);
}

CASE(posix_timers_are_not_inherited) {
  int timer;
  EXPECT_OK(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer));
  const pid_t pid = child_start();
  if (pid == 0) {
    struct itimerspec value;
    EXPECT_ERR(syscall(SYS_timer_gettime, timer, &value), EINVAL);
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
}

CASE(many_timers_fire_each_once) {
  block_signal(SIGRTMIN);
  unsigned seen = 0;
  for (int i = 0; i < 20; ++i) {
    timer_t timer = make_timer(SIGRTMIN, i);
    const struct itimerspec soon = {{0, 0}, {0, 1000000 + i * 100000}};
    EXPECT_OK(timer_settime(timer, 0, &soon, NULL));
  }
  for (int i = 0; i < 20; ++i) {
    siginfo_t info;
    EXPECT_EQ(wait_for_signal(SIGRTMIN, &info), SIGRTMIN);
    EXPECT_EQ(seen >> info.si_value.sival_int & 1, 0);
    seen |= 1U << info.si_value.sival_int;
  }
  EXPECT_EQ(seen, (1U << 20) - 1);
}

static void* sleep_a_little(void* ms) {
  const struct timespec pause = {0, (long)(intptr_t)ms * 1000000};
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  EXPECT_OK(nanosleep(&pause, NULL));
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - start, pause.tv_nsec);
  return NULL;
}

CASE(threads_sleep_side_by_side) {
  pthread_t threads[20];
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    threads[i] = thread_start(sleep_a_little, (void*)(intptr_t)(20 - i));
  }
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
}
