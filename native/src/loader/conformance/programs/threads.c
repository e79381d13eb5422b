// SPDX-License-Identifier: Apache-2.0
// Many threads in one process: locks, signals from thread to thread, fork and exec while others run, the end of all from one of them.
// Usage: threads [CASE [ROUNDS]]; without a case each of them once, in a child.
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition)                                                                \
  do {                                                                                  \
    if (!(condition)) {                                                                 \
      fprintf(stderr, "%s:%d: %s (errno %d)\n", __func__, __LINE__, #condition, errno); \
      _exit(99);                                                                        \
    }                                                                                   \
  } while (0)

enum { kThreads = 16 };
static pthread_t g_threads[kThreads];
static atomic_int g_stop;
static char* g_self;

static void StartAll(void* (*run)(void*)) {
  for (long i = 0; i < kThreads; ++i) {
    CHECK(pthread_create(&g_threads[i], NULL, run, (void*)i) == 0);
  }
}

static void JoinAll(void) {
  for (int i = 0; i < kThreads; ++i) {
    CHECK(pthread_join(g_threads[i], NULL) == 0);
  }
}

// Vector registers must be a thread's own: sums in floating point that a lost register would spoil.
static void* Spin(void* argument) {
  const double step = (double)(long)argument + 1;
  while (!atomic_load_explicit(&g_stop, memory_order_relaxed)) {
    double sum[8] = {0};
    for (int i = 0; i < 10000; ++i) {
      for (int j = 0; j < 8; ++j) {
        sum[j] += step;
      }
    }
    for (int j = 0; j < 8; ++j) {
      CHECK(sum[j] == step * 10000);
    }
  }
  return NULL;
}

// --- locks

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_changed = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t g_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long g_count, g_turn, g_written[2];
static sem_t g_items;

static void* UseLocks(void* argument) {
  for (int i = 0; i < 400; ++i) {
    pthread_mutex_lock(&g_lock);
    ++g_count;
    pthread_mutex_unlock(&g_lock);
    if (((long)argument + i) % 8 == 0) {
      pthread_rwlock_wrlock(&g_rwlock);
      ++g_written[0];
      ++g_written[1];
      pthread_rwlock_unlock(&g_rwlock);
    } else {
      pthread_rwlock_rdlock(&g_rwlock);
      CHECK(g_written[0] == g_written[1]);
      pthread_rwlock_unlock(&g_rwlock);
    }
    sem_post(&g_items);
  }
  for (int i = 0; i < 20; ++i) {
    pthread_mutex_lock(&g_lock);
    while (g_turn % kThreads != (long)argument) {
      pthread_cond_wait(&g_changed, &g_lock);
    }
    ++g_turn;
    pthread_cond_broadcast(&g_changed);
    pthread_mutex_unlock(&g_lock);
  }
  for (int i = 0; i < 400; ++i) {
    sem_wait(&g_items);
  }
  return NULL;
}

static void Locks(void) {
  g_count = g_turn = 0;
  sem_init(&g_items, 0, 0);
  StartAll(UseLocks);
  JoinAll();
  CHECK(g_count == kThreads * 400 && g_turn == kThreads * 20);
}

// --- threads that come and go

static void* Short(void* argument) {
  char stack[2000];
  memset(stack, (int)(long)argument, sizeof(stack));
  return (void*)((long)stack[1999] + 1);
}

static void* MakeShort(void* argument) {
  (void)argument;
  for (long i = 0; i < 50; ++i) {
    pthread_t thread;
    void* result = NULL;
    CHECK(pthread_create(&thread, NULL, Short, (void*)i) == 0);
    CHECK(pthread_join(thread, &result) == 0 && (long)result == i + 1);
  }
  return NULL;
}

static void ComeAndGo(void) {
  StartAll(MakeShort);
  JoinAll();
}

// --- signals

static atomic_long g_handled;
static __thread volatile long g_mine;

static void Handle(int signal) {
  (void)signal;
  const int saved = errno;
  volatile double x = 1.5;
  x = x * 2;
  ++g_mine;
  atomic_fetch_add(&g_handled, 1);
  errno = saved;
}

static void* Signalled(void* argument) {
  while (!atomic_load(&g_stop)) {
    Spin(argument);
  }
  return NULL;
}

static void* Sleeper(void* argument) {
  (void)argument;
  while (!atomic_load(&g_stop)) {
    const struct timespec nap = {0, 300000};
    nanosleep(&nap, NULL);
  }
  return NULL;
}

static void Signals(void) {
  const struct sigaction action = {.sa_handler = Handle, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  atomic_store(&g_stop, 0);
  atomic_store(&g_handled, 0);
  for (long i = 0; i < kThreads; ++i) {
    CHECK(pthread_create(&g_threads[i], NULL, i < 3 ? Signalled : Sleeper, (void*)i) == 0);
  }
  for (int i = 0; i < 400; ++i) {
    const long before = atomic_load(&g_handled);
    CHECK(pthread_kill(g_threads[i % kThreads], SIGUSR1) == 0);
    if (i % 4 == 0) {
      while (atomic_load(&g_handled) == before) {
        sched_yield();
      }
    }
  }
  for (int i = 0; i < 100; ++i) {
    kill(getpid(), SIGUSR1);
  }
  atomic_store(&g_stop, 1);
  JoinAll();
  CHECK(atomic_load(&g_handled) > 100);
}

// --- fork while others run

static void* Forker(void* argument) {
  for (int i = 0; i < 4; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      _exit(getpid() == gettid() ? (int)(long)argument : 98);
    }
    int status = 0;
    CHECK(child > 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (int)(long)argument);
  }
  return NULL;
}

static void Forks(void) {
  pthread_t spinners[2];
  atomic_store(&g_stop, 0);
  for (long i = 0; i < 2; ++i) {
    CHECK(pthread_create(&spinners[i], NULL, Spin, (void*)i) == 0);
  }
  StartAll(Forker);
  JoinAll();
  atomic_store(&g_stop, 1);
  for (int i = 0; i < 2; ++i) {
    pthread_join(spinners[i], NULL);
  }
}

// --- programs started by several threads at once (vfork in posix_spawn and system)

static void* Spawner(void* argument) {
  char command[40];
  snprintf(command, sizeof(command), "exit %ld", (long)argument);
  const int status = system(command);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (int)(long)argument);
  return NULL;
}

