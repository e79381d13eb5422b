/* SPDX-License-Identifier: Apache-2.0
 * What a root without capabilities is refused: the differences to Linux' root that the sandbox is there for. Each line is an expectation
 * of its own in privileges.expected: no run on Linux could give them, nor should any test try these calls on the host. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../check.h"

int main(void) {
  if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) != 0) {
    puts("not in a sandbox: some of this would succeed");
    return 1;
  }
  printf("uid %d gid %d groups %d\n", (int)getuid(), (int)getgid(), getgroups(0, NULL));

  /* Servers that start as root and become another user end here: they are to be told not to (nginx' `user root`). */
  SHOW(setuid(0));
  SHOW(setuid(1000));
  SHOW(setresuid(33, 33, 33));
  SHOW(setgid(1000));
  const gid_t group = 33;
  SHOW(setgroups(1, &group));
  SHOW(initgroups("root", 0));

  /* Its own files stay its own. */
  const int file = open("own", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  MUST(file >= 0);
  SHOW(fchown(file, 0, 0));
  SHOW(fchown(file, 1000, 1000));
  SHOW(fchmod(file, 0644));
  SHOW(mknod("device", S_IFCHR | 0600, 0x103));

  /* The host's files are those of another user, and cannot be written at all. */
  SHOW(open("/etc/shadow", O_RDONLY));
  SHOW(open("/etc/passwd", O_WRONLY));
  SHOW(mkdir("/new", 0755));
  SHOW(chmod("/etc/passwd", 0666));

  /* Nothing of the machine is its own. */
  SHOW(mount("none", "/tmp", "tmpfs", 0, NULL));
  SHOW(umount("/proc"));
  SHOW(chroot("/tmp"));
  SHOW(unshare(CLONE_NEWUSER));
  SHOW(sethostname("host", 4));
  const struct timeval now = {.tv_sec = 1000000000};
  SHOW(settimeofday(&now, NULL));
  SHOW(setpriority(PRIO_PROCESS, 0, -5));

  /* Ports below 1024 are free to all, as with container engines. */
  const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  SHOW(bind(socket_fd, (const struct sockaddr*)&address, sizeof(address)));
  return 0;
}
