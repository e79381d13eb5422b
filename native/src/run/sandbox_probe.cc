// SPDX-License-Identifier: Apache-2.0
// The guest of sandbox_test: does one small thing that its arguments name and says what came of it, a line each.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "run/host_syscalls.h"

namespace {

using std::printf;

const char* ErrorName(int code) { return code == 0 ? "ok" : strerrorname_np(code); }

int Identity() {
  gid_t groups[8];
  printf("pid %d uid %u gid %u groups %d\n", getpid(), getuid(), getgid(), getgroups(8, groups));
  printf("no_new_privs %d dumpable %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
  int in_bounding_set = 0;
  for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    in_bounding_set += prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
  }
  printf("bounding set %d\n", in_bounding_set);
  return 0;
}

int Write(const char* path) {
  const int fd = open(path, O_WRONLY | O_CREAT, 0644);
  const bool is_written = fd >= 0 && write(fd, "x", 1) == 1;
  printf("write %s: %s\n", path, ErrorName(is_written ? 0 : errno));
  return 0;
}

// Writes up to 2 MiB.
int Fill(const char* path) {
  const std::string piece(64 * 1024, 'x');
  const int fd = open(path, O_WRONLY | O_CREAT, 0644);
  for (int i = 0; i < 32; ++i) {
    if (write(fd, piece.data(), piece.size()) < 0) {
      printf("fill %s: %s below 2 MiB\n", path, ErrorName(errno));
      return 0;
    }
  }
  printf("fill %s: all written\n", path);
  return 0;
}

int Read(const char* path) {
  char text[4096];
  const int fd = open(path, O_RDONLY);
  const ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));
  if (size < 0) {
    printf("read %s: %s\n", path, ErrorName(errno));
  } else {
    printf("%.*s", static_cast<int>(size), text);
  }
  return 0;
}

int Stat(const char* path) {
  struct stat info{};
  if (lstat(path, &info) != 0) {
    printf("stat %s: %s\n", path, ErrorName(errno));
  } else {
    printf("stat %s: %u %u %o\n", path, info.st_uid, info.st_gid, info.st_mode & 07777U);
  }
  return 0;
}

int List(const char* path) {
  DIR* dir = opendir(path);
  if (dir == nullptr) {
    printf("list %s: %s\n", path, ErrorName(errno));
    return 0;
  }
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.') {
      printf("%s\n", entry->d_name);
    }
  }
  return 0;
}

int Descriptors() {
  for (int fd = 0; fd < 4096; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) {
      printf("fd %d\n", fd);
    }
  }
  return 0;
}

int Environment() {
  for (char** entry = environ; *entry != nullptr; ++entry) {
    printf("%s\n", *entry);
  }
  return 0;
}

// Each call that a guest is refused; prints those that did anything but fail.
int Refused() {
  for (const junction::RefusedSyscall& refused : junction::RefusedSyscalls()) {
    if (refused.number == SYS_sync) {
      continue;  // has no result
    }
    if (syscall(refused.number, -1L, 0L, 0L, 0L, 0L, 0L) != -1) {
      printf("%s succeeded\n", refused.name);
    }
  }
  printf("packet socket: %s\n", ErrorName(socket(AF_PACKET, SOCK_RAW, 0) < 0 ? errno : 0));
  printf("kill host: %s\n", ErrorName(kill(2, 0) < 0 ? errno : 0));
  printf("device: %s\n", ErrorName(mknod("/tmp/device", S_IFCHR | 0600, 0x101) < 0 ? errno : 0));
  return 0;
}

[[noreturn]] void WaitForSignals() {
  printf("ready\n");
  std::fflush(stdout);
  for (;;) {
    pause();
  }
}

extern "C" void ExitWithSignal(int number) { _exit(40 + number); }

int HandleSignals() {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD}) {
    signal(number, ExitWithSignal);
  }
  WaitForSignals();
}

int Flood(long lines) {
  for (long i = 0; i < lines; ++i) {
    printf("line %ld of a flood of lines, to be bounded by the log\n", i);
  }
  return 0;
}

