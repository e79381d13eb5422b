// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace junction {

/// argv[0] of junction_run when a guest execve runs it.
inline constexpr char kSecondStageName[] = "junction_uproc";

/// argv[0] where the program is the first one of a process that was added to a running instance: only here it is looked for.
inline constexpr char kAddedStageName[] = "junction_added";

/// How a clone's control block is named: by its descriptor, which stays open.
inline constexpr char kDescriptorPath[] = "/proc/self/fd/";

/// Places in the argv of the second stage.
enum SecondStageArgument : int {
  kStageName,
  kStageControlPath,
  kStagePlanPath,
  kStageArenaFd,         // decimal; open in the new image too
  kStageProcess,         // hexadecimal: address of the UProc in the arena
  kStageFile,            // of kAddedStageName: as the request named it
  kStageFileAsGiven,     // of kAddedStageName: decimal, the connection to who asked
  kStageGuestArguments,  // the first of them
};

}  // namespace junction
