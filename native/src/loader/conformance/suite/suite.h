/* SPDX-License-Identifier: Apache-2.0 */
/* Harness of the syscall suite: cases, checks, and the few helpers that most families need. It rests on fork, waitpid and write,
 * little more, so that a kernel with gaps still reports the cases that it can run. README.md says how to run a program. */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
#define SUITE_NORETURN [[noreturn]]
extern "C" {
#else
#define SUITE_NORETURN _Noreturn
#endif

struct suite_case {
  const char* name;
  void (*body)(void);
  struct suite_case* next;
};

/* What a case executes in another program: `program --helper name arguments...`. */
struct suite_helper {
  const char* name;
  int (*body)(int argc, char** argv);
  struct suite_helper* next;
};

void suite_add_case(struct suite_case* added);
void suite_add_helper(struct suite_helper* added);

#define CASE(case_name)                                                    \
  static void case_name##_body(void);                                      \
  __attribute__((constructor)) static void case_name##_add(void) {         \
    static struct suite_case added = {#case_name, case_name##_body, NULL}; \
    suite_add_case(&added);                                                \
  }                                                                        \
  static void case_name##_body(void)

/* argv[0] is the first argument after the helper's name; the result is the exit code. */
#define HELPER(helper_name)                                                      \
  static int helper_name##_main(int argc, char** argv);                          \
  __attribute__((constructor)) static void helper_name##_add(void) {             \
    static struct suite_helper added = {#helper_name, helper_name##_main, NULL}; \
    suite_add_helper(&added);                                                    \
  }                                                                              \
  static int helper_name##_main(int argc __attribute__((unused)), char** argv __attribute__((unused)))

/* Prints the case's one line and ends this process with kSuiteFailed, which child_result passes on. */
SUITE_NORETURN void suite_fail(const char* file, int line, const char* format, ...)
    __attribute__((format(printf, 3, 4)));
enum { kSuiteFailed = 99 };

#define EXPECT(condition)                                                                  \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      suite_fail(__FILE__, __LINE__, "%s (errno %s)", #condition, strerrorname_np(errno)); \
    }                                                                                      \
  } while (0)

#define EXPECT_EQ(actual, expected)                                                                       \
  do {                                                                                                    \
    const long long suite_is = (long long)(actual);                                                       \
    const int suite_errno = errno;                                                                        \
    const long long suite_should = (long long)(expected);                                                 \
    if (suite_is != suite_should) {                                                                       \
      suite_fail(__FILE__, __LINE__, "%s (is %lld, not %lld, errno %s)", #actual, suite_is, suite_should, \
                 strerrorname_np(suite_errno));                                                           \
    }                                                                                                     \
  } while (0)

/* At least: for times, which have no upper bound. */
#define EXPECT_GE(actual, least)                                                                      \
  do {                                                                                                \
    const long long suite_is = (long long)(actual);                                                   \
    const long long suite_least = (long long)(least);                                                 \
    if (suite_is < suite_least) {                                                                     \
      suite_fail(__FILE__, __LINE__, "%s (is %lld, less than %lld)", #actual, suite_is, suite_least); \
    }                                                                                                 \
  } while (0)

/* -1 and this errno. */
#define EXPECT_ERR(call, error)                                                               \
  do {                                                                                        \
    errno = 0;                                                                                \
    const long long suite_is = (long long)(call);                                             \
    const int suite_errno = errno;                                                            \
    if (suite_is != -1 || suite_errno != (error)) {                                           \
      suite_fail(__FILE__, __LINE__, "%s (is %lld with %s, not -1 with %s)", #call, suite_is, \
                 strerrorname_np(suite_errno), #error);                                       \
    }                                                                                         \
  } while (0)

/* Anything but -1. */
#define EXPECT_OK(call)                                                                    \
  do {                                                                                     \
    if ((long long)(call) == -1) {                                                         \
      suite_fail(__FILE__, __LINE__, "%s (is -1 with %s)", #call, strerrorname_np(errno)); \
    }                                                                                      \
  } while (0)

/* The expected text, of `size` bytes without its end. */
#define EXPECT_BYTES(buffer, text)                                                   \
  do {                                                                               \
    if (memcmp((buffer), (text), sizeof(text) - 1) != 0) {                           \
      suite_fail(__FILE__, __LINE__, "%s (does not begin with %s)", #buffer, #text); \
    }                                                                                \
  } while (0)

/* ---- processes ---- */

/* fork() that cannot fail. */
pid_t child_start(void);
/* Exit code of the child, or minus the signal that ended it. Does not return if a check failed in there. */
int child_result(pid_t pid);
/* Replaces this process by `program --helper name argument`; `argument` may be NULL. */
SUITE_NORETURN void helper_exec(const char* name, const char* argument);
/* Absolute path of the running program. */
extern char suite_program[4096];

/* ---- threads and signals ---- */

pthread_t thread_start(void* (*body)(void*), void* argument);
void thread_join(pthread_t thread);
pid_t thread_id(void);
/* Waits until *word is at least `least`, giving way to others; for conditions that nothing signals. */
void await_at_least(atomic_int* word, int least);

/* Counts its calls in `handled`. */
void count_signal(int signal);
extern atomic_int handled;
void install(int signal, void (*handler)(int), int flags);
void install_info(int signal, void (*handler)(int, siginfo_t*, void*), int flags);
/* SIGALRM again and again, so that one that comes just before a call blocks does no harm. 0 ends it. */
void tick_every_us(long us);
sigset_t only_signal(int signal);
void block_signal(int signal);
void unblock_signal(int signal);

/* ---- time ---- */

int64_t now_ns(clockid_t clock);
struct timespec after_ms(clockid_t clock, long ms);

/* ---- files ---- */

/* Path in a folder that is removed when the program ends; good until the eighth call after this one. */
const char* scratch(const char* name);
/* An empty file without a name. */
int scratch_file(void);
void make_pipe(int fds[2]);
void set_nonblocking(int fd);
/* Writes or reads exactly one byte. */
void put_byte(int fd);
void take_byte(int fd);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#ifdef __cplusplus
}
#endif
