/* SPDX-License-Identifier: Apache-2.0 */
/* What a program asks about itself and its machine: identity, limits, usage, processors, random bytes, folders, /proc/self. */
#include "suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/membarrier.h>
#include <linux/rseq.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>

CASE(uname_says_linux) {
  struct utsname name;
  memset(&name, 0x55, sizeof(name));
  EXPECT_OK(uname(&name));
  EXPECT_EQ(strcmp(name.sysname, "Linux"), 0);
  EXPECT_EQ(strcmp(name.machine, "x86_64"), 0);
  EXPECT(atoi(name.release) >= 4);
  char host[100];
  EXPECT_OK(gethostname(host, sizeof(host)));
  EXPECT_EQ(strcmp(name.nodename, host), 0);
}

CASE(sysinfo_adds_up) {
  struct sysinfo info;
  EXPECT_OK(sysinfo(&info));
  EXPECT(info.uptime > 0 && info.procs > 0 && info.mem_unit > 0);
  EXPECT(info.totalram > 0 && info.freeram <= info.totalram);
}

CASE(usage_counts) {
  struct rusage before, after;
  EXPECT_OK(getrusage(RUSAGE_SELF, &before));
  char* const memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(memory, 1, 1 << 20);
  while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < 5000000) {
  }
  EXPECT_OK(getrusage(RUSAGE_SELF, &after));
  EXPECT(after.ru_maxrss > 0 && after.ru_maxrss >= before.ru_maxrss);
  EXPECT_GE(after.ru_utime.tv_sec * 1000000 + after.ru_utime.tv_usec + after.ru_stime.tv_sec * 1000000 +
                after.ru_stime.tv_usec,
            1);
  EXPECT_OK(getrusage(RUSAGE_THREAD, &after));
  EXPECT_OK(getrusage(RUSAGE_CHILDREN, &after));
  EXPECT_ERR(getrusage((__rusage_who_t)99, &after), EINVAL);
}

CASE(limits_are_kept_and_inherited) {
  struct rlimit limit = {100, 200};
  EXPECT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_cur = 150;
  EXPECT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_OK(getrlimit(RLIMIT_NOFILE, &limit));
    EXPECT(limit.rlim_cur == 150 && limit.rlim_max == 200);
    EXPECT_EQ(sysconf(_SC_OPEN_MAX), 150);
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
}

CASE(limit_errors_and_prlimit) {
  struct rlimit limit = {200, 100};
  struct rlimit old;
  EXPECT_ERR(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
  EXPECT_ERR(setrlimit((__rlimit_resource_t)99, &limit), EINVAL);
  EXPECT_ERR(getrlimit((__rlimit_resource_t)99, &limit), EINVAL);
  limit.rlim_cur = 50;
  EXPECT_OK(prlimit(0, RLIMIT_NOFILE, &limit, &old));
  EXPECT(old.rlim_cur >= 50);
  EXPECT_OK(prlimit(getpid(), RLIMIT_NOFILE, NULL, &old));
  EXPECT(old.rlim_cur == 50 && old.rlim_max == 100);
  EXPECT_ERR(prlimit(0x3ffffff, RLIMIT_NOFILE, NULL, &old), ESRCH);
}

CASE(file_size_limit) {
  const struct rlimit limit = {1000, 1000};
  const int fd = scratch_file();
  static char block[2000];
  EXPECT_OK(setrlimit(RLIMIT_FSIZE, &limit));
  install(SIGXFSZ, count_signal, 0);
  EXPECT_EQ(write(fd, block, sizeof(block)), 1000);
  EXPECT_ERR(write(fd, block, 1), EFBIG);
  EXPECT_EQ(atomic_load(&handled), 1);
}

CASE(process_name) {
  char name[17] = "";
  EXPECT_OK(prctl(PR_SET_NAME, "short"));
  EXPECT_OK(prctl(PR_GET_NAME, name));
  EXPECT_EQ(strcmp(name, "short"), 0);
  EXPECT_ERR(prctl(PR_GET_NAME, 8), EFAULT);
}

CASE(prctl_flags_and_errors) {
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), 1);
  EXPECT_OK(prctl(PR_SET_DUMPABLE, 0));
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), 0);
  EXPECT_OK(prctl(PR_SET_DUMPABLE, 1));
  EXPECT_ERR(prctl(PR_SET_DUMPABLE, 5), EINVAL);
  EXPECT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  EXPECT_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
  EXPECT_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
  EXPECT_ERR(prctl(123456), EINVAL);
  EXPECT_OK(prctl(PR_SET_TIMERSLACK, 1000));
  EXPECT_EQ(prctl(PR_GET_TIMERSLACK), 1000);
}

