/* SPDX-License-Identifier: Apache-2.0 */
/* What the Junction kernel refuses; prints each answer. Only meant to run in an instance. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

static char* const kernel_image = (char*)0x70000000;
static char* const thread_area = (char*)0x2f0000000000;

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  SHOW(mmap(kernel_image, 4096, PROT_READ, flags, -1, 0) == MAP_FAILED ? -1 : 0);
  SHOW(mmap(thread_area, 4096, PROT_READ, flags, -1, 0) == MAP_FAILED ? -1 : 0);
  SHOW(mmap(kernel_image - 4096, 8192, PROT_READ, flags, -1, 0) == MAP_FAILED ? -1 : 0);
  SHOW(munmap(kernel_image, 4096));
  SHOW(mprotect(kernel_image, 4096, PROT_NONE));
  SHOW(mremap(kernel_image, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
  SHOW(syscall(SYS_arch_prctl, ARCH_SET_GS, 0));
  SHOW(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
  SHOW(syscall(SYS_seccomp, 0, 0, 0));
  SHOW(prctl(59, 0, 0, 0, 0)); /* PR_SET_SYSCALL_USER_DISPATCH off */
  SHOW(prctl(PR_SET_MM, 1, 0, 0, 0));
  SHOW(unshare(CLONE_NEWUSER));
  SHOW(syscall(SYS_clone, CLONE_NEWNET | 17, 0, 0, 0, 0));
  SHOW(syscall(SYS_clone3, 0, 0));
  SHOW(ptrace(PTRACE_TRACEME, 0, 0, 0));
  SHOW(syscall(SYS_io_uring_setup, 1, 0));
  SHOW(syscall(SYS_mount, 0, 0, 0, 0, 0));
  SHOW(syscall(SYS_bpf, 0, 0, 0));
  SHOW(syscall(SYS_perf_event_open, 0, 0, 0, 0, 0));
  SHOW(syscall(SYS_userfaultfd, 0));
  SHOW(socket(AF_PACKET, SOCK_RAW, 0));
  SHOW(socket(AF_ALG, SOCK_SEQPACKET, 0));
  SHOW(syscall(1000));
  SHOW(syscall(0x40000000 | SYS_getpid));
  printf("alive %d\n", getppid() >= 0);
  return 0;
}
