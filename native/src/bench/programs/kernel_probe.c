// SPDX-License-Identifier: Apache-2.0
// What calls of a kernel cost: an ordinary program, run on Linux and in an instance by `./junction bench kernel`. Prints one line
// `name nanoseconds` a measurement, the median of several batches. Arguments: names of measurements; none = all.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kBatches = 9, kMessage_bytes = 600, kMessages = 64 };  // 64 messages fit the 16 pages of a Linux pipe

static uint64_t Now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void Check(int is_true, const char* what) {
  if (!is_true) {
    fprintf(stderr, "kernel_probe: %s: %s\n", what, strerror(errno));
    exit(1);
  }
}

static int CompareDoubles(const void* a, const void* b) {
  const double x = *(const double*)a;
  const double y = *(const double*)b;
  return (x > y) - (x < y);
}

static double Median(double* values, int count) {
  qsort(values, (size_t)count, sizeof(*values), CompareDoubles);
  return values[count / 2];
}

// Nanoseconds an operation, for bodies that are just repeated.
static double Repeat(void (*body)(void), int repetitions) {
  double values[kBatches];
  for (int batch = 0; batch < kBatches; ++batch) {
    const uint64_t start = Now_ns();
    for (int i = 0; i < repetitions; ++i) {
      body();
    }
    values[batch] = (double)(Now_ns() - start) / repetitions;
  }
  return Median(values, kBatches);
}

static void GetppidOnce(void) { syscall(SYS_getppid); }
static double Getppid(void) { return Repeat(GetppidOnce, 100000); }

static void ClockOnce(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
}
static double Clock(void) { return Repeat(ClockOnce, 100000); }

static double PipeRead(void) {
  int fds[2];
  char message[kMessage_bytes] = {0};
  double values[kBatches * 20];
  Check(pipe(fds) == 0, "pipe");
  for (int batch = 0; batch < kBatches * 20; ++batch) {
    for (int i = 0; i < kMessages; ++i) {
      Check(write(fds[1], message, sizeof(message)) == kMessage_bytes, "write");
    }
    const uint64_t start = Now_ns();
    for (int i = 0; i < kMessages; ++i) {
      Check(read(fds[0], message, sizeof(message)) == kMessage_bytes, "read");
    }
    values[batch] = (double)(Now_ns() - start) / kMessages;
  }
  close(fds[0]);
  close(fds[1]);
  return Median(values, kBatches * 20);
}

// ---- ping-pong between two threads
static int g_there[2];
static int g_back[2];
static _Atomic uint32_t g_turn;

