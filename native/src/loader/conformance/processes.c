/* SPDX-License-Identifier: Apache-2.0 */
/* fork, vfork, posix_spawn, clone, exec in all its forms. Run as `processes <folder to write in>`. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static const char* self;
static char folder[PATH_MAX];
extern char** environ;

static const char* in_folder(const char* name) {
  static char path[PATH_MAX + 64];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  return path;
}

static void write_file(const char* name, const char* text, mode_t mode) {
  const int fd = open(in_folder(name), O_CREAT | O_TRUNC | O_WRONLY, 0644);
  MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  MUST(fchmod(fd, mode) == 0 && close(fd) == 0);
}

static void show_status(const char* what, pid_t child) {
  int status;
  MUST(waitpid(child, &status, 0) == child);
  printf("%s: %s %d\n", what, WIFEXITED(status) ? "exit" : "signal",
         WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* What an exec'ed child says of itself. */
static int child_main(int argc, char** argv) {
  char exe[PATH_MAX] = "";
  char own[PATH_MAX] = "";
  MUST(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
  snprintf(own, sizeof(own), "/proc/%d/exe", (int)getpid());
  char exe_by_pid[PATH_MAX] = "";
  MUST(readlink(own, exe_by_pid, sizeof(exe_by_pid) - 1) > 0);
  const int fd = open("/proc/self/exe", O_RDONLY);
  char magic[4] = "";
  MUST(fd >= 0 && read(fd, magic, 4) == 4);
  char opened[PATH_MAX] = "";
  snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
  MUST(readlink(own, opened, sizeof(opened) - 1) > 0);
  printf("child argc %d exe %s same %d opened same %d\n", argc, strrchr(exe, '/') + 1, strcmp(exe, exe_by_pid) == 0,
         strcmp(exe, opened) == 0);
  for (int i = 1; i < argc; ++i) {
    printf("  argv[%d] = %s\n", i, argv[i]);
  }
  printf("  MARK=%s\n", getenv("MARK") != NULL ? getenv("MARK") : "(none)");
  sigset_t mask;
  MUST(sigprocmask(SIG_BLOCK, NULL, &mask) == 0);
  struct sigaction usr1, usr2;
  MUST(sigaction(SIGUSR1, NULL, &usr1) == 0 && sigaction(SIGUSR2, NULL, &usr2) == 0);
  printf("  blocked hup %d; usr1 default %d; usr2 ignored %d\n", sigismember(&mask, SIGHUP), usr1.sa_handler == SIG_DFL,
         usr2.sa_handler == SIG_IGN);
  return 42;
}

static void on_signal(int signal) { (void)signal; }

static void exec_forms(void) {
  sigset_t hup;
  sigemptyset(&hup);
  sigaddset(&hup, SIGHUP);
  MUST(sigprocmask(SIG_BLOCK, &hup, NULL) == 0);
  signal(SIGUSR1, on_signal);
  signal(SIGUSR2, SIG_IGN);
  char* argv[] = {"whatever", "--child", "two words", "", NULL};
  char* envp[] = {"MARK=set", NULL};
  pid_t child = fork();
  if (child == 0) {
    execve(self, argv, envp);
    _exit(1);
  }
  show_status("fork execve", child);
  child = vfork();
  if (child == 0) {
    execve("/proc/self/exe", argv, environ);
    _exit(1);
  }
  show_status("vfork execve of /proc/self/exe", child);
  MUST(posix_spawn(&child, self, NULL, NULL, argv, envp) == 0);
  show_status("posix_spawn", child);
  const int fd = open(self, O_RDONLY | O_CLOEXEC);
  child = fork();
  if (child == 0) {
    fexecve(fd, argv, envp);
    _exit(1);
  }
  show_status("fexecve", child);
  child = fork();
  if (child == 0) {
    const int directory = open(folder, O_RDONLY | O_DIRECTORY);
    syscall(SYS_execveat, directory, "script", argv, envp, 0);
    _exit(1);
  }
  show_status("execveat script", child);
  MUST(sigprocmask(SIG_UNBLOCK, &hup, NULL) == 0);
  signal(SIGUSR1, SIG_DFL);
  signal(SIGUSR2, SIG_DFL);
  close(fd);
}

static void exec_script(const char* name) {
  const pid_t child = fork();
  if (child == 0) {
    char* argv[] = {"zero", "one", NULL};
    char* envp[] = {"MARK=script", NULL};
    execve(in_folder(name), argv, envp);
    printf("%s: %s\n", name, strerrorname_np(errno));
    fflush(stdout);
    _exit(1);
  }
  show_status(name, child);
}

static void scripts(void) {
  char text[PATH_MAX + 64];
  snprintf(text, sizeof(text), "#!%s --child\n", self);
  write_file("script", text, 0755);
  snprintf(text, sizeof(text), "#! %s/script  a b \n", folder);
  write_file("nested", text, 0755);
  snprintf(text, sizeof(text), "#!%s/loop\n", folder);
  write_file("loop", text, 0755);
  write_file("empty-line", "#!\n", 0755);
  write_file("lost", "#!/does/not/exist\n", 0755);
  write_file("not-executable", "#!/bin/sh\n", 0644);
  write_file("garbage", "this is no program", 0755);
  write_file("nothing", "", 0755);
  static const char* const names[] = {"script",         "loop",    "empty-line", "lost",
                                      "not-executable", "garbage", "nothing",    "missing"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
    exec_script(names[i]);
  }
  /* nested: the paths of the folder differ from run to run, so only the status is shown */
  const pid_t child = fork();
  if (child == 0) {
    MUST(dup2(open("/dev/null", O_WRONLY), 1) == 1);
    execl(in_folder("nested"), "zero", NULL);
    _exit(1);
  }
  show_status("nested", child);
  SHOW(execl(folder, "x", NULL));
  SHOW(execl("", "x", NULL));
  SHOW(execl("/bin/sh/x", "x", NULL));
}

static void descriptors(void) {
  int kept[2], closed[2];
  MUST(pipe(kept) == 0 && pipe2(closed, O_CLOEXEC) == 0);
  const pid_t child = fork();
  if (child == 0) {
    char command[128];
    snprintf(command, sizeof(command), "exec 2>/dev/null; echo kept >&%d; echo closed >&%d || echo gone >&%d", kept[1],
             closed[1], kept[1]);
    execl("/bin/sh", "sh", "-c", command, NULL);
    _exit(1);
  }
  show_status("close on exec", child);
  char text[64] = "";
  MUST(read(kept[0], text, sizeof(text) - 1) > 0);
  printf("%s", text);
  close(kept[0]), close(kept[1]), close(closed[0]), close(closed[1]);
}

static int clone_child(void* argument) {
  *(int*)argument += 1;
  return 9;
}

static void sharing(void) {
  int counter = 1;
  pid_t child = fork();
  if (child == 0) {
    ++counter;
    _exit(counter);
  }
  show_status("fork copies", child);
  printf("counter %d\n", counter);
  char* stack = malloc(65536);
  child = clone(clone_child, stack + 65536, CLONE_VM | CLONE_VFORK | SIGCHLD, &counter);
  show_status("clone shares", child);
  printf("counter %d\n", counter);
  /* a vfork child's dispositions are its own */
  signal(SIGUSR1, on_signal);
  child = vfork();
  if (child == 0) {
    signal(SIGUSR1, SIG_DFL);
    signal(SIGSEGV, SIG_IGN);
    _exit(0);
  }
  show_status("vfork", child);
  struct sigaction action;
  MUST(sigaction(SIGUSR1, NULL, &action) == 0);
  printf("handler kept: %d\n", action.sa_handler == on_signal);
  MUST(raise(SIGUSR1) == 0);
  free(stack);
}

static void* spin(void* stop) {
  while (!atomic_load((atomic_int*)stop)) {
    sched_yield();
  }
  return NULL;
}

static void with_threads(void) {
  atomic_int stop = 0;
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) {
    MUST(pthread_create(&threads[i], NULL, spin, &stop) == 0);
  }
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      char* memory = malloc(100000);
      memory[i] = 1;
      pthread_t thread;
      atomic_int done = 1;
      MUST(pthread_create(&thread, NULL, spin, &done) == 0 && pthread_join(thread, NULL) == 0);
      _exit(memory[i]);
    }
    int status;
    MUST(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 1);
  }
  pid_t child = fork();
  if (child == 0) {
    atomic_int never = 0;
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, spin, &never) == 0);
    execl("/bin/sh", "sh", "-c", "exit 5", NULL);
    _exit(1);
  }
  show_status("exec with another thread", child);
  child = fork();
  if (child == 0) {
    atomic_int never = 0;
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, spin, &never) == 0);
    exit(6);
  }
  show_status("exit with another thread", child);
  atomic_store(&stop, 1);
  for (int i = 0; i < 4; ++i) {
    pthread_join(threads[i], NULL);
  }
}

