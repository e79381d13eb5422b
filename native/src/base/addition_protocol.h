// SPDX-License-Identifier: Apache-2.0
// One more program in a running instance (junction_run --add_to). Read first: request_protocol.h.
//
//   monitor                        instance's kernel, at any safe point      new process
//   request                   -->  connects; kRefused, or host fork ----->   shares the instance's memory until its exec
//   pidfd of the sender       <-------------------------------------------   kAccepted
//   AdditionOrder + files     ------------------------------------------->   descriptors, working folder, exec of junction_run itself:
//                             <-------------------------------------------   looks for the program; kRunning or kFailed
//   keeps the connection: when it closes, the host kills the process
//                             <-------------------------------------------   kEnded
#pragma once

#include <cstddef>
#include <cstdint>

namespace junction {

/// Why an instance takes no further program now.
enum class AdditionRefusal : uint32_t {
  kEnding = 1,
};

/// What a new process does on its way, for messages.
enum class AdditionStep : uint32_t {
  kFork = 1,
  kOrder,
  kOutput,
  kFolder,
  kProgram,  // it is not there (ENOENT, ENOTDIR), or cannot be run
  kExec,
};

/// From the monitor. With it, by SCM_RIGHTS: a memory file with the texts, each ended by a NUL: working folder, arguments (the first is the
/// program), environment; then, if `has_stdio`, descriptors 0, 1 and 2.
struct AdditionOrder {
  uint32_t magic;
  uint32_t texts_bytes;
  uint32_t argument_count;     // at least 1
  uint32_t environment_count;  // K=V
  uint32_t has_stdio;          // 0: /dev/null and the output of the instance's first program
};

inline constexpr uint32_t kAdditionTextFiles = 1;
inline constexpr uint32_t kAdditionMaxDescriptors = kAdditionTextFiles + 3;

/// What texts and the pointers to them may take together: with what the kernel adds, one block of the arena.
inline constexpr size_t kAdditionMax_bytes = 1000 * 1024;
constexpr size_t AdditionSize_bytes(size_t texts_bytes, size_t text_count) {
  return texts_bytes + text_count * sizeof(char*);
}

}  // namespace junction
