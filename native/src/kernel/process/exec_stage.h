// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace junction {

/// argv[0] of junction_run when a guest execve runs it.
inline constexpr char kSecondStageName[] = "junction_uproc";

/// How a clone's control block is named: by its descriptor, which stays open.
inline constexpr char kDescriptorPath[] = "/proc/self/fd/";

/// Places in the argv of the second stage.
enum SecondStageArgument : int {
  kStageName,
  kStageControlPath,
  kStagePlanPath,
  kStageArenaFd,  // decimal; open in the new image too
  kStageProcess,  // hexadecimal: address of the UProc in the arena
  kStageFile,
  kStageFileAsGiven,
  kStageGuestArguments,  // the first of them
};

}  // namespace junction
