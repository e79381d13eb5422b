/* SPDX-License-Identifier: Apache-2.0 */
/* execve: what is kept, what is fresh, scripts, errors. The programs executed are this one, with a helper's name. */
#include "suite.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char** environ;
static int global = 5;

HELPER(exit_with) { return atoi(argv[0]); }

static void run_helper(const char* name, int expected) {
  const pid_t pid = child_start();
  if (pid == 0) {
    helper_exec(name, NULL);
  }
  EXPECT_EQ(child_result(pid), expected);
}

HELPER(check_signals) {
  struct sigaction action;
  sigset_t set;
  EXPECT_OK(sigaction(SIGUSR1, NULL, &action));
  EXPECT(action.sa_handler == SIG_DFL); /* was a handler */
  EXPECT_OK(sigaction(SIGUSR2, NULL, &action));
  EXPECT(action.sa_handler == SIG_IGN);
  EXPECT_OK(sigprocmask(SIG_SETMASK, NULL, &set));
  EXPECT_EQ(sigismember(&set, SIGHUP), 1);
  EXPECT_OK(sigpending(&set));
  EXPECT_EQ(sigismember(&set, SIGHUP), 1);
  stack_t stack;
  EXPECT_OK(sigaltstack(NULL, &stack));
  EXPECT_EQ(stack.ss_flags, SS_DISABLE);
  return 0;
}

CASE(exec_resets_handlers_and_keeps_the_rest) {
  static char stack[65536];
  const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_OK(sigaltstack(&alternate, NULL));
    install(SIGUSR1, count_signal, 0);
    signal(SIGUSR2, SIG_IGN);
    block_signal(SIGHUP);
    EXPECT_OK(raise(SIGHUP));
    helper_exec("check_signals", NULL);
  }
  EXPECT_EQ(child_result(pid), 0);
}

HELPER(check_descriptors) {
  EXPECT_EQ(fcntl(200, F_GETFD), 0);
  EXPECT_ERR(fcntl(201, F_GETFD), EBADF);
  put_byte(200);
  return 0;
}

CASE(exec_closes_cloexec_descriptors) {
  int fds[2];
  make_pipe(fds);
  EXPECT_EQ(dup2(fds[1], 200), 200);
  EXPECT_EQ(dup3(fds[1], 201, O_CLOEXEC), 201);
  run_helper("check_descriptors", 0);
  take_byte(fds[0]);
}

HELPER(say_arguments) {
  printf("%d", argc);
  for (int i = 0; i < argc; ++i) {
    printf("[%s]", argv[i]);
  }
  printf("%s", getenv("SUITE_WORD") == NULL ? "none" : getenv("SUITE_WORD"));
  fflush(stdout);
  return 0;
}