CASE(affinity_and_processors) {
  cpu_set_t set;
  EXPECT_OK(sched_getaffinity(0, sizeof(set), &set));
  EXPECT_GE(CPU_COUNT(&set), 1);
  EXPECT_EQ(sysconf(_SC_NPROCESSORS_ONLN) >= CPU_COUNT(&set), 1);
  EXPECT_ERR(syscall(SYS_sched_getaffinity, 0, 1, &set), EINVAL);
  EXPECT_ERR(sched_getaffinity(0x3ffffff, sizeof(set), &set), ESRCH);
  int first = 0;
  while (!CPU_ISSET(first, &set)) {
    ++first;
  }
  CPU_ZERO(&set);
  EXPECT_ERR(sched_setaffinity(0, sizeof(set), &set), EINVAL);
  CPU_SET(first, &set);
  EXPECT_OK(sched_setaffinity(0, sizeof(set), &set));
  CPU_ZERO(&set);
  EXPECT_OK(sched_getaffinity(0, sizeof(set), &set));
  EXPECT(CPU_COUNT(&set) == 1 && CPU_ISSET(first, &set));
}

CASE(yield_and_getcpu) {
  unsigned cpu = 9999, node = 9999;
  EXPECT_OK(sched_yield());
  EXPECT_OK(syscall(SYS_getcpu, &cpu, &node, NULL));
  EXPECT(cpu < 9999 && node < 9999);
  EXPECT_OK(syscall(SYS_getcpu, NULL, NULL, NULL));
}

/* A program with a slot for each CPU writes past the last one otherwise. The library may ask the vDSO in place of the kernel. */
CASE(runs_on_a_cpu_that_it_may_use) {
  cpu_set_t set;
  EXPECT_OK(sched_getaffinity(0, sizeof(set), &set));
  for (int i = 0; i < 1000; ++i) {
    const int cpu = sched_getcpu();
    EXPECT(cpu >= 0 && CPU_ISSET((size_t)cpu, &set));
  }
}

CASE(scheduling_policies) {
  struct sched_param parameter = {.sched_priority = 0};
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
  EXPECT_OK(sched_getparam(0, &parameter));
  EXPECT_EQ(parameter.sched_priority, 0);
  EXPECT_EQ(sched_get_priority_max(SCHED_FIFO), 99);
  EXPECT_EQ(sched_get_priority_min(SCHED_OTHER), 0);
  EXPECT_ERR(sched_get_priority_max(99), EINVAL);
  EXPECT_ERR(sched_setscheduler(0, 99, &parameter), EINVAL);
  parameter.sched_priority = 5;
  EXPECT_ERR(sched_setscheduler(0, SCHED_OTHER, &parameter), EINVAL);
}

CASE(nice_values) {
  errno = 0;
  const int before = getpriority(PRIO_PROCESS, 0);
  EXPECT_EQ(errno, 0);
  EXPECT_OK(setpriority(PRIO_PROCESS, 0, before < 10 ? before + 5 : 19));
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), before < 10 ? before + 5 : 19);
  EXPECT_ERR(getpriority((__priority_which_t)99, 0), EINVAL);
}

CASE(membarrier_query_and_private) {
  const long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  if (commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0) {
    EXPECT_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM); /* not registered */
    EXPECT_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
    EXPECT_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    EXPECT_ERR(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
  } else {
    EXPECT(commands >= 0 || errno == ENOSYS);
  }
}

static void* register_rseq(void* unused) {
  static struct rseq area __attribute__((aligned(32)));
  (void)unused;
  const long result = syscall(SYS_rseq, &area, sizeof(area), 0, 0x12345678);
  /* libc has it for itself, or there is none. */
  EXPECT(result == 0 || errno == EINVAL || errno == EBUSY || errno == EPERM || errno == ENOSYS);
  return NULL;
}

CASE(rseq_is_there_or_not) { thread_join(thread_start(register_rseq, NULL)); }

