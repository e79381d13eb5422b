// SPDX-License-Identifier: Apache-2.0
// Read first: seccomp(2), and each call's own man page. Numbers are those of x86-64.
#include "run/host_syscalls.h"

#include <asm/prctl.h>
#include <asm/unistd.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace junction {
namespace {

constexpr uint32_t kWholeArgument = 0xffffffff;
constexpr uint32_t kPidfdGetInfo = 0xc040ff0b;  // run/clone_process.h

// --- ioctl: everything that terminals, pipes and sockets need; not TIOCSTI or TIOCLINUX, which type into a terminal.
constexpr uint32_t kIoctlCommands[] = {
    TCGETS,       TCSETS,      TCSETSW,        TCSETSF,        TCSBRK,     TCXONC,        TCFLSH,
    TIOCSCTTY,    TIOCGPGRP,   TIOCSPGRP,      TIOCOUTQ,       TIOCGWINSZ, TIOCSWINSZ,    FIONREAD,
    TIOCNOTTY,    FIONBIO,     TIOCGSID,       TIOCGPTN,       TIOCSPTLCK, TIOCGPTPEER,   FIOCLEX,
    FIONCLEX,     FIOASYNC,    FIOQSIZE,       FICLONE,        SIOCATMARK, SIOCGIFNAME,   SIOCGIFCONF,
    SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFBRDADDR, SIOCGIFNETMASK, SIOCGIFMTU, SIOCGIFHWADDR, SIOCGIFINDEX,
};
constexpr ArgumentMatch kIoctlMatch[] = {{1, kWholeArgument, kIoctlCommands}};
constexpr ArgumentCase kIoctlCases[] = {kIoctlMatch};
constexpr ArgumentLimits kIoctl = {kIoctlCases, ENOTTY, "command: of terminals, pipes, sockets (no TIOCSTI), FICLONE"};

// --- sched_setaffinity: the caller's own.
constexpr uint32_t kCaller[] = {0};
constexpr ArgumentMatch kOwnThreadMatch[] = {{0, kWholeArgument, kCaller}};
constexpr ArgumentCase kOwnThreadCases[] = {kOwnThreadMatch};
constexpr ArgumentLimits kOwnThread = {kOwnThreadCases, EPERM, "pid: 0, the caller"};

// --- mknod: no device files.
constexpr uint32_t kNodeTypes[] = {0, S_IFREG, S_IFIFO, S_IFSOCK};
constexpr ArgumentMatch kMknodMatch[] = {{1, S_IFMT, kNodeTypes}};
constexpr ArgumentCase kMknodCases[] = {kMknodMatch};
constexpr ArgumentLimits kMknod = {kMknodCases, EPERM, "type: file, FIFO or socket"};
constexpr ArgumentMatch kMknodatMatch[] = {{2, S_IFMT, kNodeTypes}};
constexpr ArgumentCase kMknodatCases[] = {kMknodatMatch};
constexpr ArgumentLimits kMknodat = {kMknodatCases, EPERM, "type: file, FIFO or socket"};

// --- clone: CLONE_NEWTIME is not in the mask: in clone() its bit belongs to the exit signal.
constexpr uint32_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                     CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE | CLONE_UNTRACED;
constexpr uint32_t kNone[] = {0};
constexpr ArgumentMatch kCloneMatch[] = {{0, kNamespaceFlags, kNone}};
constexpr ArgumentCase kCloneCases[] = {kCloneMatch};
constexpr ArgumentLimits kClone = {kCloneCases, EPERM, "flags: none of CLONE_NEW*, CLONE_PTRACE, CLONE_UNTRACED"};

// --- prctl
constexpr uint32_t kPrctlOptions[] = {
    PR_SET_PDEATHSIG,
    PR_GET_PDEATHSIG,
    PR_GET_DUMPABLE,
    PR_SET_DUMPABLE,
    PR_GET_KEEPCAPS,
    PR_SET_NAME,
    PR_GET_NAME,
    PR_GET_SECCOMP,
    PR_CAPBSET_READ,
    PR_GET_SECUREBITS,
    PR_SET_TIMERSLACK,
    PR_GET_TIMERSLACK,
    PR_SET_CHILD_SUBREAPER,
    PR_GET_CHILD_SUBREAPER,
    PR_SET_NO_NEW_PRIVS,
    PR_GET_NO_NEW_PRIVS,
    PR_GET_TID_ADDRESS,
    PR_SET_THP_DISABLE,
    PR_GET_THP_DISABLE,
    PR_GET_SPECULATION_CTRL,
    PR_SET_SYSCALL_USER_DISPATCH,
    PR_SET_VMA,
};
constexpr uint32_t kSetMemoryMap[] = {PR_SET_MM};
constexpr uint32_t kWholeMemoryMap[] = {PR_SET_MM_MAP};
constexpr ArgumentMatch kPrctlMatch[] = {{0, kWholeArgument, kPrctlOptions}};
constexpr ArgumentMatch kPrctlMemoryMap[] = {{0, kWholeArgument, kSetMemoryMap}, {1, kWholeArgument, kWholeMemoryMap}};
constexpr ArgumentCase kPrctlCases[] = {kPrctlMatch, kPrctlMemoryMap};
constexpr ArgumentLimits kPrctl = {kPrctlCases, EINVAL,
                                   "option: names, dumpable, death signal, timer slack, subreaper, THP, VMA names, "
                                   "Syscall User Dispatch, the process' own memory map; the rest read only"};

constexpr uint32_t kArchPrctlCodes[] = {ARCH_SET_GS, ARCH_SET_FS, ARCH_GET_FS, ARCH_GET_GS};
constexpr ArgumentMatch kArchPrctlMatch[] = {{0, kWholeArgument, kArchPrctlCodes}};
constexpr ArgumentCase kArchPrctlCases[] = {kArchPrctlMatch};
constexpr ArgumentLimits kArchPrctl = {kArchPrctlCases, EINVAL, "code: FS and GS bases"};

constexpr uint32_t kPersonalities[] = {PER_LINUX, 0xffffffff};
constexpr ArgumentMatch kPersonalityMatch[] = {{0, kWholeArgument, kPersonalities}};
constexpr ArgumentCase kPersonalityCases[] = {kPersonalityMatch};
constexpr ArgumentLimits kPersonality = {kPersonalityCases, EPERM, "persona: PER_LINUX or a query"};

// --- sockets. The low four bits of the type are the type, above them are flags.
constexpr uint32_t kSocketTypeMask = 0xf;
constexpr uint32_t kLocalFamily[] = {AF_UNIX};
constexpr uint32_t kInternetFamilies[] = {AF_INET, AF_INET6};
constexpr uint32_t kInternetTypes[] = {SOCK_STREAM, SOCK_DGRAM};
constexpr uint32_t kInternetProtocols[] = {0, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6};
constexpr uint32_t kNetlinkFamily[] = {AF_NETLINK};
constexpr uint32_t kRouteProtocol[] = {NETLINK_ROUTE};
constexpr ArgumentMatch kLocalSocket[] = {{0, kWholeArgument, kLocalFamily}};
constexpr ArgumentMatch kInternetSocket[] = {{0, kWholeArgument, kInternetFamilies},
                                             {1, kSocketTypeMask, kInternetTypes},
                                             {2, kWholeArgument, kInternetProtocols}};
constexpr ArgumentMatch kRouteSocket[] = {{0, kWholeArgument, kNetlinkFamily}, {2, kWholeArgument, kRouteProtocol}};
constexpr ArgumentCase kGuestSocketCases[] = {kInternetSocket, kLocalSocket, kRouteSocket};
constexpr ArgumentLimits kGuestSocket = {
    kGuestSocketCases, EAFNOSUPPORT, "AF_INET and AF_INET6 as TCP, UDP or ICMP echo, AF_UNIX, AF_NETLINK for routes"};
constexpr ArgumentCase kLocalCases[] = {kLocalSocket};
constexpr ArgumentLimits kMonitorSocket = {kLocalCases, EAFNOSUPPORT, "AF_UNIX"};
constexpr ArgumentLimits kNicGuestSocket = {kLocalCases, EAFNOSUPPORT, "AF_UNIX"};

// --- limits and priorities: the caller's own. Clones of one template share a user id and see each other's process ids.
constexpr uint32_t kProcessPriority[] = {PRIO_PROCESS};
constexpr uint32_t kProcessIoPriority[] = {1 /* IOPRIO_WHO_PROCESS */};
constexpr ArgumentMatch kOwnMatch[] = {{0, kWholeArgument, kNone}};
constexpr ArgumentCase kOwnCases[] = {kOwnMatch};
constexpr ArgumentLimits kOwn = {kOwnCases, EPERM, "pid: 0, the caller"};
constexpr ArgumentMatch kOwnPriorityMatch[] = {{0, kWholeArgument, kProcessPriority}, {1, kWholeArgument, kNone}};
constexpr ArgumentCase kOwnPriorityCases[] = {kOwnPriorityMatch};
constexpr ArgumentLimits kOwnPriority = {kOwnPriorityCases, EPERM, "of a process: 0, the caller"};
constexpr ArgumentMatch kOwnIoPriorityMatch[] = {{0, kWholeArgument, kProcessIoPriority}, {1, kWholeArgument, kNone}};
constexpr ArgumentCase kOwnIoPriorityCases[] = {kOwnIoPriorityMatch};
constexpr ArgumentLimits kOwnIoPriority = {kOwnIoPriorityCases, EPERM, "of a process: 0, the caller"};

// --- ioctl of the monitor
constexpr uint32_t kPidfdCommands[] = {kPidfdGetInfo};
constexpr ArgumentMatch kPidfdMatch[] = {{1, kWholeArgument, kPidfdCommands}};
constexpr ArgumentCase kPidfdCases[] = {kPidfdMatch};
constexpr ArgumentLimits kMonitorIoctl = {kPidfdCases, ENOTTY, "command: PIDFD_GET_INFO"};

// --- setsockopt: programs for the host's kernel (SO_ATTACH_FILTER, ..._BPF, ..._REUSEPORT_*) stay out. Their numbers are
// those of harmless options at other levels, so all other levels are one case and the options of SOL_SOCKET another.
constexpr uint32_t kProtocolLevels[] = {
    0 /* SOL_IP */, 6 /* SOL_TCP */, 17 /* SOL_UDP */, 41 /* SOL_IPV6 */, 270 /* SOL_NETLINK */,
};
constexpr uint32_t kSocketLevel[] = {SOL_SOCKET};
constexpr uint32_t kSocketOptions[] = {
    SO_DEBUG,
    SO_REUSEADDR,
    SO_DONTROUTE,
    SO_BROADCAST,
    SO_SNDBUF,
    SO_RCVBUF,
    SO_KEEPALIVE,
    SO_OOBINLINE,
    SO_PRIORITY,
    SO_LINGER,
    SO_REUSEPORT,
    SO_PASSCRED,
    SO_RCVLOWAT,
    SO_SNDLOWAT,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    SO_BINDTODEVICE,
    SO_TIMESTAMP,
    SO_TIMESTAMPNS,
    SO_TIMESTAMPING,
    SO_MARK,
    SO_RXQ_OVFL,
    SO_PEEK_OFF,
    SO_NOFCS,
    SO_SELECT_ERR_QUEUE,
    SO_BUSY_POLL,
    SO_MAX_PACING_RATE,
    SO_INCOMING_CPU,
    SO_ZEROCOPY,
    SO_TXTIME,
    SO_PREFER_BUSY_POLL,
    SO_BUSY_POLL_BUDGET,
};
constexpr ArgumentMatch kProtocolOption[] = {{1, kWholeArgument, kProtocolLevels}};
constexpr ArgumentMatch kSocketOption[] = {{1, kWholeArgument, kSocketLevel}, {2, kWholeArgument, kSocketOptions}};
constexpr ArgumentCase kSetsockoptCases[] = {kProtocolOption, kSocketOption};
constexpr ArgumentLimits kSetsockopt = {kSetsockoptCases, ENOPROTOOPT,
                                        "levels IP, IPv6, TCP, UDP, netlink; of SOL_SOCKET no packet programs"};

constexpr uint32_t kFchmodat2 = 452;  // newer than Debian 12's headers

constexpr HostSyscall kGuestRows[] = {
    {__NR_read, "read", HostRole::kGuest, nullptr, "descriptor input and output"},
    {__NR_write, "write", HostRole::kGuest, nullptr, "descriptor input and output"},
    {__NR_close, "close", HostRole::kGuest, nullptr, "descriptors; what they can name is the sandbox's root"},
    {__NR_stat, "stat", HostRole::kGuest, nullptr, "file metadata, read"},
    {__NR_fstat, "fstat", HostRole::kGuest, nullptr, "file metadata, read"},
    {__NR_lstat, "lstat", HostRole::kGuest, nullptr, "file metadata, read"},
    {__NR_poll, "poll", HostRole::kGuest, nullptr, "waiting for events"},
    {__NR_lseek, "lseek", HostRole::kGuest, nullptr, "descriptors; what they can name is the sandbox's root"},
    {__NR_mmap, "mmap", HostRole::kGuest, nullptr,
     "the guest's address space; JIT compilers need writable then executable pages"},
    {__NR_mprotect, "mprotect", HostRole::kGuest, nullptr,
     "the guest's address space; JIT compilers need writable then executable pages"},
    {__NR_munmap, "munmap", HostRole::kGuest, nullptr,
     "the guest's address space; JIT compilers need writable then executable pages"},
    {__NR_brk, "brk", HostRole::kGuest, nullptr,
     "the guest's address space; JIT compilers need writable then executable pages"},
    {__NR_rt_sigaction, "rt_sigaction", HostRole::kGuest, nullptr, "signal handling"},
    {__NR_rt_sigprocmask, "rt_sigprocmask", HostRole::kGuest, nullptr, "signal handling"},
    {__NR_rt_sigreturn, "rt_sigreturn", HostRole::kGuest, nullptr, "signal handling"},
    {__NR_ioctl, "ioctl", HostRole::kGuest, &kIoctl, "terminals, pipe and socket queues, interface list"},
    {__NR_pread64, "pread64", HostRole::kGuest, nullptr, "descriptor input and output"},
    {__NR_pwrite64, "pwrite64", HostRole::kGuest, nullptr, "descriptor input and output"},
    {__NR_readv, "readv", HostRole::kGuest, nullptr, "descriptor input and output"},
    {__NR_writev, "writev", HostRole::kGuest, nullptr, "descriptor input and output"},
    {__NR_access, "access", HostRole::kGuest, nullptr, "file metadata, read"},
    {__NR_sched_yield, "sched_yield", HostRole::kGuest, nullptr,
     "scheduling of own threads; the resource limits allow no raise"},
    {__NR_mremap, "mremap", HostRole::kGuest, nullptr,
     "the guest's address space; JIT compilers need writable then executable pages"},
    {__NR_msync, "msync", HostRole::kGuest, nullptr,
     "the guest's address space; JIT compilers need writable then executable pages"},
    {__NR_mincore, "mincore", HostRole::kGuest, nullptr,
     "the guest's address space; JIT compilers need writable then executable pages"},
    {__NR_madvise, "madvise", HostRole::kGuest, nullptr,
     "the guest's address space; JIT compilers need writable then executable pages"},
    {__NR_shmget, "shmget", HostRole::kGuest, nullptr, "System V IPC within the instance's own namespace"},
    {__NR_shmat, "shmat", HostRole::kGuest, nullptr, "System V IPC within the instance's own namespace"},
    {__NR_shmctl, "shmctl", HostRole::kGuest, nullptr, "System V IPC within the instance's own namespace"},
    {__NR_getpid, "getpid", HostRole::kGuest, nullptr, "process identity, sessions"},
    {__NR_sendfile, "sendfile", HostRole::kGuest, nullptr, "copies without a user-space buffer"},
    {__NR_socket, "socket", HostRole::kGuest, &kGuestSocket,
     "internet and local sockets; where the instance has a NIC, AF_UNIX only"},
    {__NR_connect, "connect", HostRole::kGuest, nullptr, "sockets of the families above"},
    {__NR_sendto, "sendto", HostRole::kGuest, nullptr, "sockets of the families above"},
    {__NR_recvfrom, "recvfrom", HostRole::kGuest, nullptr, "sockets of the families above"},
    {__NR_sendmsg, "sendmsg", HostRole::kGuest, nullptr, "sockets of the families above"},
    {__NR_recvmsg, "recvmsg", HostRole::kGuest, nullptr, "sockets of the families above"},
    {__NR_shutdown, "shutdown", HostRole::kGuest, nullptr, "sockets of the families above"},
    {__NR_bind, "bind", HostRole::kGuest, nullptr, "sockets of the families above"},
    {__NR_listen, "listen", HostRole::kGuest, nullptr, "sockets of the families above"},
    {__NR_getsockname, "getsockname", HostRole::kGuest, nullptr, "sockets of the families above"},
    {__NR_getpeername, "getpeername", HostRole::kGuest, nullptr, "sockets of the families above"},
    {__NR_setsockopt, "setsockopt", HostRole::kGuest, &kSetsockopt, "socket options; no packet programs"},
    {__NR_getsockopt, "getsockopt", HostRole::kGuest, nullptr, "sockets of the families above"},
    {__NR_clone, "clone", HostRole::kGuest, &kClone, "threads and processes of the instance"},
    {__NR_execve, "execve", HostRole::kGuest, nullptr,
     "the Junction kernel's second stage: a guest's exec becomes one of junction_run; the filter stays"},
    {__NR_exit, "exit", HostRole::kGuest, nullptr, "processes of the instance"},
    {__NR_wait4, "wait4", HostRole::kGuest, nullptr, "processes of the instance"},
    {__NR_kill, "kill", HostRole::kGuest, nullptr, "signals; the pid namespace holds the instance only"},
    {__NR_uname, "uname", HostRole::kGuest, nullptr, "limits and figures"},
    {__NR_semget, "semget", HostRole::kGuest, nullptr, "System V IPC within the instance's own namespace"},
    {__NR_semop, "semop", HostRole::kGuest, nullptr, "System V IPC within the instance's own namespace"},
    {__NR_semctl, "semctl", HostRole::kGuest, nullptr, "System V IPC within the instance's own namespace"},
    {__NR_shmdt, "shmdt", HostRole::kGuest, nullptr, "System V IPC within the instance's own namespace"},
    {__NR_msgget, "msgget", HostRole::kGuest, nullptr, "System V IPC within the instance's own namespace"},
    {__NR_msgsnd, "msgsnd", HostRole::kGuest, nullptr, "System V IPC within the instance's own namespace"},
    {__NR_msgrcv, "msgrcv", HostRole::kGuest, nullptr, "System V IPC within the instance's own namespace"},
    {__NR_msgctl, "msgctl", HostRole::kGuest, nullptr, "System V IPC within the instance's own namespace"},
    {__NR_fcntl, "fcntl", HostRole::kGuest, nullptr, "descriptor flags, record locks"},
    {__NR_flock, "flock", HostRole::kGuest, nullptr, "file sizes, durability, locks"},
    {__NR_fsync, "fsync", HostRole::kGuest, nullptr, "file sizes, durability, locks"},
    {__NR_fdatasync, "fdatasync", HostRole::kGuest, nullptr, "file sizes, durability, locks"},
    {__NR_truncate, "truncate", HostRole::kGuest, nullptr, "file sizes, durability, locks"},
    {__NR_ftruncate, "ftruncate", HostRole::kGuest, nullptr, "file sizes, durability, locks"},
    {__NR_getdents, "getdents", HostRole::kGuest, nullptr, "folders"},
    {__NR_getcwd, "getcwd", HostRole::kGuest, nullptr, "folders"},
    {__NR_chdir, "chdir", HostRole::kGuest, nullptr, "folders"},
    {__NR_fchdir, "fchdir", HostRole::kGuest, nullptr, "folders"},
    {__NR_rename, "rename", HostRole::kGuest, nullptr, "changes of the guest's own root"},
    {__NR_mkdir, "mkdir", HostRole::kGuest, nullptr, "changes of the guest's own root"},
    {__NR_rmdir, "rmdir", HostRole::kGuest, nullptr, "changes of the guest's own root"},
    {__NR_link, "link", HostRole::kGuest, nullptr, "changes of the guest's own root"},
    {__NR_unlink, "unlink", HostRole::kGuest, nullptr, "changes of the guest's own root"},
    {__NR_symlink, "symlink", HostRole::kGuest, nullptr, "changes of the guest's own root"},
    {__NR_readlink, "readlink", HostRole::kGuest, nullptr, "file metadata, read"},
    {__NR_chmod, "chmod", HostRole::kGuest, nullptr, "file metadata, written; ids are those of the user namespace"},
    {__NR_fchmod, "fchmod", HostRole::kGuest, nullptr, "file metadata, written; ids are those of the user namespace"},
    {__NR_chown, "chown", HostRole::kGuest, nullptr, "file metadata, written; ids are those of the user namespace"},
    {__NR_fchown, "fchown", HostRole::kGuest, nullptr, "file metadata, written; ids are those of the user namespace"},
    {__NR_lchown, "lchown", HostRole::kGuest, nullptr, "file metadata, written; ids are those of the user namespace"},
    {__NR_umask, "umask", HostRole::kGuest, nullptr, "file metadata, written; ids are those of the user namespace"},
    {__NR_getrusage, "getrusage", HostRole::kGuest, nullptr, "limits and figures"},
    {__NR_sysinfo, "sysinfo", HostRole::kGuest, nullptr, "limits and figures"},
    {__NR_times, "times", HostRole::kGuest, nullptr, "limits and figures"},
    {__NR_getuid, "getuid", HostRole::kGuest, nullptr, "identity, read"},
    {__NR_getgid, "getgid", HostRole::kGuest, nullptr, "identity, read"},
    {__NR_setuid, "setuid", HostRole::kGuest, nullptr,
     "identity, changed: without capabilities only to what it is already"},
    {__NR_setgid, "setgid", HostRole::kGuest, nullptr,
     "identity, changed: without capabilities only to what it is already"},
    {__NR_geteuid, "geteuid", HostRole::kGuest, nullptr, "identity, read"},
    {__NR_getegid, "getegid", HostRole::kGuest, nullptr, "identity, read"},
    {__NR_setpgid, "setpgid", HostRole::kGuest, nullptr, "process identity, sessions"},
    {__NR_getppid, "getppid", HostRole::kGuest, nullptr, "process identity, sessions"},
    {__NR_setsid, "setsid", HostRole::kGuest, nullptr, "process identity, sessions"},
    {__NR_setreuid, "setreuid", HostRole::kGuest, nullptr,
     "identity, changed: without capabilities only to what it is already"},
    {__NR_setregid, "setregid", HostRole::kGuest, nullptr,
     "identity, changed: without capabilities only to what it is already"},
    {__NR_getgroups, "getgroups", HostRole::kGuest, nullptr, "identity, read"},
    {__NR_setgroups, "setgroups", HostRole::kGuest, nullptr,
     "identity, changed: without capabilities only to what it is already"},
    {__NR_setresuid, "setresuid", HostRole::kGuest, nullptr,
     "identity, changed: without capabilities only to what it is already"},
    {__NR_getresuid, "getresuid", HostRole::kGuest, nullptr, "identity, read"},
    {__NR_setresgid, "setresgid", HostRole::kGuest, nullptr,
     "identity, changed: without capabilities only to what it is already"},
    {__NR_getresgid, "getresgid", HostRole::kGuest, nullptr, "identity, read"},
    {__NR_getpgid, "getpgid", HostRole::kGuest, nullptr, "process identity, sessions"},
    {__NR_setfsuid, "setfsuid", HostRole::kGuest, nullptr,
     "identity, changed: without capabilities only to what it is already"},
    {__NR_setfsgid, "setfsgid", HostRole::kGuest, nullptr,
     "identity, changed: without capabilities only to what it is already"},
    {__NR_getsid, "getsid", HostRole::kGuest, nullptr, "process identity, sessions"},
    {__NR_capget, "capget", HostRole::kGuest, nullptr, "identity, read"},
    {__NR_capset, "capset", HostRole::kGuest, nullptr,
     "identity, changed: without capabilities only to what it is already"},
    {__NR_sigaltstack, "sigaltstack", HostRole::kGuest, nullptr, "signal handling"},
    {__NR_utime, "utime", HostRole::kGuest, nullptr, "file metadata, written; ids are those of the user namespace"},
    {__NR_mknod, "mknod", HostRole::kGuest, &kMknod, "pipes and sockets in the file system"},
    {__NR_personality, "personality", HostRole::kGuest, &kPersonality, "asked by programs at their start"},
    {__NR_statfs, "statfs", HostRole::kGuest, nullptr, "free space, by package managers and databases"},
    {__NR_fstatfs, "fstatfs", HostRole::kGuest, nullptr, "free space, by package managers and databases"},
    {__NR_getpriority, "getpriority", HostRole::kGuest, nullptr,
     "scheduling of own threads; the resource limits allow no raise"},
    {__NR_setpriority, "setpriority", HostRole::kGuest, &kOwnPriority,
     "scheduling of own threads; the resource limits allow no raise"},
    {__NR_sched_get_priority_max, "sched_get_priority_max", HostRole::kGuest, nullptr,
     "scheduling of own threads; the resource limits allow no raise"},
    {__NR_sched_get_priority_min, "sched_get_priority_min", HostRole::kGuest, nullptr,
     "scheduling of own threads; the resource limits allow no raise"},
    {__NR_sched_rr_get_interval, "sched_rr_get_interval", HostRole::kGuest, nullptr,
     "scheduling of own threads; the resource limits allow no raise"},
    {__NR_mlock, "mlock", HostRole::kGuest, nullptr,
     "the guest's address space; JIT compilers need writable then executable pages"},
    {__NR_munlock, "munlock", HostRole::kGuest, nullptr,
     "the guest's address space; JIT compilers need writable then executable pages"},
    {__NR_prctl, "prctl", HostRole::kGuest, &kPrctl, "thread names, the net of the Junction kernel, harmless settings"},
    {__NR_arch_prctl, "arch_prctl", HostRole::kGuest, &kArchPrctl, "thread-local storage"},
    {__NR_gettid, "gettid", HostRole::kGuest, nullptr, "process identity, sessions"},
    {__NR_readahead, "readahead", HostRole::kGuest, nullptr, "hints that change no result"},
    {__NR_setxattr, "setxattr", HostRole::kGuest, nullptr, "user attributes of the guest's own files"},
    {__NR_lsetxattr, "lsetxattr", HostRole::kGuest, nullptr, "user attributes of the guest's own files"},
    {__NR_fsetxattr, "fsetxattr", HostRole::kGuest, nullptr, "user attributes of the guest's own files"},
    {__NR_getxattr, "getxattr", HostRole::kGuest, nullptr, "user attributes of the guest's own files"},
    {__NR_lgetxattr, "lgetxattr", HostRole::kGuest, nullptr, "user attributes of the guest's own files"},
    {__NR_fgetxattr, "fgetxattr", HostRole::kGuest, nullptr, "user attributes of the guest's own files"},
    {__NR_listxattr, "listxattr", HostRole::kGuest, nullptr, "user attributes of the guest's own files"},
    {__NR_llistxattr, "llistxattr", HostRole::kGuest, nullptr, "user attributes of the guest's own files"},
    {__NR_flistxattr, "flistxattr", HostRole::kGuest, nullptr, "user attributes of the guest's own files"},
    {__NR_removexattr, "removexattr", HostRole::kGuest, nullptr, "user attributes of the guest's own files"},
    {__NR_lremovexattr, "lremovexattr", HostRole::kGuest, nullptr, "user attributes of the guest's own files"},
    {__NR_fremovexattr, "fremovexattr", HostRole::kGuest, nullptr, "user attributes of the guest's own files"},
    {__NR_tkill, "tkill", HostRole::kGuest, nullptr, "signals; the pid namespace holds the instance only"},
    {__NR_futex, "futex", HostRole::kGuest, nullptr, "threads and locks"},
    {__NR_sched_setaffinity, "sched_setaffinity", HostRole::kGuest, &kOwnThread,
     "leaves the CPU of the peer that rang: two that spin there starve each other"},
    {__NR_sched_getaffinity, "sched_getaffinity", HostRole::kGuest, &kOwnThread, "to which CPUs it may go then"},
    {__NR_getdents64, "getdents64", HostRole::kGuest, nullptr, "folders"},
    {__NR_set_tid_address, "set_tid_address", HostRole::kGuest, nullptr, "threads and locks"},
    {__NR_restart_syscall, "restart_syscall", HostRole::kGuest, nullptr, "signal handling"},
    {__NR_semtimedop, "semtimedop", HostRole::kGuest, nullptr, "System V IPC within the instance's own namespace"},
    {__NR_fadvise64, "fadvise64", HostRole::kGuest, nullptr, "hints that change no result"},
    {__NR_timer_create, "timer_create", HostRole::kGuest, nullptr, "timers"},
    {__NR_timer_settime, "timer_settime", HostRole::kGuest, nullptr, "timers"},
    {__NR_clock_gettime, "clock_gettime", HostRole::kGuest, nullptr, "time, read and waited for"},
    {__NR_clock_getres, "clock_getres", HostRole::kGuest, nullptr, "time, read and waited for"},
    {__NR_exit_group, "exit_group", HostRole::kGuest, nullptr, "processes of the instance"},
    {__NR_epoll_ctl, "epoll_ctl", HostRole::kGuest, nullptr, "waiting for events"},
    {__NR_tgkill, "tgkill", HostRole::kGuest, nullptr, "signals; the pid namespace holds the instance only"},
    {__NR_utimes, "utimes", HostRole::kGuest, nullptr, "file metadata, written; ids are those of the user namespace"},
    {__NR_mq_open, "mq_open", HostRole::kGuest, nullptr, "POSIX queues within the instance's own namespace"},
    {__NR_mq_unlink, "mq_unlink", HostRole::kGuest, nullptr, "POSIX queues within the instance's own namespace"},
    {__NR_mq_timedsend, "mq_timedsend", HostRole::kGuest, nullptr, "POSIX queues within the instance's own namespace"},
    {__NR_mq_timedreceive, "mq_timedreceive", HostRole::kGuest, nullptr,
     "POSIX queues within the instance's own namespace"},
    {__NR_mq_notify, "mq_notify", HostRole::kGuest, nullptr, "POSIX queues within the instance's own namespace"},
    {__NR_mq_getsetattr, "mq_getsetattr", HostRole::kGuest, nullptr,
     "POSIX queues within the instance's own namespace"},
    {__NR_ioprio_set, "ioprio_set", HostRole::kGuest, &kOwnIoPriority,
     "scheduling of own threads; the resource limits allow no raise"},
    {__NR_ioprio_get, "ioprio_get", HostRole::kGuest, nullptr,
     "scheduling of own threads; the resource limits allow no raise"},
    {__NR_inotify_add_watch, "inotify_add_watch", HostRole::kGuest, nullptr,
     "watching of files that the guest can name anyway"},
    {__NR_inotify_rm_watch, "inotify_rm_watch", HostRole::kGuest, nullptr,
     "watching of files that the guest can name anyway"},
    {__NR_openat, "openat", HostRole::kGuest, nullptr, "descriptors; what they can name is the sandbox's root"},
    {__NR_mkdirat, "mkdirat", HostRole::kGuest, nullptr, "changes of the guest's own root"},
    {__NR_mknodat, "mknodat", HostRole::kGuest, &kMknodat, "pipes and sockets in the file system"},
    {__NR_fchownat, "fchownat", HostRole::kGuest, nullptr,
     "file metadata, written; ids are those of the user namespace"},
    {__NR_futimesat, "futimesat", HostRole::kGuest, nullptr,
     "file metadata, written; ids are those of the user namespace"},
    {__NR_newfstatat, "newfstatat", HostRole::kGuest, nullptr, "file metadata, read"},
    {__NR_unlinkat, "unlinkat", HostRole::kGuest, nullptr, "changes of the guest's own root"},
    {__NR_renameat, "renameat", HostRole::kGuest, nullptr, "changes of the guest's own root"},
    {__NR_linkat, "linkat", HostRole::kGuest, nullptr, "changes of the guest's own root"},
    {__NR_symlinkat, "symlinkat", HostRole::kGuest, nullptr, "changes of the guest's own root"},
    {__NR_readlinkat, "readlinkat", HostRole::kGuest, nullptr, "file metadata, read"},
    {__NR_fchmodat, "fchmodat", HostRole::kGuest, nullptr,
     "file metadata, written; ids are those of the user namespace"},
    {__NR_faccessat, "faccessat", HostRole::kGuest, nullptr, "file metadata, read"},
    {__NR_set_robust_list, "set_robust_list", HostRole::kGuest, nullptr, "threads and locks"},
    {__NR_sync_file_range, "sync_file_range", HostRole::kGuest, nullptr, "file sizes, durability, locks"},
    {__NR_utimensat, "utimensat", HostRole::kGuest, nullptr,
     "file metadata, written; ids are those of the user namespace"},
    {__NR_epoll_pwait, "epoll_pwait", HostRole::kGuest, nullptr, "waiting for events"},
    {__NR_fallocate, "fallocate", HostRole::kGuest, nullptr, "file sizes, durability, locks"},
    {__NR_accept4, "accept4", HostRole::kGuest, nullptr, "sockets of the families above"},
    {__NR_epoll_create1, "epoll_create1", HostRole::kGuest, nullptr, "waiting for events"},
    {__NR_dup3, "dup3", HostRole::kGuest, nullptr, "descriptors; what they can name is the sandbox's root"},
    {__NR_inotify_init1, "inotify_init1", HostRole::kGuest, nullptr,
     "watching of files that the guest can name anyway"},
    {__NR_preadv, "preadv", HostRole::kGuest, nullptr, "descriptor input and output"},
    {__NR_pwritev, "pwritev", HostRole::kGuest, nullptr, "descriptor input and output"},
    {__NR_prlimit64, "prlimit64", HostRole::kGuest, &kOwn, "limits and figures"},
    {__NR_syncfs, "syncfs", HostRole::kGuest, nullptr, "file sizes, durability, locks"},
    {__NR_renameat2, "renameat2", HostRole::kGuest, nullptr, "changes of the guest's own root"},
    {__NR_getrandom, "getrandom", HostRole::kGuest, nullptr, "seeds and keys"},
    {__NR_memfd_create, "memfd_create", HostRole::kGuest, nullptr, "pipes, memory files"},
    {__NR_membarrier, "membarrier", HostRole::kGuest, nullptr, "JIT compilers and user-level RCU"},
    {__NR_mlock2, "mlock2", HostRole::kGuest, nullptr,
     "the guest's address space; JIT compilers need writable then executable pages"},
    {__NR_copy_file_range, "copy_file_range", HostRole::kGuest, nullptr, "copies without a user-space buffer"},
    {__NR_preadv2, "preadv2", HostRole::kGuest, nullptr, "descriptor input and output"},
    {__NR_pwritev2, "pwritev2", HostRole::kGuest, nullptr, "descriptor input and output"},
    {__NR_statx, "statx", HostRole::kGuest, nullptr, "file metadata, read"},
    {__NR_rseq, "rseq", HostRole::kGuest, nullptr, "threads and locks"},
    {__NR_close_range, "close_range", HostRole::kGuest, nullptr,
     "descriptors; what they can name is the sandbox's root"},
    {__NR_faccessat2, "faccessat2", HostRole::kGuest, nullptr, "file metadata, read"},
    {__NR_epoll_pwait2, "epoll_pwait2", HostRole::kGuest, nullptr, "waiting for events"},
    {__NR_landlock_create_ruleset, "landlock_create_ruleset", HostRole::kGuest, nullptr,
     "a clone shuts itself off from its siblings; who calls it can only lose rights"},
    {__NR_landlock_restrict_self, "landlock_restrict_self", HostRole::kGuest, nullptr,
     "a clone shuts itself off from its siblings; who calls it can only lose rights"},
    {kFchmodat2, "fchmodat2", HostRole::kGuest, nullptr, "file metadata, written; ids are those of the user namespace"},
};

constexpr auto kNicGuestRows = [] {
  auto rows = std::to_array(kGuestRows);
  for (HostSyscall& row : rows) {
    if (row.number == __NR_socket) {
      row.limits = &kNicGuestSocket;
    }
  }
  return rows;
}();

constexpr HostSyscall kMonitorRows[] = {
    {__NR_read, "read", HostRole::kMonitor, nullptr, "the guest's output, its control block, events"},
    {__NR_write, "write", HostRole::kMonitor, nullptr, "log and status files"},
    {__NR_close, "close", HostRole::kMonitor, nullptr, "the guest's output, its control block, events"},
    {__NR_fstat, "fstat", HostRole::kMonitor, nullptr,
     "log rotation, status.json, /proc/<guest>/status, the cgroup's OOM count"},
    {__NR_poll, "poll", HostRole::kMonitor, nullptr, "the guest's output, its control block, events"},
    {__NR_lseek, "lseek", HostRole::kMonitor, nullptr,
     "log rotation, status.json, /proc/<guest>/status, the cgroup's OOM count"},
    {__NR_mmap, "mmap", HostRole::kMonitor, nullptr, "memory of the C++ runtime"},
    {__NR_mprotect, "mprotect", HostRole::kMonitor, nullptr, "memory of the C++ runtime"},
    {__NR_munmap, "munmap", HostRole::kMonitor, nullptr, "memory of the C++ runtime"},
    {__NR_brk, "brk", HostRole::kMonitor, nullptr, "memory of the C++ runtime"},
    {__NR_rt_sigaction, "rt_sigaction", HostRole::kMonitor, nullptr, "abort of a broken invariant"},
    {__NR_rt_sigprocmask, "rt_sigprocmask", HostRole::kMonitor, nullptr, "abort of a broken invariant"},
    {__NR_rt_sigreturn, "rt_sigreturn", HostRole::kMonitor, nullptr, "abort of a broken invariant"},
    {__NR_ioctl, "ioctl", HostRole::kMonitor, &kMonitorIoctl,
     "how a clone or a further program ended, which is no child of the monitor"},
    {__NR_pread64, "pread64", HostRole::kMonitor, nullptr, "the guest's output, its control block, events"},
    {__NR_writev, "writev", HostRole::kMonitor, nullptr, "last words of the C library"},
    {__NR_sched_yield, "sched_yield", HostRole::kMonitor, nullptr, "locks of the C++ library"},
    {__NR_madvise, "madvise", HostRole::kMonitor, nullptr, "memory of the C++ runtime"},
    {__NR_getpid, "getpid", HostRole::kMonitor, nullptr, "abort of a broken invariant"},
    {__NR_socket, "socket", HostRole::kMonitor, &kMonitorSocket, "the notify socket"},
    {__NR_connect, "connect", HostRole::kMonitor, nullptr,
     "events for junctiond; look-up of the owner of a listening port"},
    {__NR_sendto, "sendto", HostRole::kMonitor, nullptr,
     "events for junctiond; look-up of the owner of a listening port"},
    {__NR_recvfrom, "recvfrom", HostRole::kMonitor, nullptr,
     "events for junctiond; look-up of the owner of a listening port"},
    {__NR_sendmsg, "sendmsg", HostRole::kMonitor, nullptr, "leases of the NIC's ports, with their descriptors"},
    {__NR_getsockopt, "getsockopt", HostRole::kMonitor, nullptr, "who asks for a port of the NIC"},
    {__NR_exit, "exit", HostRole::kMonitor, nullptr, "the end"},
    {__NR_rename, "rename", HostRole::kMonitor, nullptr,
     "log rotation, status.json, /proc/<guest>/status, the cgroup's OOM count"},
    {__NR_unlink, "unlink", HostRole::kMonitor, nullptr, "the name of the links' socket, at the end"},
    {__NR_gettid, "gettid", HostRole::kMonitor, nullptr, "abort of a broken invariant"},
    {__NR_futex, "futex", HostRole::kMonitor, nullptr, "waits for the control block's listen_seq"},
    {__NR_clock_gettime, "clock_gettime", HostRole::kMonitor, nullptr,
     "times in logs; pace of a guest that rings without end"},
    {__NR_clock_nanosleep, "clock_nanosleep", HostRole::kMonitor, nullptr,
     "times in logs; pace of a guest that rings without end"},
    {__NR_exit_group, "exit_group", HostRole::kMonitor, nullptr, "the end"},
    {__NR_tgkill, "tgkill", HostRole::kMonitor, nullptr, "abort of a broken invariant"},
    {__NR_waitid, "waitid", HostRole::kMonitor, nullptr, "the guest's end, signals passed on to it"},
    {__NR_openat, "openat", HostRole::kMonitor, nullptr,
     "log rotation, status.json, /proc/<guest>/status, the cgroup's OOM count"},
    {__NR_newfstatat, "newfstatat", HostRole::kMonitor, nullptr,
     "log rotation, status.json, /proc/<guest>/status, the cgroup's OOM count"},
    {__NR_accept4, "accept4", HostRole::kMonitor, nullptr, "peers of the NIC"},
    {__NR_pidfd_send_signal, "pidfd_send_signal", HostRole::kMonitor, nullptr,
     "the guest's end, signals passed on to it"},
};

constexpr RefusedSyscall kRefusedRows[] = {
    {__NR_mount, "mount", "the root is made before the guest starts and never changes"},
    {__NR_umount2, "umount2", "as mount"},
    {__NR_pivot_root, "pivot_root", "as mount"},
    {__NR_chroot, "chroot", "as mount"},
    {__NR_open_tree, "open_tree", "as mount"},
    {__NR_move_mount, "move_mount", "as mount"},
    {__NR_fsopen, "fsopen", "as mount"},
    {__NR_fsmount, "fsmount", "as mount"},
    {__NR_mount_setattr, "mount_setattr", "as mount"},
    {__NR_setns, "setns", "an instance stays in its namespaces"},
    {__NR_unshare, "unshare", "a user namespace would give the guest capabilities over new kernel surface"},
    {__NR_clone3, "clone3", "its flags lie in memory, where a filter cannot see them; C libraries fall back to clone"},
    {__NR_ptrace, "ptrace", "a large surface with no use in a function"},
    {__NR_process_vm_readv, "process_vm_readv", "as ptrace"},
    {__NR_process_vm_writev, "process_vm_writev", "as ptrace"},
    {__NR_pidfd_getfd, "pidfd_getfd", "as ptrace"},
    {__NR_kcmp, "kcmp", "as ptrace"},
    {__NR_bpf, "bpf", "programs for the host's kernel"},
    {__NR_seccomp, "seccomp", "the filter is ours; a listener of the guest's own could answer for the Junction kernel"},
    {__NR_perf_event_open, "perf_event_open", "sees the host"},
    {__NR_keyctl, "keyctl", "keyrings are no part of any namespace of ours"},
    {__NR_add_key, "add_key", "as keyctl"},
    {__NR_request_key, "request_key", "as keyctl; it also starts a host program"},
    {__NR_kexec_load, "kexec_load", "replaces the host's kernel"},
    {__NR_kexec_file_load, "kexec_file_load", "as kexec_load"},
    {__NR_init_module, "init_module", "code for the host's kernel"},
    {__NR_finit_module, "finit_module", "as init_module"},
    {__NR_delete_module, "delete_module", "as init_module"},
    {__NR_open_by_handle_at, "open_by_handle_at", "opens files past the mount view"},
    {__NR_name_to_handle_at, "name_to_handle_at", "the other half of open_by_handle_at"},
    {__NR_userfaultfd, "userfaultfd", "lets a guest stop the host's kernel in the middle of a copy"},
    {__NR_io_uring_setup, "io_uring_setup", "its operations pass by every filter"},
    {__NR_io_uring_enter, "io_uring_enter", "as io_uring_setup"},
    {__NR_io_uring_register, "io_uring_register", "as io_uring_setup"},
    {__NR_io_setup, "io_setup", "kernel surface that hardly any program still needs"},
    {__NR_vmsplice, "vmsplice", "pages shared between processes behind their backs"},
    {__NR_fanotify_init, "fanotify_init", "watches whole mounts"},
    {__NR_quotactl, "quotactl", "administration of the host"},
    {__NR_reboot, "reboot", "administration of the host"},
    {__NR_swapon, "swapon", "administration of the host"},
    {__NR_acct, "acct", "administration of the host"},
    {__NR_syslog, "syslog", "the host's kernel log"},
    {__NR_sethostname, "sethostname", "set before the guest starts"},
    {__NR_settimeofday, "settimeofday", "the host's clock"},
    {__NR_clock_settime, "clock_settime", "the host's clock"},
    {__NR_adjtimex, "adjtimex", "the host's clock"},
    {__NR_iopl, "iopl", "the host's ports"},
    {__NR_ioperm, "ioperm", "the host's ports"},
    {__NR_modify_ldt, "modify_ldt", "16-bit segments: old bugs, no user"},
    {__NR_migrate_pages, "migrate_pages", "memory placement of others"},
    {__NR_move_pages, "move_pages", "memory placement of others"},
    {__NR_sync, "sync", "writes all the host's disks"},
    {__NR_process_madvise, "process_madvise", "memory of others"},
};

template <size_t count>
constexpr bool IsWellFormed(const HostSyscall (&rows)[count], HostRole role) {
  for (size_t i = 0; i < count; ++i) {
    if (rows[i].why == nullptr || std::string_view(rows[i].why).size() < 4) {
      return false;  // no reason, no row
    }
    if (rows[i].role != role || (i > 0 && rows[i].number <= rows[i - 1].number)) {
      return false;
    }
  }
  return true;
}

constexpr bool IsRefusedNowhereAdmitted() {
  for (const RefusedSyscall& refused : kRefusedRows) {
    if (refused.why == nullptr || *refused.why == '\0') {
      return false;
    }
    for (const HostSyscall& row : kGuestRows) {
      if (row.number == refused.number) {
        return false;
      }
    }
  }
  return true;
}

static_assert(IsWellFormed(kGuestRows, HostRole::kGuest), "each row needs a reason; rows stand by rising number");
static_assert(IsWellFormed(kMonitorRows, HostRole::kMonitor), "each row needs a reason; rows stand by rising number");
static_assert(IsRefusedNowhereAdmitted(), "a call is either admitted or refused, and a refusal has a reason");

}  // namespace

std::span<const HostSyscall> HostSyscalls(HostRole role) {
  return role == HostRole::kGuest ? std::span<const HostSyscall>(kGuestRows)
                                  : std::span<const HostSyscall>(kMonitorRows);
}

std::span<const HostSyscall> GuestSyscallsWithNic() { return kNicGuestRows; }

std::span<const RefusedSyscall> RefusedSyscalls() { return kRefusedRows; }

}  // namespace junction
