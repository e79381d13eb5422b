// SPDX-License-Identifier: Apache-2.0
// The host's vDSO, which guests call too: libraries find it by AT_SYSINFO_EHDR.
#pragma once

#include <cstdint>

namespace junction {

/// Address of the function `name` in the vDSO at `vdso`, 0 if it has none.
uint64_t FindVdsoFunction(uint64_t vdso, const char* name);

/// Makes the function `name` undefined for who looks it up from now on, so that libraries make the call instead. For the start of a process:
/// nothing of the vDSO can be called meanwhile. A page of the vDSO becomes the process' own. 0, or -errno if the host does not let
/// it be changed (it may have sealed it, Linux 6.16); all is as before then.
int64_t HideVdsoFunction(uint64_t vdso, const char* name);

}  // namespace junction
