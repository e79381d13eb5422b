// SPDX-License-Identifier: Apache-2.0
// Cases of the syscall suite that are right on Linux and fail in the Junction kernel as it is. conformance_test expects each to fail.
#pragma once

#include <string_view>
#include <vector>

namespace junction {

struct KnownFailure {
  std::string_view program;  // without `suite_`
  std::string_view name;
  std::string_view reason;
};

inline const std::vector<KnownFailure> kKnownFailures = {};

}  // namespace junction
