// SPDX-License-Identifier: Apache-2.0
#include "run/seccomp_filter.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "run/made_filters.h"
#include "uthread/address_map.h"

#include "base/test_files.h"
#include "run/host_syscalls_document.h"

namespace junction {
namespace {

constexpr uint32_t kRefusedWith(int code) { return SECCOMP_RET_ERRNO | static_cast<uint32_t>(code); }

// Classic BPF as seccomp runs it: only what the filter is made of, anything else fails the test.
uint32_t Evaluate(const BpfProgram& program, const seccomp_data& data) {
  uint32_t a = 0;
  for (size_t pc = 0; pc < program.size(); ++pc) {
    const sock_filter& step = program[pc];
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&a, reinterpret_cast<const char*>(&data) + step.k, sizeof(a));
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= step.k;
        break;
      case BPF_JMP | BPF_JA:
        pc += step.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        pc += a == step.k ? step.jt : step.jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        pc += a >= step.k ? step.jt : step.jf;
        break;
      case BPF_RET | BPF_K:
        return step.k;
      default:
        ADD_FAILURE() << "unknown step " << step.code;
        return 0;
    }
  }
  ADD_FAILURE() << "ran off the end";
  return 0;
}

struct Call {
  uint32_t number;
  uint64_t args[6] = {};
};

class GuestFilter : public testing::Test {
 protected:
  uint32_t Answer(const Call& call, uint32_t arch = AUDIT_ARCH_X86_64) const {
    seccomp_data data{};
    data.nr = static_cast<int>(call.number);
    data.arch = arch;
    std::memcpy(data.args, call.args, sizeof(data.args));
    return Evaluate(program_, data);
  }
  BpfProgram program_ = BuildSeccompFilter(HostSyscalls(HostRole::kGuest));
};

TEST(MadeFilters, AreThoseOfTheTables) {
  const auto expect_same = [](std::span<const sock_filter> made, const BpfProgram& built) {
    ASSERT_EQ(made.size(), built.size());
    EXPECT_EQ(std::memcmp(made.data(), built.data(), made.size_bytes()), 0);
  };
  constexpr CallerRange kCallers = {kImageLow, kNearTrampolinesLow};
  expect_same(MonitorFilter(), BuildSeccompFilter(HostSyscalls(HostRole::kMonitor)));
  expect_same(::junction::GuestFilter(false), BuildSeccompFilter(HostSyscalls(HostRole::kGuest), kCallers));
  expect_same(::junction::GuestFilter(true), BuildSeccompFilter(GuestSyscallsWithNic(), kCallers));
}

TEST(CallerRange, KillsWhoeverCallsFromElsewhere) {
  const BpfProgram program = BuildSeccompFilter(HostSyscalls(HostRole::kGuest), {0x70000000, 0x72000000});
  const auto answer = [&](uint64_t instruction_pointer, uint32_t number) {
    seccomp_data data{};
    data.nr = static_cast<int>(number);
    data.arch = AUDIT_ARCH_X86_64;
    data.instruction_pointer = instruction_pointer;
    return Evaluate(program, data);
  };
  EXPECT_EQ(answer(0x70000000, SYS_read), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(0x71ffffff, SYS_read), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(0x70000000, SYS_mount), kRefusedWith(ENOSYS));
  for (const uint64_t elsewhere : {0x6fffffffUL, 0x72000000UL, 0x170000000UL, 0x555555554000UL}) {
    EXPECT_EQ(answer(elsewhere, SYS_read), SECCOMP_RET_KILL_PROCESS) << std::hex << elsewhere;
  }
}

TEST_F(GuestFilter, AdmitsExactlyTheRows) {
  size_t row = 0;
  const auto rows = HostSyscalls(HostRole::kGuest);
  for (uint32_t number = 0; number < 600; ++number) {
    const bool has_row = row < rows.size() && rows[row].number == number;
    if (!has_row) {
      EXPECT_EQ(Answer({number}), kRefusedWith(ENOSYS)) << number;
    } else {
      if (rows[row].limits == nullptr) {
        EXPECT_EQ(Answer({number}), SECCOMP_RET_ALLOW) << rows[row].name;
      }
      ++row;
    }
  }
  EXPECT_EQ(row, rows.size());
}

TEST_F(GuestFilter, RefusesOtherArchitecturesAndX32) {
  EXPECT_EQ(Answer({SYS_read}, AUDIT_ARCH_I386), SECCOMP_RET_KILL_PROCESS);
  EXPECT_EQ(Answer({0x40000000 | SYS_read}), kRefusedWith(ENOSYS));
  EXPECT_EQ(Answer({0xffffffff}), kRefusedWith(ENOSYS));
}