static void Spawns(void) {
  pthread_t spinner;
  atomic_store(&g_stop, 0);
  CHECK(pthread_create(&spinner, NULL, Spin, NULL) == 0);
  StartAll(Spawner);
  JoinAll();
  atomic_store(&g_stop, 1);
  pthread_join(spinner, NULL);
}

// --- one thread ends or replaces the process while the others compute, sleep, wait

static void* Any(void* argument) {
  switch ((long)argument % 4) {
    case 0:
      return Spin(argument);
    case 1:
      return Sleeper(argument);
    case 2:
      while (!atomic_load(&g_stop)) {
        getppid();
      }
      return NULL;
    default:
      pthread_mutex_lock(&g_lock);
      while (!atomic_load(&g_stop)) {
        pthread_cond_wait(&g_changed, &g_lock);
      }
      pthread_mutex_unlock(&g_lock);
      return NULL;
  }
}

static void* Ender(void* how) {
  const struct timespec nap = {0, 2000000};
  nanosleep(&nap, NULL);
  if (how == NULL) {
    exit(41);
  }
  execl(g_self, g_self, "exit", "43", (char*)NULL);
  return NULL;
}

static int RunAndEnd(void* how) {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    atomic_store(&g_stop, 0);
    StartAll(Any);
    pthread_t ender;
    CHECK(pthread_create(&ender, NULL, Ender, how) == 0);
    Spin(NULL);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static void ExitFromOne(void) { CHECK(RunAndEnd(NULL) == 41); }
static void ExecFromOne(void) {
  const int status = RunAndEnd(g_self);
  if (status != 43) {
    fprintf(stderr, "status %d\n", status);
  }
  CHECK(status == 43);
}

static void KillAll(void) {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    atomic_store(&g_stop, 0);
    StartAll(Any);
    Spin(NULL);
  }
  const struct timespec nap = {0, 3000000};
  nanosleep(&nap, NULL);
  int status = 0;
  CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

// --- a tight loop does not hold up a thread that waits for a host socket

static void* Serve(void* listener) {
  for (int i = 0; i < 20; ++i) {
    char text[4];
    const int fd = accept(*(int*)listener, NULL, NULL);
    CHECK(fd >= 0 && read(fd, text, 4) == 4 && write(fd, text, 4) == 4);
    close(fd);
  }
  atomic_store(&g_stop, 1);
  return NULL;
}

static void* Ask(void* address) {
  for (int i = 0; i < 20; ++i) {
    char text[4] = "abc";
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, address, sizeof(struct sockaddr_in)) == 0);
    CHECK(write(fd, text, 4) == 4 && read(fd, text, 4) == 4);
    close(fd);
  }
  return NULL;
}

