/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

/* Far longer than any case takes; only a case that hangs gets there. */
enum { kCaseLimit_s = 20 };

char suite_program[4096];
atomic_int handled;
static char folder[64];
static struct suite_case* cases;
static struct suite_case** last_case = &cases;
static struct suite_helper* helpers;
static const char* current = "no case";
/* Shared with all children of a case, so that only the first failure is told. Private if there is no shared memory. */
static atomic_int own_failures;
static atomic_int* failures = &own_failures;

void suite_add_case(struct suite_case* added) {
  *last_case = added;
  last_case = &added->next;
}

void suite_add_helper(struct suite_helper* added) {
  added->next = helpers;
  helpers = added;
}

static void print(const char* text, size_t size) {
  while (size > 0) {
    const ssize_t written = write(STDOUT_FILENO, text, size);
    if (written <= 0) {
      _exit(2);
    }
    text += written;
    size -= (size_t)written;
  }
}

/* One write, so that lines of several processes do not mix. */
__attribute__((format(printf, 1, 2))) static void say(const char* format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  const int size = vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  print(line, size < (int)sizeof(line) ? (size_t)size : sizeof(line) - 1);
}

void suite_fail(const char* file, int line, const char* format, ...) {
  char why[800];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(why, sizeof(why), format, arguments);
  va_end(arguments);
  const char* const slash = strrchr(file, '/');
  if (atomic_fetch_add(failures, 1) > 0) {
    _exit(kSuiteFailed);
  }
  say("%s FAILED %s:%d: %s\n", current, slash == NULL ? file : slash + 1, line, why);
  _exit(kSuiteFailed);
}

pid_t child_start(void) {
  const pid_t pid = fork();
  EXPECT(pid >= 0);
  return pid;
}

