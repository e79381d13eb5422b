// SPDX-License-Identifier: Apache-2.0
// Ancillary data of unix sockets: files (SCM_RIGHTS) and credentials (SCM_CREDENTIALS). Read first: unix(7), cmsg(3), net/core/scm.c.
#pragma once

#include "kernel/unix_socket.h"

namespace junction {

inline constexpr uint32_t kMaxRights = 253;  // SCM_MAX_FD

/// A file on its way. One of the host's is held open by a copy of its descriptor in the process that sent it, and can be received
/// in that process only: a send is refused with EOPNOTSUPP if the process does not have the receiving end too. Where both have it and the
/// other one receives, the file is dropped (MSG_CTRUNC) and the copy stays open until the sender ends.
struct UnixRight {
  File* file;  // referenced
  int32_t pid;
  int32_t host_fd;  // -1 = a virtual file
};

struct UnixRights {
  ListNode node;  // while it waits to be freed
  uint32_t count;
  uint32_t capacity;
  UnixRight rights[];
};

/// What a send carries besides its data.
struct UnixControl {
  UnixRights* rights = nullptr;
  ucred credentials = {};
  bool has_credentials = false;
};

/// Reads the guest's ancillary data: 0 or -EBADF, -EINVAL, -EPERM, -EFAULT, -ENOMEM. On success the caller owns control.rights.
int64_t ReadUnixControl(const SocketMessage& message, UnixControl& control);

/// Whether `receiver` can be sent these (null = none): 0 or -EOPNOTSUPP.
int64_t CheckUnixRights(const UnixRights* rights, const UnixSocket& receiver);

/// Fills in the guest's control buffer and msg_flags. Files that find no room are closed and MSG_CTRUNC is told. `rights` (may be null) are
/// used up, unless the message was only peeked at.
void WriteUnixControl(SocketMessage& message, const UnixSocket& receiver, const ucred& credentials, UnixRights* rights,
                      bool is_peek);

void FreeUnixRights(UnixRights* rights);

}  // namespace junction
