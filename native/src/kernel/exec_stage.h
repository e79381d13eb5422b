// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace junction {

/// argv[0] of junction_run when a guest execve runs it.
inline constexpr char kSecondStageName[] = "junction_uproc";

/// Places in the argv of the second stage.
enum SecondStageArgument : int {
  kStageName,
  kStageControlPath,
  kStagePlanPath,
  kStageSignalMask,  // hexadecimal
  kStageFile,
  kStageFileAsGiven,
  kStageGuestArguments,  // the first of them
};

}  // namespace junction
