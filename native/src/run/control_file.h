// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/control_block.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace junction {

/// A new control block: its file and our mapping of it. The mapping is for the guest, which inherits it; the host side
/// writes to it only before the guest starts (see ReadControlSnapshot for the reason). It is never unmapped.
struct ControlFile {
  UniqueFd fd;
  ControlBlock* block = nullptr;
};

struct ControlSettings {
  uint32_t core_limit = 1;
  bool has_strace = false;
  uint32_t spin_us = 0;  // ControlBlock::spin_us
};

/// Writes down that the guest's process is asked for now. Nothing if there is no block.
void NoteAsked(const ControlFile& control);

/// Makes the control block file at `path` (mode 0600; what stood there is replaced by a new file, so that readers of an
/// earlier instance keep theirs), or a memory file when `path` is empty.
Result<ControlFile> CreateControlFile(const std::string& path, const ControlSettings& settings);

}  // namespace junction
