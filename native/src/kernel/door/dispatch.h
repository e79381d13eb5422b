// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace junction {

/// Sets the dispatch table up; once per process image, before the guest starts. `prints_calls`: each call goes to descriptor 2 (--strace).
void PrepareDispatch(bool prints_calls);

}  // namespace junction
