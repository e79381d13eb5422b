// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/error.h"
#include "base/unique_fd.h"

namespace junction {

/// The host ids that an instance's ids 0, 1, 2, ... are.
struct IdRange {
  uint32_t first_host_id = 0;
  uint32_t count = 65536;
};

/// A user namespace of an instance: the image's files are mapped by it, and the guest lives in it.
class UserNamespace {
 public:
  /// Makes one in which ids 0 ... count - 1 are the range's host ids. Needs CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID of the
  /// host. One at a time in a process: the next may be made once the last one's Reap has returned.
  static Result<UserNamespace> Make(const IdRange& range);

  int fd() const { return fd_.get(); }

  /// Waits for the end of the process with which the namespace was made. Not done in Make: that end is not on the way to
  /// the guest's start. Blocks shortly.
  void Reap();

 private:
  explicit UserNamespace(pid_t maker) : maker_(maker) {}
  Result<void> MapAndOpen(const IdRange& range);

  pid_t maker_;
  UniqueFd fd_;
};

}  // namespace junction
