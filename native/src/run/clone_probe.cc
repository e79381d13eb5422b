// SPDX-License-Identifier: Apache-2.0
// The guest of clone_test: listens on port 8080, takes one command a connection and answers in text. All of its state is of a kind that
// a clone must have for itself.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <thread>

namespace {

int count_in_memory;
std::atomic<int> ticks;
std::atomic<int>* shared_count;
int letters_fd = -1;
volatile sig_atomic_t signals_seen;

const char* ErrorName(long result) { return result >= 0 ? "ok" : strerrorname_np(static_cast<int>(-result)); }

extern "C" void CountSignal(int) { signals_seen = signals_seen + 1; }

// A hostile guest calls the Junction kernel's own way to the host, past the kernel.
class Attacker {
 public:
  explicit Attacker(uint64_t host_call) : host_call_(reinterpret_cast<HostCall>(host_call)) {}

  std::string Attack(long pid) const {
    std::ostringstream text;
    text << "kill " << ErrorName(Call(SYS_kill, pid, SIGKILL)) << ", tgkill "
         << ErrorName(Call(SYS_tgkill, pid, pid, SIGKILL));
    const long pid_fd = Call(SYS_pidfd_open, pid, 0);
    text << ", pidfd " << ErrorName(pid_fd < 0 ? pid_fd : Call(SYS_pidfd_send_signal, pid_fd, SIGKILL, 0, 0))
         << ", ptrace " << ErrorName(Call(SYS_ptrace, 16 /* PTRACE_ATTACH */, pid, 0, 0));
    const uint64_t limit[2] = {1, 1};
    text << ", prlimit " << ErrorName(Call(SYS_prlimit64, pid, 0 /* RLIMIT_CPU */, reinterpret_cast<long>(limit), 0));
    text << ", setpriority " << ErrorName(Call(SYS_setpriority, 0 /* PRIO_PROCESS */, pid, 19));
    for (const char* file : {"mem", "environ", "maps", "fd/3", "root/data/letters"}) {
      const std::string path = "/proc/" + std::to_string(pid) + "/" + file;
      const long fd = Call(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path.c_str()), O_RDONLY, 0);
      char byte;
      text << ", " << file << " "
           << ErrorName(fd < 0 ? fd : Call(SYS_pread64, fd, reinterpret_cast<long>(&byte), 1, 0x400000));
    }
    return text.str();
  }

 private:
  using HostCall = long (*)(long, long, long, long, long, long, long);
  long Call(long number, long a = 0, long b = 0, long c = 0, long d = 0) const {
    return host_call_(number, a, b, c, d, 0, 0);
  }
  HostCall host_call_;
};

std::string Random() {
  uint64_t value = 0;
  if (getrandom(&value, sizeof(value), 0) != sizeof(value)) {
    return "failed";
  }
  return std::to_string(value);
}

// Children, programs, waits and signals as anywhere.
std::string Family() {
  std::ostringstream text;
  const pid_t child = fork();
  if (child == 0) {
    _exit(7);
  }
  int status = 0;
  text << "child " << (child > 1 && waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : -1);
  const pid_t program = fork();
  if (program == 0) {
    execl("/bin/probe", "probe", "exit", "9", nullptr);
    _exit(1);
  }
  text << ", program " << (waitpid(program, &status, 0) == program ? WEXITSTATUS(status) : -1);
  signals_seen = 0;
  kill(getpid(), SIGUSR1);
  text << ", signal " << signals_seen;
  const pid_t victim = fork();
  if (victim == 0) {
    for (;;) {
      pause();
    }
  }
  text << ", kill " << (kill(victim, SIGTERM) == 0 && waitpid(victim, &status, 0) == victim ? WTERMSIG(status) : -1);
  return text.str();
}

std::string Letters() {
  char letters[3] = {};
  return read(letters_fd, letters, 2) == 2 ? letters : "failed";
}

std::string Answer(const std::string& command, long argument, uint64_t address) {
  if (command == "count") return std::to_string(++count_in_memory);
  if (command == "shared") return std::to_string(++*shared_count);
  if (command == "ticks") return std::to_string(ticks.load());
  if (command == "pid") return std::to_string(getpid());
  if (command == "letters") return Letters();
  if (command == "random") return Random();
  if (command == "family") return Family();
  if (command == "attack") return Attacker(address).Attack(argument);
  if (command == "print") {
    std::printf("printed %ld\n", argument);
    std::fflush(stdout);
    return "ok";
  }
  if (command == "inotify") return inotify_init() >= 0 ? "ok" : "failed";
  if (command == "memfd") return memfd_create("memory", 0) >= 0 ? "ok" : "failed";
  if (command == "child") {
    if (fork() == 0) {
      for (;;) {
        pause();
      }
    }
    return "ok";
  }
  if (command == "wait") return "ok";  // and keeps the connection
  if (command == "exit") _exit(static_cast<int>(argument));
  if (command == "crash") std::abort();
  if (command == "exec") execl("/bin/probe", "probe", "serve", nullptr);
  return "unknown";
}

void Prepare() {
  shared_count =
      static_cast<std::atomic<int>*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  letters_fd = open("/data/letters", O_RDONLY);
  signal(SIGUSR1, CountSignal);
  std::thread([] {
    for (;;) {
      usleep(5000);
      ++ticks;
    }
  }).detach();
}

int Serve() {
  Prepare();
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(8080);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 || listen(listener, 64) != 0) {
    return 1;
  }
  for (;;) {
    const int connection = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    char line[256] = {};
    if (connection < 0 || read(connection, line, sizeof(line) - 1) <= 0) {
      close(connection);
      continue;
    }
    std::istringstream words(line);
    std::string command;
    long argument = 0;
    uint64_t host_call = 0;
    words >> command >> argument >> std::hex >> host_call;
    const std::string answer = Answer(command, argument, host_call);
    if (write(connection, answer.data(), answer.size()) < 0) {
      return 2;
    }
    if (command != "wait") {
      shutdown(connection, SHUT_WR);  // a child may have a copy
    }
    while (command == "wait" && read(connection, line, sizeof(line)) > 0) {
    }
    close(connection);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string action = argc > 1 ? argv[1] : "";
  if (action == "serve") return Serve();
  return action == "exit" && argc > 2 ? std::atoi(argv[2]) : 2;
}
