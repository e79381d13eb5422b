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

inline const std::vector<KnownFailure> kKnownFailures = {
    {"processes", "clone_of_a_namespace_with_a_shared_folder_is_einval",
     "namespaces are refused before flags are compared"},
    {"misc", "stat_of_proc_self_exe", "stat of /proc/self/exe goes to the host and shows junction_run"},
    {"udp", "bind_to_a_taken_port_is_eaddrinuse",
     "a UDP port that the kernel chose is not in the port table, so that it can be bound again"},
};

}  // namespace junction
