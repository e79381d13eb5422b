// SPDX-License-Identifier: Apache-2.0
// Test driver: runs a program on the Junction kernel without any sandbox.
//   passthrough_exec [--strace] [--cores N] [--nic] [--plans DIR] [--stats FILE] [--control FILE] program [argument...]
// With --nic it has a network of its own, with nobody at the other ends: 10.99.0.2/24 and fd99::2/64 on the uplink, one link.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <string>
#include <utility>

#include "loader/program.h"
#include "nic/nic_memory.h"

namespace {

using junction::ControlBlock;

struct Options {
  bool strace = false;
  uint32_t cores = 2;
  bool has_nic = false;
  std::string plans;
  std::string stats;
  std::string control;
  int program = 1;
};

Options ParseOptions(int argc, char** argv) {
  Options options;
  int at = 1;
  for (; at < argc && argv[at][0] == '-'; ++at) {
    const std::string name = argv[at];
    if (name == "--strace") {
      options.strace = true;
    } else if (name == "--nic") {
      options.has_nic = true;
    } else if (name == "--cores" && at + 1 < argc) {
      options.cores = static_cast<uint32_t>(std::strtoul(argv[++at], nullptr, 10));
    } else if (name == "--plans" && at + 1 < argc) {
      options.plans = argv[++at];
    } else if (name == "--stats" && at + 1 < argc) {
      options.stats = argv[++at];
    } else if (name == "--control" && at + 1 < argc) {
      options.control = argv[++at];
    } else {
      break;
    }
  }
  options.program = at;
  return options;
}

// At `path`, or in a new file whose name is put there.
ControlBlock* MakeControlBlock(std::string& path) {
  int fd = -1;
  if (path.empty()) {
    path = "/tmp/passthrough_exec.XXXXXX";
    fd = mkstemp(path.data());
  } else {
    fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  }
  if (fd < 0 || ftruncate(fd, junction::kControlBlockSize_bytes) != 0) {
    return nullptr;
  }
  void* const block = mmap(nullptr, junction::kControlBlockSize_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  return block == MAP_FAILED ? nullptr : static_cast<ControlBlock*>(block);
}

// One `key value` a line, for tests that ask what happened inside.
void WriteStats(const std::string& path, const ControlBlock& control) {
  FILE* const file = fopen(path.c_str(), "w");
  if (file == nullptr) {
    perror(path.c_str());
    return;
  }
  uint64_t calls = 0;
  for (const auto& thread : control.threads) {
    calls += thread.guest_syscalls.load();
  }
  fprintf(file, "guest_syscalls %lu\nprocesses_started %lu\nsites_patched %lu\nsud_traps %lu\n", calls,
          control.processes_started.load(), control.sites_patched.load(), control.sud_traps.load());
  fprintf(file, "listen_seq %u\narena_live_bytes %lu\n", control.listen_seq.load(), control.arena_live_bytes.load());
  for (const auto& port : control.ports) {
    if (port.guest_port.load() != 0) {
      fprintf(file, "port %u %u %u %u\n", port.guest_port.load(), port.host_port.load(), port.protocol.load(),
              port.listening.load());
    }
  }
  fclose(file);
}

junction::Result<junction::NicMemory> MakeNic(uint32_t cores) {
  junction::NicGeometry geometry;
  geometry.port_count = 2;
  geometry.queue_pair_count = cores;
  junction::NicSettings settings = {};
  const auto put = [](auto& field, std::initializer_list<int> bytes) { std::copy(bytes.begin(), bytes.end(), field); };
  put(settings.instance_mac, {0x02, 0, 10, 99, 0, 2});
  put(settings.peer_mac[1], {0x02, 0x6a, 0x75, 0x6e, 0, 1});
  put(settings.ip4, {10, 99, 0, 2});
  put(settings.gateway4, {10, 99, 0, 1});
  put(settings.link_peer4[1], {169, 254, 254, 1});
  settings.ip6[0] = settings.gateway6[0] = 0xfd;
  settings.ip6[1] = settings.gateway6[1] = 0x99;
  settings.ip6[15] = 2;
  settings.gateway6[15] = 1;
  settings.uplink_mtu_bytes = 1500;
  settings.prefix4_bits = 24;
  settings.prefix6_bits = 64;
  return junction::NicMemory::Make(geometry, settings);
}

pid_t g_child = 0;

void Forward(int signal) { kill(g_child, signal); }

void ForwardSignals(pid_t child) {
  g_child = child;
  for (const int forwarded : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) {
    signal(forwarded, &Forward);
  }
}

int WaitFor(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// What the program left running ends with it, as in an instance, whose processes have a pid namespace of their own.
void EndOrphans() {
  const std::string path = "/proc/self/task/" + std::to_string(getpid()) + "/children";
  while (true) {
    std::ifstream children(path);
    bool has_any = false;
    for (pid_t pid = 0; children >> pid; has_any = true) {
      kill(pid, SIGKILL);
    }
    if (!has_any || waitpid(-1, nullptr, 0) < 0) {
      return;
    }
  }
}

}  // namespace

int main(int argc, char** argv, char** envp) {
  const Options options = ParseOptions(argc, argv);
  if (options.program >= argc) {
    fprintf(stderr,
            "usage: %s [--strace] [--cores N] [--nic] [--plans DIR] [--stats FILE] [--control FILE] program "
            "[argument...]\n",
            argv[0]);
    return 125;
  }
  junction::ProgramSpec spec;
  spec.path = argv[options.program];
  spec.plan_path = options.plans;
  for (int i = options.program; i < argc; ++i) {
    spec.argv.emplace_back(argv[i]);
  }
  for (char** entry = envp; *entry != nullptr; ++entry) {
    spec.env.emplace_back(*entry);
  }
  spec.control_path = options.control;
  spec.control = MakeControlBlock(spec.control_path);
  if (spec.control == nullptr) {
    perror("passthrough_exec: control block");
    return 125;
  }
  spec.control->core_limit = options.cores;
  spec.control->strace = options.strace ? 1 : 0;
  junction::NicMemory nic;
  junction::NicDescriptors nic_descriptors;
  if (options.has_nic) {
    junction::Result<junction::NicMemory> made = MakeNic(options.cores);
    if (!made) {
      fprintf(stderr, "passthrough_exec: no NIC\n");
      return 125;
    }
    nic = std::move(*made);
    nic_descriptors = nic.descriptors();
    spec.nic = &nic_descriptors;
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (options.has_nic) {
      close(nic.instance_waker());  // the host's: the guest would find its number taken
    }
    junction::RunProgram(spec);
  }
  ForwardSignals(child);
  const int status = WaitFor(child);
  EndOrphans();
  if (!options.stats.empty()) {
    WriteStats(options.stats, *spec.control);
  }
  unlink(spec.control_path.c_str());
  return status;
}
