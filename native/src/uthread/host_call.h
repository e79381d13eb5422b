// SPDX-License-Identifier: Apache-2.0
// Host syscalls of the Junction kernel itself. They leave from the one text range that the net lets through (host_call.S).
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>

extern "C" {
int64_t junction_host_call(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f);

/// clone(2) of a host process or thread that starts on a stack of its own by child_main(argument), which never returns.
/// The child's id, or -errno.
int64_t junction_host_fork(uint64_t flags, void* child_stack_top, void (*child_main)(void*), void* argument);

/// epoll_pwait2 without a mask that does not begin to wait if *stay_awake is non-zero: -EINTR then. A signal handler that finds its
/// context in [junction_host_park_begin, junction_host_park_syscall] moves it to junction_host_park_abort, so none is lost.
int64_t junction_host_park_poll(int64_t epoll_fd, void* events, int64_t max_events, const timespec* timeout,
                                std::atomic<uint32_t>* stay_awake);

/// Ends the host thread without touching its stack: first *word = 0 (somebody may then reuse the stack).
[[noreturn]] void junction_host_exit_thread(std::atomic<uint32_t>* word);

void junction_restorer();
extern const char junction_host_text_begin[], junction_host_text_end[];
extern const char junction_host_park_begin[], junction_host_park_syscall[], junction_host_park_abort[];
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
