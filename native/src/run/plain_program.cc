// SPDX-License-Identifier: Apache-2.0
// Stands in for the loader where it is not built: the program is executed by the host.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "loader/program.h"

namespace junction {

void RunProgram(const ProgramSpec& spec) {
  std::vector<char*> argv, env;
  for (const auto& word : spec.argv) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  for (const auto& word : spec.env) {
    env.push_back(const_cast<char*>(word.c_str()));
  }
  env.push_back(nullptr);
  execvpe(spec.path.c_str(), argv.data(), env.data());
  dprintf(2, "junction_run: %s: %s\n", spec.path.c_str(), std::strerror(errno));
  _exit(errno == ENOENT ? 127 : 126);
}

bool IsSecondStage(int, char**) { return false; }

void RunSecondStage(int, char**, char**) { _exit(126); }

}  // namespace junction