static void FutexWaitFor(uint32_t other) {
  while (atomic_load(&g_turn) == other) {
    syscall(SYS_futex, &g_turn, FUTEX_WAIT_PRIVATE, other, NULL, NULL, 0);
  }
}
static void FutexPass(uint32_t to) {
  atomic_store(&g_turn, to);
  syscall(SYS_futex, &g_turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void* FutexPeer(void* rounds) {
  for (long i = 0; i < (long)rounds; ++i) {
    FutexWaitFor(0);
    FutexPass(0);
  }
  return NULL;
}

static void* PipePeer(void* rounds) {
  char byte;
  for (long i = 0; i < (long)rounds; ++i) {
    Check(read(g_there[0], &byte, 1) == 1 && write(g_back[1], &byte, 1) == 1, "peer");
  }
  return NULL;
}

static double PingPong(void* (*peer)(void*), int is_futex, long rounds) {
  double values[kBatches];
  for (int batch = 0; batch < kBatches; ++batch) {
    pthread_t thread;
    char byte = 'x';
    g_turn = 0;
    Check(pthread_create(&thread, NULL, peer, (void*)rounds) == 0, "pthread_create");
    const uint64_t start = Now_ns();
    for (long i = 0; i < rounds; ++i) {
      if (is_futex) {
        FutexPass(1);
        FutexWaitFor(1);
      } else {
        Check(write(g_there[1], &byte, 1) == 1 && read(g_back[0], &byte, 1) == 1, "ping");
      }
    }
    values[batch] = (double)(Now_ns() - start) / (double)rounds;
    pthread_join(thread, NULL);
  }
  return Median(values, kBatches);
}

static void MakePipes(void) { Check(pipe(g_there) == 0 && pipe(g_back) == 0, "pipe"); }
static void ClosePipes(void) {
  close(g_there[0]);
  close(g_there[1]);
  close(g_back[0]);
  close(g_back[1]);
}

static double FutexPingPong(void) { return PingPong(FutexPeer, 1, 5000); }
static double PipePingPong(void) {
  MakePipes();
  const double result = PingPong(PipePeer, 0, 5000);
  ClosePipes();
  return result;
}

// Confines the caller to the `index`th of the processors in `usable` (the last one if there are fewer).
static void PinTo(const cpu_set_t* usable, int index) {
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && index >= 0; ++cpu) {
    if (CPU_ISSET(cpu, usable)) {
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      --index;
    }
  }
  Check(sched_setaffinity(0, sizeof(one), &one) == 0, "sched_setaffinity");
}

// With `usable` the parent stays on its first processor and the child on its second.
static double ForkPipePingPongOn(const cpu_set_t* usable) {
  enum { kRounds = 4000 };
  double values[kBatches];
  MakePipes();
  for (int batch = 0; batch < kBatches; ++batch) {
    const pid_t child = fork();
    Check(child >= 0, "fork");
    if (usable != NULL) {
      PinTo(usable, child == 0 ? 1 : 0);
    }
    if (child == 0) {
      PipePeer((void*)(long)kRounds);
      _exit(0);
    }
    char byte = 'x';
    uint64_t start = 0;
    for (int i = 0; i < kRounds; ++i) {
      if (i == kRounds / 10) {
        start = Now_ns();  // the child is up and warm
      }
      Check(write(g_there[1], &byte, 1) == 1 && read(g_back[0], &byte, 1) == 1, "ping");
    }
    values[batch] = (double)(Now_ns() - start) / (kRounds - kRounds / 10);
    Check(waitpid(child, NULL, 0) == child, "waitpid");
  }
  ClosePipes();
  return Median(values, kBatches);
}

static double ForkPipePingPong(void) { return ForkPipePingPongOn(NULL); }

static double ForkPipePingPongTwoCores(void) {
  cpu_set_t usable;
  Check(sched_getaffinity(0, sizeof(usable), &usable) == 0, "sched_getaffinity");
  const double result = ForkPipePingPongOn(&usable);
  sched_setaffinity(0, sizeof(usable), &usable);
  return result;
}

// ---- threads and processes
static void* Nothing(void* argument) { return argument; }

static void CreateJoinOnce(void) {
  pthread_t thread;
  Check(pthread_create(&thread, NULL, Nothing, NULL) == 0, "pthread_create");
  pthread_join(thread, NULL);
}
static double CreateJoin(void) { return Repeat(CreateJoinOnce, 1000); }

static atomic_int g_arrived;
static _Atomic uint32_t g_may_go;

static void* WaitToGo(void* argument) {
  atomic_fetch_add(&g_arrived, 1);
  while (atomic_load(&g_may_go) == 0) {
    syscall(SYS_futex, &g_may_go, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
  }
  return argument;
}

// As many as there can be, all alive at once; nanoseconds for each.
static double TenThousandThreads(void) {
  enum { kThreads = 10000 };
  static pthread_t threads[kThreads];
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 16384);
  const uint64_t start = Now_ns();
  int count = 0;
  while (count < kThreads && pthread_create(&threads[count], &attributes, WaitToGo, NULL) == 0) {
    ++count;
  }
  while (atomic_load(&g_arrived) < count) {
    sched_yield();
  }
  atomic_store(&g_may_go, 1);
  syscall(SYS_futex, &g_may_go, FUTEX_WAKE_PRIVATE, kThreads, NULL, NULL, 0);
  for (int i = 0; i < count; ++i) {
    pthread_join(threads[i], NULL);
  }
  printf("threads_alive %d\n", count);
  return (double)(Now_ns() - start) / count;
}

static void ForkWaitOnce(void) {
  const pid_t child = fork();
  if (child == 0) {
    _exit(0);
  }
  Check(child > 0 && waitpid(child, NULL, 0) == child, "fork");
}
static double ForkWait(void) { return Repeat(ForkWaitOnce, 50); }

static void ForkExecOnce(void) {
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/true", "true", NULL);
    _exit(127);
  }
  int status;
  Check(child > 0 && waitpid(child, &status, 0) == child && status == 0, "fork and exec of /bin/true");
}
static double ForkExec(void) { return Repeat(ForkExecOnce, 20); }

static void SpawnOnce(void) {
  char* argv[] = {"true", NULL};
  char* envp[] = {NULL};
  pid_t child;
  int status;
  Check(posix_spawn(&child, "/bin/true", NULL, NULL, argv, envp) == 0, "posix_spawn");
  Check(waitpid(child, &status, 0) == child && status == 0, "spawn of /bin/true");
}
static double Spawn(void) { return Repeat(SpawnOnce, 20); }

// ---- signals
static volatile sig_atomic_t g_signals;
static void CountSignal(int signal) {
  (void)signal;
  ++g_signals;
}
static void SignalOnce(void) { syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1); }
static double Signal(void) {
  struct sigaction action = {.sa_handler = CountSignal};
  sigaction(SIGUSR1, &action, NULL);
  g_signals = 0;
  const double result = Repeat(SignalOnce, 20000);
  Check(g_signals == kBatches * 20000, "every signal is handled");
  return result;
}

struct Measurement {
  const char* name;
  double (*run)(void);
};

static const struct Measurement kMeasurements[] = {
    {"getppid", Getppid},
    {"clock_gettime", Clock},
    {"pipe_read_600", PipeRead},
    {"futex_ping_pong_threads", FutexPingPong},
    {"pipe_ping_pong_threads", PipePingPong},
    {"thread_create_join", CreateJoin},
    {"pipe_ping_pong_processes", ForkPipePingPong},
    {"pipe_ping_pong_two_cores", ForkPipePingPongTwoCores},
    {"fork_exit_wait", ForkWait},
    {"fork_exec_wait", ForkExec},
    {"spawn_true", Spawn},
    {"signal_to_self", Signal},
    // Last: what it leaves mapped makes a fork dear.
    {"ten_thousand_threads", TenThousandThreads},
};

int main(int argc, char** argv) {
  for (size_t i = 0; i < sizeof(kMeasurements) / sizeof(kMeasurements[0]); ++i) {
    int is_wanted = argc == 1;
    for (int at = 1; at < argc; ++at) {
      is_wanted |= strcmp(argv[at], kMeasurements[i].name) == 0;
    }
    if (is_wanted) {
      printf("%s %.1f\n", kMeasurements[i].name, kMeasurements[i].run());
      fflush(stdout);
    }
  }
  return 0;
}
