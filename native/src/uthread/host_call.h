// SPDX-License-Identifier: Apache-2.0
// Host syscalls of the Junction kernel itself. They leave from the one text range that the net lets through (entry.S).
#pragma once

#include <cstdint>

extern "C" {
int64_t junction_host_call(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f);
int64_t junction_host_clone(uint64_t flags, void* stack, uint64_t parent_tid, uint64_t child_tid, uint64_t tls);
[[noreturn]] void junction_host_exit(uint32_t* block_state, int status);
extern const char junction_host_text_begin[];
extern const char junction_host_text_end[];
}

namespace junction {

namespace host_call_detail {
template <typename T>
int64_t ToRegister(T value) {
  if constexpr (requires { reinterpret_cast<int64_t>(value); }) {
    return reinterpret_cast<int64_t>(value);
  } else {
    return static_cast<int64_t>(value);
  }
}
inline int64_t ToRegister(decltype(nullptr)) { return 0; }
}  // namespace host_call_detail

/// Makes a host syscall; the result is the host's: -errno on failure. Touches no TLS and no vector registers. Any thread.
template <typename... Args>
int64_t HostCall(long number, Args... args) {
  static_assert(sizeof...(args) <= 6);
  const int64_t values[7] = {host_call_detail::ToRegister(args)..., 0};
  return junction_host_call(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

/// True if a host result is an error (-errno).
inline bool IsHostError(int64_t result) { return result < 0 && result >= -4095; }

}  // namespace junction
