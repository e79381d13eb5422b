// SPDX-License-Identifier: Apache-2.0
// Ancillary data of unix sockets: files (SCM_RIGHTS) and credentials (SCM_CREDENTIALS). Read first: unix(7), cmsg(3), net/core/scm.c.
#pragma once

#include "kernel/sockets/unix_socket.h"

namespace junction {

inline constexpr uint32_t kMaxRights = 253;  // SCM_MAX_FD

/// A file on its way.
struct UnixRight {
  File* file;      // referenced
  int64_t ticket;  // one of the host's: of the copy of its descriptor (fd_transit.h); 0 = a virtual file
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

/// Fills in the guest's control buffer and msg_flags. Files that find no room are closed and MSG_CTRUNC is told. `rights` (may be null) are
/// used up, unless the message was only peeked at.
void WriteUnixControl(SocketMessage& message, const UnixSocket& receiver, const ucred& credentials, UnixRights* rights,
                      bool is_peek);

void FreeUnixRights(UnixRights* rights);

}  // namespace junction
