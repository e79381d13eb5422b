// SPDX-License-Identifier: Apache-2.0
// What tests of real instances share: a running junction_run and readers of what it says.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace junction {

using Args = std::vector<std::string>;

// Long enough for a loaded machine; a test that needs it all has failed.
inline constexpr int kPatience_ms = 60'000;

// A running junction_run and the pipes of its stdio.
class Instance {
 public:
  Instance(const Args& args, const Args& env) {
    int out[2];
    int err[2];
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(err, O_CLOEXEC), 0);
    out_.Reset(out[0]);
    err_.Reset(err[0]);
    const UniqueFd out_write(out[1]);
    const UniqueFd err_write(err[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    const auto pointers = [](const Args& words) {
      std::vector<char*> list;
      for (const std::string& word : words) {
        list.push_back(const_cast<char*>(word.c_str()));
      }
      list.push_back(nullptr);
      return list;
    };
    EXPECT_EQ(posix_spawn(&pid_, args[0].c_str(), &actions, nullptr, pointers(args).data(), pointers(env).data()), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }

  pid_t pid() const { return pid_; }
  void Signal(int number) const {
    ASSERT_GT(pid_, 0) << "it has ended, and -1 would be everybody";
    EXPECT_EQ(kill(pid_, number), 0);
  }

  // Reads stdout up to and with a line's end.
  std::string ReadLine() const {
    std::string line;
    for (char c = 0; c != '\n' && ReadByte(out_, c);) {
      line += c;
    }
    return line;
  }

  // Reads both streams to their ends and waits. The exit status, or 1000 + n if signal n ended junction_run itself.
  int Finish() {
    output = ReadAll(out_);
    errors = ReadAll(err_);
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

  std::string output;
  std::string errors;

 private:
  static bool ReadByte(const UniqueFd& fd, char& c) {
    pollfd state = {.fd = fd.get(), .events = POLLIN, .revents = 0};
    EXPECT_GT(poll(&state, 1, kPatience_ms), 0) << "no output";
    return state.revents != 0 && read(fd.get(), &c, 1) == 1;
  }
  static std::string ReadAll(const UniqueFd& fd) {
    std::string text;
    for (char c = 0; ReadByte(fd, c);) {
      text += c;
    }
    return text;
  }

  pid_t pid_ = -1;
  UniqueFd out_;
  UniqueFd err_;
};

inline bool Has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The value of a field in a line of our own JSON.
inline std::string Field(const std::string& json, const std::string& name) {
  const std::string key = "\"" + name + "\":";
  const size_t start = json.find(key);
  if (start == std::string::npos) {
    return "";
  }
  std::string value = json.substr(start + key.size(), json.find_first_of(",}", start) - start - key.size());
  std::erase(value, '"');
  return value;
}

}  // namespace junction