int child_result(pid_t pid) {
  int status = 0;
  pid_t got;
  do {
    got = waitpid(pid, &status, 0);
  } while (got < 0 && errno == EINTR);
  EXPECT(got == pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kSuiteFailed) {
    _exit(kSuiteFailed); /* it has said why */
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void helper_exec(const char* name, const char* argument) {
  char* const argv[] = {suite_program, (char*)"--helper", (char*)name, (char*)argument, NULL};
  setenv("SUITE_CASE", current, 1);
  execv(suite_program, argv);
  suite_fail(__FILE__, __LINE__, "execv of the program itself (%s)", strerrorname_np(errno));
}

pthread_t thread_start(void* (*body)(void*), void* argument) {
  pthread_t thread;
  const int error = pthread_create(&thread, NULL, body, argument);
  EXPECT_EQ(error, 0);
  return thread;
}

void thread_join(pthread_t thread) { EXPECT_EQ(pthread_join(thread, NULL), 0); }

pid_t thread_id(void) { return (pid_t)syscall(SYS_gettid); }

void await_at_least(atomic_int* word, int least) {
  while (atomic_load(word) < least) {
    sched_yield();
  }
}

void count_signal(int signal) {
  (void)signal;
  atomic_fetch_add(&handled, 1);
}

void install(int signal, void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = handler;
  action.sa_flags = flags;
  EXPECT_OK(sigaction(signal, &action, NULL));
}

void install_info(int signal, void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_sigaction = handler;
  action.sa_flags = flags | SA_SIGINFO;
  EXPECT_OK(sigaction(signal, &action, NULL));
}

void tick_every_us(long us) {
  const struct itimerval timer = {{0, us}, {0, us}};
  EXPECT_OK(setitimer(ITIMER_REAL, &timer, NULL));
}

sigset_t only_signal(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  return set;
}

void block_signal(int signal) {
  const sigset_t set = only_signal(signal);
  EXPECT_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

void unblock_signal(int signal) {
  const sigset_t set = only_signal(signal);
  EXPECT_EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
}

int64_t now_ns(clockid_t clock) {
  struct timespec now = {0, 0};
  EXPECT_OK(clock_gettime(clock, &now));
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

struct timespec after_ms(clockid_t clock, long ms) {
  const int64_t then = now_ns(clock) + ms * 1000000LL;
  const struct timespec result = {then / 1000000000, then % 1000000000};
  return result;
}

const char* scratch(const char* name) {
  static char paths[8][128];
  static unsigned next;
  char* const path = paths[next++ % COUNT_OF(paths)];
  snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
  return path;
}

int scratch_file(void) {
  const char* const path = scratch("file");
  const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  EXPECT_OK(fd);
  EXPECT_OK(unlink(path));
  return fd;
}

void make_pipe(int fds[2]) { EXPECT_OK(pipe2(fds, O_CLOEXEC)); }

void set_nonblocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  EXPECT_OK(flags);
  EXPECT_OK(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

void put_byte(int fd) { EXPECT_EQ(write(fd, "x", 1), 1); }

void take_byte(int fd) {
  char byte = 0;
  EXPECT_EQ(read(fd, &byte, 1), 1);
}

/* ---- the program ---- */

static void make_folder(void) {
  snprintf(folder, sizeof(folder), "/tmp/suite.XXXXXX");
  if (mkdtemp(folder) == NULL) {
    snprintf(folder, sizeof(folder), ".");
  }
}

static void remove_folder(void) {
  for (int fd = 3; fd < 10; ++fd) { /* a case may have used up all numbers */
    close(fd);
  }
  DIR* const dir = opendir(folder);
  if (dir == NULL || strcmp(folder, ".") == 0) {
    return;
  }
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) {
    if (entry->d_name[0] != '.' && unlinkat(dirfd(dir), entry->d_name, 0) != 0) {
      unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    }
  }
  closedir(dir);
  rmdir(folder);
}

/* What a shell or a test driver may have left changed. */
static void reset_process(void) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) {
    sigaction(signal, &action, NULL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  const struct rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
}

/* False if the child had to be killed. */
static int wait_within_limit(pid_t pid, int* status) {
  struct timespec pause = {0, 50000};
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  while (waitpid(pid, status, WNOHANG) != pid) {
    nanosleep(&pause, NULL);
    if (pause.tv_nsec < 2000000) {
      pause.tv_nsec *= 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec - start.tv_sec > kCaseLimit_s) {
      kill(-pid, SIGKILL); /* its children too */
      kill(pid, SIGKILL);
      waitpid(pid, status, 0);
      return 0;
    }
  }
  return 1;
}

static int run_forked(const struct suite_case* run) {
  current = run->name;
  atomic_store(failures, 0);
  const pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    run->body();
    _exit(0);
  }
  int status = 0;
  if (pid < 0) {
    say("%s FAILED: fork: %s\n", run->name, strerrorname_np(errno));
  } else if (!wait_within_limit(pid, &status)) {
    if (atomic_load(failures) == 0) {
      say("%s FAILED: timeout\n", run->name);
    }
  } else if (atomic_load(failures) > 0) {
    return 1;
  } else if (WIFSIGNALED(status)) {
    say("%s FAILED: signal %d\n", run->name, WTERMSIG(status));
  } else if (WEXITSTATUS(status) == 0) {
    say("%s ok\n", run->name);
    return 0;
  } else if (WEXITSTATUS(status) != kSuiteFailed) {
    say("%s FAILED: exit code %d\n", run->name, WEXITSTATUS(status));
  }
  return 1;
}

static int run_all(void) {
  int failed = 0;
  for (const struct suite_case* at = cases; at != NULL; at = at->next) {
    failed += run_forked(at);
  }
  return failed == 0 ? 0 : 1;
}

static int run_one(const char* name) {
  for (const struct suite_case* at = cases; at != NULL; at = at->next) {
    if (strcmp(at->name, name) == 0) {
      current = name;
      at->body();
      say("%s ok\n", name);
      return 0;
    }
  }
  fprintf(stderr, "no case %s\n", name);
  return 2;
}

static int run_helper(int argc, char** argv) {
  const char* const name = getenv("SUITE_CASE");
  current = name == NULL ? "helper" : name;
  for (const struct suite_helper* at = helpers; at != NULL; at = at->next) {
    if (strcmp(at->name, argv[2]) == 0) {
      return at->body(argc - 3, argv + 3);
    }
  }
  return 2;
}

int main(int argc, char** argv) {
  const ssize_t size = readlink("/proc/self/exe", suite_program, sizeof(suite_program) - 1);
  if (size <= 0) {
    snprintf(suite_program, sizeof(suite_program), "%s", argv[0]);
  }
  if (argc > 2 && strcmp(argv[1], "--helper") == 0) {
    return run_helper(argc, argv);
  }
  if (argc > 1 && strcmp(argv[1], "--list") == 0) {
    for (const struct suite_case* at = cases; at != NULL; at = at->next) {
      say("%s\n", at->name);
    }
    return 0;
  }
  reset_process();
  void* const shared = mmap(NULL, sizeof(*failures), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  failures = shared == MAP_FAILED ? failures : shared;
  make_folder();
  const int status = argc > 1 ? run_one(argv[1]) : run_all();
  remove_folder();
  return status;
}