CASE(random_bytes) {
  unsigned char first[64] = {0}, second[64] = {0}, zero[64] = {0};
  EXPECT_EQ(getrandom(first, sizeof(first), 0), 64);
  EXPECT_EQ(getrandom(second, sizeof(second), GRND_NONBLOCK), 64);
  EXPECT(memcmp(first, second, 64) != 0 && memcmp(first, zero, 64) != 0);
  EXPECT_ERR(getrandom(first, 64, 0x100), EINVAL);
  EXPECT_EQ(getrandom(first, 0, 0), 0);
  const pid_t pid = child_start();
  if (pid == 0) {
    int fds[2];
    make_pipe(fds);
    EXPECT_EQ(getrandom(second, 64, 0), 64);
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
}

CASE(random_bytes_differ_in_children) {
  int fds[2];
  unsigned char own[32], other[32];
  make_pipe(fds);
  const pid_t pid = child_start();
  EXPECT_EQ(getrandom(own, sizeof(own), 0), 32);
  if (pid == 0) {
    EXPECT_EQ(write(fds[1], own, 32), 32);
    _exit(0);
  }
  EXPECT_EQ(read(fds[0], other, 32), 32);
  EXPECT(memcmp(own, other, 32) != 0);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(random_device) {
  char bytes[16] = "";
  const int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  EXPECT_OK(fd);
  EXPECT_EQ(read(fd, bytes, sizeof(bytes)), 16);
}

CASE(null_and_zero_devices) {
  char bytes[16];
  const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  EXPECT_OK(null_fd);
  EXPECT_EQ(write(null_fd, bytes, 16), 16);
  EXPECT_EQ(read(null_fd, bytes, 16), 0);
  const int zero_fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
  EXPECT_OK(zero_fd);
  memset(bytes, 7, sizeof(bytes));
  EXPECT_EQ(read(zero_fd, bytes, 16), 16);
  EXPECT(bytes[0] == 0 && bytes[15] == 0);
}

CASE(umask_applies_and_is_inherited) {
  struct stat stat;
  umask(027);
  EXPECT_EQ(umask(077), 027);
  const char* const path = scratch("masked");
  const int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0777);
  EXPECT_OK(fstat(fd, &stat));
  EXPECT_EQ(stat.st_mode & 0777, 0700);
  EXPECT_OK(unlink(path));
  const pid_t pid = child_start();
  if (pid == 0) {
    _exit(umask(0) == 077 ? 0 : 1);
  }
  EXPECT_EQ(child_result(pid), 0);
}

CASE(current_folder) {
  char path[PATH_MAX], other[PATH_MAX];
  EXPECT_OK(chdir(scratch(".")));
  EXPECT(getcwd(path, sizeof(path)) != NULL && path[0] == '/');
  const int fd = open("here", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  EXPECT_OK(fd);
  EXPECT_OK(access(scratch("here"), F_OK));
  EXPECT_OK(unlink("here"));
  EXPECT_ERR(syscall(SYS_getcwd, other, 2), ERANGE);
  EXPECT_ERR(chdir("/does/not/exist"), ENOENT);
  EXPECT_ERR(chdir("/dev/null"), ENOTDIR);
  const int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  EXPECT_OK(fchdir(root));
  EXPECT(getcwd(other, sizeof(other)) != NULL && strcmp(other, "/") == 0);
}

CASE(current_folder_of_threads_is_one_of_children_is_not) {
  char path[PATH_MAX];
  EXPECT_OK(chdir("/"));
  const pid_t pid = child_start();
  if (pid == 0) {
    _exit(chdir("/dev"));
  }
  EXPECT_EQ(child_result(pid), 0);
  EXPECT(getcwd(path, sizeof(path)) != NULL && strcmp(path, "/") == 0);
}

CASE(proc_self_exe) {
  char path[PATH_MAX] = "";
  EXPECT_EQ(readlink("/proc/self/exe", path, sizeof(path)), (ssize_t)strlen(suite_program));
  EXPECT_EQ(strcmp(path, suite_program), 0);
  EXPECT_EQ(readlink("/proc/self/exe", path, 3), 3);
  const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(read(fd, path, 4), 4);
  EXPECT_BYTES(path, "\177ELF");
}

CASE(stat_of_proc_self_exe) {
  struct stat by_link, by_path;
  EXPECT_OK(stat("/proc/self/exe", &by_link));
  EXPECT_OK(stat(suite_program, &by_path));
  EXPECT_EQ(by_link.st_size, by_path.st_size);
  EXPECT_EQ(by_link.st_ino, by_path.st_ino);
}

CASE(proc_self_fd) {
  int fds[2];
  char path[64], target[64] = "";
  make_pipe(fds);
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
  EXPECT(readlink(path, target, sizeof(target) - 1) > 0);
  EXPECT_BYTES(target, "pipe:[");
  int found = 0;
  DIR* const dir = opendir("/proc/self/fd");
  EXPECT(dir != NULL);
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) {
    found += strcmp(entry->d_name, strrchr(path, '/') + 1) == 0;
  }
  closedir(dir);
  EXPECT_EQ(found, 1);
  close(fds[0]);
  EXPECT_ERR(readlink(path, target, sizeof(target)), ENOENT);
}

CASE(proc_self_fd_opens_anew) {
  const int fd = scratch_file();
  char path[64];
  EXPECT_EQ(write(fd, "abc", 3), 3);
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  const int again = open(path, O_RDONLY | O_CLOEXEC);
  EXPECT_OK(again);
  EXPECT_EQ(lseek(again, 0, SEEK_CUR), 0); /* an offset of its own */
  char buffer[4];
  EXPECT_EQ(read(again, buffer, 4), 3);
}

CASE(proc_self_cmdline_and_comm) {
  char text[PATH_MAX] = "";
  const int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  EXPECT_OK(fd);
  EXPECT(read(fd, text, sizeof(text) - 1) > 0);
  EXPECT(strstr(text, strrchr(suite_program, '/') + 1) != NULL);
  const int comm = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
  EXPECT_OK(prctl(PR_SET_NAME, "renamed"));
  EXPECT_EQ(read(comm, text, sizeof(text)), 8);
  EXPECT_BYTES(text, "renamed\n");
}

CASE(proc_self_is_this_process) {
  char text[64] = "", expected[64];
  EXPECT(readlink("/proc/self", text, sizeof(text) - 1) > 0);
  snprintf(expected, sizeof(expected), "%d", getpid());
  EXPECT_EQ(strcmp(text, expected), 0);
}

/* Whether some line of the file begins with `word`. */
static int has_line(const char* path, const char* word) {
  char line[4096];
  int found = 0;
  FILE* const file = fopen(path, "re");
  EXPECT(file != NULL);
  while (fgets(line, sizeof(line), file) != NULL) {
    found |= strncmp(line, word, strlen(word)) == 0;
  }
  fclose(file);
  return found;
}

CASE(proc_files_that_runtimes_read) {
  char text[64];
  snprintf(text, sizeof(text), "%d (", getpid());
  EXPECT(has_line("/proc/self/stat", text));
  snprintf(text, sizeof(text), "Pid:\t%d\n", getpid());
  EXPECT(has_line("/proc/self/status", text));
  EXPECT(has_line("/proc/self/status", "Threads:\t1\n"));
  EXPECT(has_line("/proc/self/status", "VmRSS:"));
  EXPECT(has_line("/proc/meminfo", "MemTotal:"));
  EXPECT(has_line("/proc/cpuinfo", "processor"));
  EXPECT(has_line("/proc/stat", "cpu "));
}

CASE(auxiliary_vector) {
  EXPECT_EQ(getauxval(AT_PAGESZ), 4096);
  EXPECT_EQ(getauxval(AT_UID), getuid());
  EXPECT_EQ(getauxval(AT_EGID), getegid());
  EXPECT_EQ(getauxval(AT_CLKTCK), sysconf(_SC_CLK_TCK));
  EXPECT(getauxval(AT_PHDR) != 0 && getauxval(AT_ENTRY) != 0 && getauxval(AT_RANDOM) != 0);
  EXPECT(strstr((const char*)getauxval(AT_EXECFN), strrchr(suite_program, '/') + 1) != NULL);
}

CASE(personality_is_told_and_set) {
  const int now = personality(0xffffffff);
  EXPECT_GE(now, 0);
  EXPECT_EQ(personality((unsigned long)now), now);
}

CASE(identity_of_users) {
  uid_t real, effective, saved;
  EXPECT_OK(getresuid(&real, &effective, &saved));
  EXPECT(real == getuid() && effective == geteuid());
  EXPECT_OK(setuid(getuid()));
  EXPECT_OK(setresgid((gid_t)-1, (gid_t)-1, (gid_t)-1));
  EXPECT_GE(getgroups(0, NULL), 0);
  if (getuid() != 0) {
    EXPECT_ERR(setuid(0), EPERM);
  }
}

CASE(unknown_calls_are_enosys) {
  EXPECT_ERR(syscall(4000), ENOSYS);
  EXPECT_ERR(syscall(100000), ENOSYS);
  EXPECT_ERR(syscall(-1L), ENOSYS);
  EXPECT_ERR(syscall(SYS_uselib, "x"), ENOSYS);
}

CASE(arch_prctl_of_the_thread_pointer) {
  unsigned long fs = 0;
  EXPECT_OK(syscall(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, &fs));
  EXPECT_EQ(fs, *(unsigned long*)__builtin_thread_pointer());
  EXPECT_ERR(syscall(SYS_arch_prctl, 0x9999, &fs), EINVAL);
  EXPECT_ERR(syscall(SYS_arch_prctl, 0x1002 /* ARCH_SET_FS */, -1L), EPERM);
}

CASE(file_times_and_clocks_agree) {
  struct stat stat;
  const int64_t before = now_ns(CLOCK_REALTIME_COARSE) - 1000000000;
  const int fd = scratch_file();
  EXPECT_OK(fstat(fd, &stat));
  EXPECT_GE(stat.st_mtim.tv_sec * 1000000000LL + stat.st_mtim.tv_nsec, before);
}
