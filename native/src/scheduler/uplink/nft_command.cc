// SPDX-License-Identifier: Apache-2.0
#include "scheduler/uplink/nft_command.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <vector>

#include "base/read_file.h"
#include "base/unique_fd.h"

namespace junction::scheduler {
namespace {

constexpr size_t kMaxOutput_bytes = 4 * 1024 * 1024;

struct Output {
  int status = 0;
  std::string text;
};

// A file in memory for the child's input or output: no pipe that could fill up, nothing on disk.
Result<UniqueFd> MemoryFile(const std::string& text) {
  UniqueFd fd(memfd_create("nft", MFD_CLOEXEC));
  if (!fd.valid() || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      lseek(fd.get(), 0, SEEK_SET) != 0) {
    return ErrnoError("memfd");
  }
  return fd;
}

std::string ReadAll(const UniqueFd& fd) {
  return ReadFile("/proc/self/fd/" + std::to_string(fd.get()), kMaxOutput_bytes).value_or("");
}

Result<pid_t> Spawn(const std::string& program, std::vector<std::string> words, int input, int output) {
  words.insert(words.begin(), program);
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  char* const environment[] = {nullptr};
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, input, 0);
  posix_spawn_file_actions_adddup2(&files, output, 1);
  posix_spawn_file_actions_adddup2(&files, output, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);  // ours blocks the signals that end it
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int code = posix_spawn(&pid, program.c_str(), &files, &attributes, argv.data(), environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return code == 0 ? Result<pid_t>(pid) : ErrnoError(program, code);
}

Result<Output> Run(const std::string& program, const std::vector<std::string>& words, const std::string& text) {
  const auto input = MemoryFile(text);
  const auto output = MemoryFile("");
  if (!input || !output) {
    return std::unexpected(!input ? input.error() : output.error());
  }
  const auto pid = Spawn(program, words, input->get(), output->get());
  if (!pid) {
    return std::unexpected(pid.error());
  }
  Output result;
  while (waitpid(*pid, &result.status, 0) < 0) {
    if (errno != EINTR) {
      return ErrnoError("wait for " + program);
    }
  }
  result.text = ReadAll(*output);
  return result;
}

Result<std::string> RunWell(const std::string& program, const std::vector<std::string>& words,
                            const std::string& text) {
  auto output = Run(program, words, text);
  if (!output) {
    return std::unexpected(output.error());
  }
  if (!WIFEXITED(output->status) || WEXITSTATUS(output->status) != 0) {
    return PlainError(program + " failed: " + output->text.substr(0, output->text.find('\n')));
  }
  return std::move(output->text);
}

}  // namespace

Result<std::string> FindNft(const std::string& name) {
  if (name.starts_with('/')) {
    return access(name.c_str(), X_OK) == 0 ? Result<std::string>(name) : ErrnoError(name);
  }
  for (const char* folder : {"/usr/sbin/", "/sbin/", "/usr/bin/", "/usr/local/sbin/"}) {
    if (access((folder + name).c_str(), X_OK) == 0) {
      return folder + name;
    }
  }
  return ErrnoError("the program " + name + " (Debian: package nftables)", ENOENT);
}

Result<void> RunNft(const std::string& program, const std::string& text) {
  const auto output = RunWell(program, {"-f", "-"}, text);
  return output ? Result<void>{} : std::unexpected(output.error());
}

Result<std::string> ListNftChains(const std::string& program) { return RunWell(program, {"list", "chains"}, ""); }

}  // namespace junction::scheduler