TEST_F(GuestFilter, AdmitsThreadsAndProcessesButNoNamespaces) {
  constexpr uint64_t kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                               CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
  EXPECT_EQ(Answer({SYS_clone, {kThread}}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Answer({SYS_clone, {CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD}}), SECCOMP_RET_ALLOW);
  for (const uint64_t flag : {CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS,
                              CLONE_NEWCGROUP, CLONE_PTRACE}) {
    EXPECT_EQ(Answer({SYS_clone, {kThread | flag}}), kRefusedWith(EPERM)) << flag;
  }
}

TEST_F(GuestFilter, AdmitsInternetLocalAndRouteSocketsOnly) {
  const auto answer = [&](uint64_t family, uint64_t type, uint64_t protocol) {
    return Answer({SYS_socket, {family, type, protocol}});
  };
  EXPECT_EQ(answer(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(AF_INET6, SOCK_DGRAM, 0), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(AF_UNIX, SOCK_SEQPACKET, 0), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER), kRefusedWith(EAFNOSUPPORT));
  EXPECT_EQ(answer(AF_INET, SOCK_RAW, 1), kRefusedWith(EAFNOSUPPORT));
  EXPECT_EQ(answer(AF_INET, SOCK_STREAM, IPPROTO_SCTP), kRefusedWith(EAFNOSUPPORT));
  EXPECT_EQ(answer(AF_INET6, SOCK_STREAM, IPPROTO_MPTCP), kRefusedWith(EAFNOSUPPORT));
  EXPECT_EQ(answer(AF_INET6, SOCK_DGRAM, 115 /* IPPROTO_L2TP */), kRefusedWith(EAFNOSUPPORT));
  EXPECT_EQ(answer(AF_PACKET, SOCK_RAW, 0), kRefusedWith(EAFNOSUPPORT));
  EXPECT_EQ(answer(AF_VSOCK, SOCK_STREAM, 0), kRefusedWith(EAFNOSUPPORT));
  EXPECT_EQ(answer(AF_ALG, SOCK_SEQPACKET, 0), kRefusedWith(EAFNOSUPPORT));
}

TEST_F(GuestFilter, WithANicAdmitsLocalSocketsOnly) {
  program_ = BuildSeccompFilter(GuestSyscallsWithNic());
  EXPECT_EQ(Answer({SYS_socket, {AF_UNIX, SOCK_STREAM, 0}}), SECCOMP_RET_ALLOW);
  for (const int family : {AF_INET, AF_INET6, AF_NETLINK, AF_PACKET}) {
    EXPECT_EQ(Answer({SYS_socket, {static_cast<uint64_t>(family), SOCK_STREAM, 0}}), SECCOMP_RET_ERRNO | EAFNOSUPPORT);
  }
  const auto rows = HostSyscalls(HostRole::kGuest);
  ASSERT_EQ(GuestSyscallsWithNic().size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(GuestSyscallsWithNic()[i].number, rows[i].number);
    EXPECT_EQ(GuestSyscallsWithNic()[i].limits == rows[i].limits, rows[i].number != SYS_socket) << rows[i].name;
  }
}

TEST_F(GuestFilter, LimitsArgumentsOfTheOthers) {
  EXPECT_EQ(Answer({SYS_ioctl, {0, TCGETS}}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Answer({SYS_ioctl, {0, SIOCGIFINDEX}}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Answer({SYS_ioctl, {0, TIOCSTI}}), kRefusedWith(ENOTTY));
  EXPECT_EQ(Answer({SYS_ioctl, {0, TIOCLINUX}}), kRefusedWith(ENOTTY));
  EXPECT_EQ(Answer({SYS_prctl, {PR_SET_NAME}}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Answer({SYS_prctl, {PR_SET_SYSCALL_USER_DISPATCH}}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Answer({SYS_prctl, {PR_SET_MM, PR_SET_MM_MAP}}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Answer({SYS_prctl, {PR_SET_MM, PR_SET_MM_EXE_FILE}}), kRefusedWith(EINVAL));
  EXPECT_EQ(Answer({SYS_prctl, {PR_SET_SECCOMP}}), kRefusedWith(EINVAL));
  EXPECT_EQ(Answer({SYS_prctl, {PR_CAP_AMBIENT}}), kRefusedWith(EINVAL));
  EXPECT_EQ(Answer({SYS_personality, {0xffffffff}}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Answer({SYS_personality, {ADDR_NO_RANDOMIZE}}), kRefusedWith(EPERM));
  EXPECT_EQ(Answer({SYS_mknod, {0, S_IFIFO | 0600}}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Answer({SYS_mknod, {0, S_IFCHR | 0600}}), kRefusedWith(EPERM));
  EXPECT_EQ(Answer({SYS_mknodat, {0, 0, S_IFBLK}}), kRefusedWith(EPERM));
  EXPECT_EQ(Answer({SYS_setsockopt, {3, SOL_SOCKET, SO_REUSEADDR}}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Answer({SYS_setsockopt, {3, 6, 1}}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Answer({SYS_setsockopt, {3, SOL_SOCKET, SO_ATTACH_FILTER}}), kRefusedWith(ENOPROTOOPT));
  EXPECT_EQ(Answer({SYS_setsockopt, {3, SOL_SOCKET, SO_ATTACH_BPF}}), kRefusedWith(ENOPROTOOPT));
  EXPECT_EQ(Answer({SYS_setsockopt, {3, SOL_PACKET, 1}}), kRefusedWith(ENOPROTOOPT));
}

TEST(MonitorFilter, IsShortAndHasNoWayToStartAnything) {
  const auto rows = HostSyscalls(HostRole::kMonitor);
  EXPECT_LT(rows.size(), 45);
  for (const HostSyscall& row : rows) {
    for (const long number :
         {SYS_execve, SYS_execveat, SYS_fork, SYS_vfork, SYS_clone, SYS_clone3, SYS_mount, SYS_setns, SYS_ptrace}) {
      EXPECT_NE(row.number, static_cast<uint32_t>(number)) << row.name;
    }
  }
}

// Runs `body` in a child behind the guest's real filter; the child's exit status comes back.
template <typename Body>
int BehindFilter(const Body& body) {
  const BpfProgram program = BuildSeccompFilter(HostSyscalls(HostRole::kGuest));
  const pid_t pid = fork();
  if (pid == 0) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !InstallSeccompFilter(program, false)) {
      _exit(100);
    }
    _exit(body());
  }
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(InstalledFilter, RefusesEachRefusedCall) {
  for (const RefusedSyscall& refused : RefusedSyscalls()) {
    EXPECT_EQ(BehindFilter([&] { return syscall(refused.number, -1, 0, 0, 0, 0, 0) == -1 && errno == ENOSYS ? 0 : 1; }),
              0)
        << refused.name;
  }
}

// Pipes, waits, sleeps and the like are answered in the instance: the host's must not be in reach.
TEST_F(GuestFilter, RefusesWhatTheJunctionKernelAnswersItself) {
  for (const uint32_t number : {SYS_pipe2, SYS_socketpair, SYS_eventfd2, SYS_epoll_wait, SYS_pselect6, SYS_ppoll,
                                SYS_nanosleep, SYS_waitid, SYS_fork, SYS_rt_sigqueueinfo, SYS_timerfd_create}) {
    EXPECT_EQ(Answer({number}), kRefusedWith(ENOSYS)) << number;
  }
}

TEST(InstalledFilter, LetsTheKernelDoItsWork) {
  EXPECT_EQ(BehindFilter([] {
              char c = 0;
              const int file = memfd_create("file", 0);
              const bool works = write(file, "x", 1) == 1 && pread(file, &c, 1, 0) == 1 && c == 'x' &&
                                 socket(AF_INET, SOCK_STREAM, 0) >= 0 && getpid() > 0;
              const pid_t child = fork();
              if (child == 0) {
                _exit(7);
              }
              int status = 0;
              return works && waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7 ? 0 : 1;
            }),
            0);
}

TEST(InstalledFilter, OutlivesExec) {
  EXPECT_EQ(BehindFilter([] {
              // "Seccomp: 2" is printed by the process image after the exec.
              execl("/bin/grep", "grep", "-q", "^Seccomp:.2$", "/proc/self/status", nullptr);
              return 1;
            }),
            0);
}

TEST(InstalledFilter, RefusesLimitedArguments) {
  EXPECT_EQ(BehindFilter([] { return socket(AF_PACKET, SOCK_RAW, 0) == -1 && errno == EAFNOSUPPORT ? 0 : 1; }), 0);
  EXPECT_EQ(BehindFilter(
                [] { return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) == -1 && errno == EPERM ? 0 : 1; }),
            0);
  EXPECT_EQ(BehindFilter([] { return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == -1 && errno == EINVAL ? 0 : 1; }),
            0);
}

TEST(HostSyscallsDocument, IsTheCommittedOne) {
  EXPECT_EQ(Slurp(JUNCTION_DOCS_DIR "/host-syscalls.md"), HostSyscallsDocument())
      << "renew it: <build>/src/run/host_syscalls_document > docs/host-syscalls.md";
}

}  // namespace
}  // namespace junction