static void many_spawns(void) {
  for (int i = 0; i < 30; ++i) {
    pid_t child;
    char* argv[] = {"true", NULL};
    MUST(posix_spawn(&child, "/bin/true", NULL, NULL, argv, environ) == 0);
    int status;
    MUST(waitpid(child, &status, 0) == child && status == 0);
  }
  pid_t child;
  char* argv[] = {"x", NULL};
  printf("spawn of nothing: %s\n", strerrorname_np(posix_spawn(&child, "/does/not/exist", NULL, NULL, argv, environ)));
}

static void large_arguments(void) {
  char* big = malloc(100001);
  memset(big, 'a', 100000);
  big[100000] = '\0';
  pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", "exit ${#1}", "sh", big + 100000 - 77, big, NULL);
    _exit(1);
  }
  show_status("long argument", child);
  char** argv = malloc(sizeof(char*) * 2002);
  for (int i = 0; i < 2000; ++i) {
    argv[i] = i == 0 ? "sh" : (i == 1 ? "-c" : (i == 2 ? "exit $(( $# / 10 ))" : "x"));
  }
  argv[2000] = NULL;
  child = fork();
  if (child == 0) {
    execv("/bin/sh", argv);
    _exit(1);
  }
  show_status("many arguments", child);
  char* huge = malloc(3 << 20);
  memset(huge, 'b', 3 << 20);
  huge[(3 << 20) - 1] = '\0';
  child = fork();
  if (child == 0) {
    execl("/bin/true", "true", huge, NULL);
    printf("huge argument: %s\n", strerrorname_np(errno));
    fflush(stdout);
    _exit(3);
  }
  show_status("huge argument", child);
  free(argv), free(big), free(huge);
}

static void command_line(void) {
  char text[512] = "";
  const int fd = open("/proc/self/cmdline", O_RDONLY);
  const ssize_t size = read(fd, text, sizeof(text));
  close(fd);
  printf("command line has own name first: %d, arguments %d\n", size > 0 && strcmp(text, self) == 0,
         size > 0 && strlen(text) + 1 < (size_t)size);
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc > 1 && strcmp(argv[1], "--child") == 0) {
    return argc > 2 && argv[2][0] == '/' ? 43 : child_main(argc, argv);
  }
  if (argc != 2) {
    return 2;
  }
  self = argv[0];
  MUST(realpath(argv[1], folder) != NULL);
  command_line();
  scripts();
  exec_forms();
  descriptors();
  sharing();
  with_threads();
  many_spawns();
  large_arguments();
  return 0;
}