static void TightLoop(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(bind(listener, (struct sockaddr*)&address, size) == 0 && listen(listener, 8) == 0);
  CHECK(getsockname(listener, (struct sockaddr*)&address, &size) == 0);
  atomic_store(&g_stop, 0);
  pthread_t server, client;
  CHECK(pthread_create(&server, NULL, Serve, &listener) == 0);
  CHECK(pthread_create(&client, NULL, Ask, &address) == 0);
  while (!atomic_load_explicit(&g_stop, memory_order_relaxed)) {
  }
  pthread_join(server, NULL);
  pthread_join(client, NULL);
  close(listener);
}

// --- pipes between threads and processes

static void* Pump(void* argument) {
  int there[2], back[2];
  (void)argument;
  CHECK(pipe(there) == 0 && pipe(back) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    char byte;
    for (int i = 0; i < 200 && read(there[0], &byte, 1) == 1; ++i) {
      ++byte;
      if (write(back[1], &byte, 1) != 1) {
        _exit(97);
      }
    }
    _exit(0);
  }
  for (int i = 0; i < 200; ++i) {
    char byte = (char)i;
    CHECK(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1 && byte == (char)(i + 1));
  }
  int status = 1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  for (int i = 0; i < 2; ++i) {
    close(there[i]);
    close(back[i]);
  }
  return NULL;
}

static void Pumps(void) {
  StartAll(Pump);
  JoinAll();
}

// --- memory

static void* Mapper(void* argument) {
  for (int i = 0; i < 60; ++i) {
    const size_t size = 4096 * (1 + (size_t)i % 7);
    char* const memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    memset(memory, (int)(long)argument, size);
    CHECK(mprotect(memory, 4096, PROT_READ) == 0);
    CHECK(memory[size - 1] == (char)(long)argument);
    CHECK(munmap(memory, size) == 0);
  }
  return NULL;
}

static void Mappers(void) {
  StartAll(Mapper);
  JoinAll();
}

static const struct {
  const char* name;
  void (*run)(void);
} kCases[] = {{"locks", Locks},
              {"come_and_go", ComeAndGo},
              {"signals", Signals},
              {"forks", Forks},
              {"spawns", Spawns},
              {"exit_from_one", ExitFromOne},
              {"exec_from_one", ExecFromOne},
              {"kill_all", KillAll},
              {"tight_loop", TightLoop},
              {"pumps", Pumps},
              {"mappers", Mappers}};

int main(int argc, char** argv) {
  g_self = argv[0];
  if (argc == 3 && strcmp(argv[1], "exit") == 0) {
    return atoi(argv[2]);
  }
  const long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    if (argc > 1 && strcmp(argv[1], "all") != 0 && strcmp(argv[1], kCases[i].name) != 0) {
      continue;
    }
    const pid_t child = fork();
    if (child == 0) {
      for (long round = 0; round < rounds; ++round) {
        kCases[i].run();
      }
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("%s %d\n", kCases[i].name, status);
    fflush(stdout);
  }
  return 0;
}