/* What a program writes to standard output. */
static void output_of(const char* path, char* const argv[], char* const envp[], char* buffer, size_t size) {
  int fds[2];
  make_pipe(fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    const int own_output = dup(STDOUT_FILENO);
    dup2(fds[1], STDOUT_FILENO);
    execve(path, argv, envp);
    dup2(own_output, STDOUT_FILENO);
    EXPECT_EQ(errno, 0);
  }
  close(fds[1]);
  size_t at = 0;
  for (ssize_t got; at < size - 1 && (got = read(fds[0], buffer + at, size - 1 - at)) > 0;) {
    at += (size_t)got;
  }
  buffer[at] = 0;
  close(fds[0]);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(exec_passes_arguments_and_environment) {
  char buffer[100];
  char* const argv[] = {(char*)"any name", (char*)"--helper", (char*)"say_arguments", (char*)"", (char*)"a b", NULL};
  char* const envp[] = {(char*)"SUITE_WORD=word", NULL};
  output_of(suite_program, argv, envp, buffer, sizeof(buffer));
  EXPECT_EQ(strcmp(buffer, "2[][a b]word"), 0);
  output_of(suite_program, argv, NULL, buffer, sizeof(buffer));
  EXPECT_EQ(strcmp(buffer, "2[][a b]none"), 0);
}

static const char* make_script(const char* name, const char* text, mode_t mode) {
  const char* const path = scratch(name);
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
  EXPECT_OK(fd);
  EXPECT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  EXPECT_OK(fchmod(fd, mode));
  close(fd);
  return path;
}

CASE(exec_of_a_script) {
  char text[5000], buffer[500], expected[500];
  snprintf(text, sizeof(text), "#! %s --helper say_arguments \nignored\n", suite_program);
  const char* const path = make_script("script", text, 0700);
  char* const argv[] = {(char*)"lost", (char*)"one", NULL};
  /* Everything after the interpreter is one argument, so that this runs the program with a name for a case. */
  const pid_t pid = child_start();
  if (pid == 0) {
    close(STDERR_FILENO);
    execve(path, argv, environ);
    _exit(1);
  }
  EXPECT_EQ(child_result(pid), 2);
  snprintf(text, sizeof(text), "#!/bin/sh\necho \"$0 $*\"\n");
  output_of(make_script("script", text, 0700), argv, environ, buffer, sizeof(buffer));
  snprintf(expected, sizeof(expected), "%s one\n", path);
  EXPECT_EQ(strcmp(buffer, expected), 0);
  EXPECT_OK(unlink(path));
}

CASE(exec_errors) {
  char* const argv[] = {(char*)"x", NULL};
  EXPECT_ERR(execve("/does/not/exist", argv, environ), ENOENT);
  EXPECT_ERR(execve("", argv, environ), ENOENT);
  EXPECT_ERR(execve("/", argv, environ), EACCES);
  EXPECT_ERR(execve("/dev/null", argv, environ), EACCES);
  EXPECT_ERR(execve(make_script("noexec", "#!/bin/sh\n", 0600), argv, environ), EACCES);
  EXPECT_ERR(execve(make_script("noformat", "just text\n", 0700), argv, environ), ENOEXEC);
  EXPECT_ERR(execve(make_script("empty", "", 0700), argv, environ), ENOEXEC);
  EXPECT_ERR(execve(make_script("nointerpreter", "#!/does/not/exist\n", 0700), argv, environ), ENOENT);
  EXPECT_ERR(execve(make_script("shortelf", "\177ELF", 0700), argv, environ), ENOEXEC);
  EXPECT_ERR(execve(scratch("empty/x"), argv, environ), ENOTDIR);
  static char name[300];
  memset(name, 'n', sizeof(name) - 1);
  EXPECT_ERR(execve(name, argv, environ), ENAMETOOLONG);
  static char big[200000];
  memset(big, 'a', sizeof(big) - 1);
  char* const too_big[] = {(char*)"x", big, NULL};
  EXPECT_ERR(execve(suite_program, too_big, environ), E2BIG);
}

HELPER(check_alone) {
  EXPECT_EQ(thread_id(), getpid());
  return 12;
}

static void* exec_here(void* unused) {
  (void)unused;
  helper_exec("check_alone", NULL);
}

static void* wait_forever(void* unused) {
  (void)unused;
  for (;;) {
    pause();
  }
  return NULL;
}

CASE(exec_in_a_thread_ends_the_others) {
  const pid_t pid = child_start();
  if (pid == 0) {
    thread_start(wait_forever, NULL);
    thread_start(exec_here, NULL);
    wait_forever(NULL);
  }
  EXPECT_EQ(child_result(pid), 12);
}

HELPER(check_identity) {
  char name[16];
  EXPECT_EQ(getppid(), atoi(getenv("SUITE_PARENT")));
  EXPECT_EQ(getpid(), atoi(getenv("SUITE_SELF")));
  EXPECT_EQ(umask(0), 0123);
  struct rlimit limit;
  EXPECT_OK(getrlimit(RLIMIT_NOFILE, &limit));
  EXPECT_EQ(limit.rlim_cur, 77);
  char cwd[PATH_MAX];
  EXPECT(getcwd(cwd, sizeof(cwd)) != NULL && strcmp(cwd, "/") == 0);
  EXPECT_OK(prctl(PR_GET_NAME, name));
  EXPECT(strncmp(name, strrchr(suite_program, '/') + 1, 15) == 0);
  return 0;
}

CASE(exec_keeps_identity_limits_and_folder) {
  char number[2][16];
  const pid_t parent = getpid();
  const pid_t pid = child_start();
  if (pid == 0) {
    snprintf(number[0], sizeof(number[0]), "%d", parent);
    snprintf(number[1], sizeof(number[1]), "%d", getpid());
    setenv("SUITE_PARENT", number[0], 1);
    setenv("SUITE_SELF", number[1], 1);
    umask(0123);
    const struct rlimit limit = {77, 77};
    EXPECT_OK(setrlimit(RLIMIT_NOFILE, &limit));
    EXPECT_OK(chdir("/"));
    EXPECT_OK(prctl(PR_SET_NAME, "another"));
    helper_exec("check_identity", NULL);
  }
  EXPECT_EQ(child_result(pid), 0);
}

CASE(fexecve_of_a_descriptor) {
  const int fd = open(suite_program, O_RDONLY | O_CLOEXEC);
  EXPECT_OK(fd);
  char* const argv[] = {suite_program, (char*)"--helper", (char*)"exit_with", (char*)"21", NULL};
  const pid_t pid = child_start();
  if (pid == 0) {
    fexecve(fd, argv, environ);
    _exit(1);
  }
  EXPECT_EQ(child_result(pid), 21);
}

CASE(memory_is_fresh_after_exec) {
  const pid_t pid = child_start();
  if (pid == 0) {
    global = 77;
    helper_exec("check_memory", NULL);
  }
  EXPECT_EQ(child_result(pid), 0);
}

HELPER(check_memory) { return global == 5 && atomic_load(&handled) == 0 ? 0 : 1; }

CASE(scripts_may_nest_but_not_for_ever) {
  char text[8][200];
  const char* path = NULL;
  char* const argv[] = {(char*)"x", NULL};
  for (int i = 0; i < 8; ++i) {
    char name[8];
    snprintf(name, sizeof(name), "nest%d", i);
    snprintf(text[i], sizeof(text[i]), i == 0 ? "#!/bin/sh\nexit 5\n" : "#!%s\n", path);
    path = make_script(name, text[i], 0700);
    const pid_t pid = child_start();
    if (pid == 0) {
      execve(path, argv, environ);
      _exit(errno == ELOOP ? 66 : 1);
    }
    const int result = child_result(pid);
    EXPECT(i < 4 ? result == 5 : i > 5 ? result == 66 : result == 5 || result == 66);
  }
}

HELPER(count_bytes) {
  size_t total = 0;
  for (int i = 0; i < argc; ++i) {
    total += strlen(argv[i]);
  }
  for (char** at = environ; *at != NULL; ++at) {
    total += strlen(*at);
  }
  return total == 2000 * 100 ? 0 : 1;
}

CASE(exec_passes_a_lot) {
  static char words[100][101];
  char* argv[1004] = {suite_program, (char*)"--helper", (char*)"count_bytes"};
  char* envp[1001];
  for (int i = 0; i < 1000; ++i) {
    memset(words[i % 100], 'a' + i % 20, 100);
    words[i % 100][1] = '=';
    argv[i + 3] = words[i % 100];
    envp[i] = words[i % 100];
  }
  argv[1003] = NULL;
  envp[1000] = NULL;
  const pid_t pid = child_start();
  if (pid == 0) {
    execve(suite_program, argv, envp);
    _exit(1);
  }
  EXPECT_EQ(child_result(pid), 0);
}

CASE(exec_again_and_again) {
  const pid_t pid = child_start();
  if (pid == 0) {
    helper_exec("count_down", "20");
  }
  EXPECT_EQ(child_result(pid), 42);
}

HELPER(count_down) {
  const int left = atoi(argv[0]);
  if (left == 0) {
    return 42;
  }
  char number[16];
  snprintf(number, sizeof(number), "%d", left - 1);
  helper_exec("count_down", number);
}