int EatMemory() {
  constexpr size_t kPiece_bytes = 1 << 20;
  for (;;) {
    void* piece = mmap(nullptr, kPiece_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (piece == MAP_FAILED) {
      return 1;
    }
    std::memset(piece, 1, kPiece_bytes);
  }
}

int Listen(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 || listen(fd, 16) != 0) {
    printf("listen: %s\n", ErrorName(errno));
    return 1;
  }
  WaitForSignals();
}

// Whether a listener of the host can be reached: by its port of loopback, or by its abstract name.
int Reach(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const bool is_reached = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  printf("loopback: %s\n", is_reached ? "reached" : "not reached");
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const int length = std::snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "junction-reach-%u", port);
  const int local = socket(AF_UNIX, SOCK_STREAM, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<size_t>(length));
  printf("abstract: %s\n", connect(local, reinterpret_cast<sockaddr*>(&name), size) == 0 ? "reached" : "not reached");
  return 0;
}

constexpr char kMeetingSocket[] = "/tmp/meeting.sock";
constexpr char kMeetingFifo[] = "/tmp/meeting.fifo";

sockaddr_un MeetingAddress() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, kMeetingSocket);
  return address;
}

void PrintRead(const char* what, int fd) {
  char text[256];
  const ssize_t size = read(fd, text, sizeof(text));
  printf("%s: %.*s\n", what, static_cast<int>(size > 0 ? size : 0), text);
}

// Waits for MeetAsSecond: one message over a unix socket and its answer, one over a named pipe.
int MeetAsFirst() {
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  const sockaddr_un address = MeetingAddress();
  if (mkfifo(kMeetingFifo, 0600) != 0 ||
      bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 || listen(listener, 1) != 0) {
    printf("meeting: %s\n", ErrorName(errno));
    return 1;
  }
  printf("ready\n");
  std::fflush(stdout);
  const int connection = accept(listener, nullptr, nullptr);
  PrintRead("first has", connection);
  dprintf(connection, "answer");
  PrintRead("first has", open(kMeetingFifo, O_RDONLY));
  return 0;
}

int MeetAsSecond() {
  const int connection = socket(AF_UNIX, SOCK_STREAM, 0);
  const sockaddr_un address = MeetingAddress();
  if (connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    printf("meeting: %s\n", ErrorName(errno));
    return 1;
  }
  dprintf(connection, "question");
  PrintRead("second has", connection);
  dprintf(open(kMeetingFifo, O_WRONLY), "by pipe");
  return 0;
}

int Place() {
  char folder[256];
  printf("pid %d parent %d in %s\n", getpid(), getppid(), getcwd(folder, sizeof(folder)));
  return 0;
}

[[noreturn]] void Spin() {
  printf("ready\n");
  std::fflush(stdout);
  for (volatile unsigned i = 0;;) {
    i = i + 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string action = argc > 1 ? argv[1] : "";
  const char* operand = argc > 2 ? argv[2] : "";
  if (action == "identity") return Identity();
  if (action == "write") return Write(operand);
  if (action == "fill") return Fill(operand);
  if (action == "read") return Read(operand);
  if (action == "stat") return Stat(operand);
  if (action == "list") return List(operand);
  if (action == "fds") return Descriptors();
  if (action == "env") return Environment();
  if (action == "refused") return Refused();
  if (action == "exec") {
    execv(operand, argv + 2);
    return 1;
  }
  if (action == "exit") return std::atoi(operand);
  if (action == "crash") return *static_cast<volatile int*>(nullptr);
  if (action == "wait") WaitForSignals();
  if (action == "handle") return HandleSignals();
  if (action == "flood") return Flood(std::atol(operand));
  if (action == "meet_first") return MeetAsFirst();
  if (action == "meet_second") return MeetAsSecond();
  if (action == "place") return Place();
  if (action == "spin") Spin();
  if (action == "kill") return kill(std::atoi(operand), SIGKILL) == 0 ? 0 : errno;
  if (action == "eat") return EatMemory();
  if (action == "reach") return Reach(static_cast<uint16_t>(std::atoi(operand)));
  if (action == "listen") return Listen(static_cast<uint16_t>(std::atoi(operand)));
  std::fprintf(stderr, "unknown action\n");
  return 2;
}
