// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace junction {

/// Completes the dispatch table before the first guest instruction. With prints_calls each call is printed (--strace).
void PrepareDispatch(bool prints_calls);

}  // namespace junction
