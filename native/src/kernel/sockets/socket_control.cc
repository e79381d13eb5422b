// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/socket_control.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "kernel/door/call.h"
#include "kernel/files/fd_table.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/sockets/control_writer.h"
#include "kernel/sockets/fd_transit.h"

namespace junction {
namespace {

constexpr uint64_t kHeader_bytes = kControlHeader_bytes;

size_t SizeOfRights(uint32_t capacity) { return sizeof(UnixRights) + capacity * sizeof(UnixRight); }

UnixRights* NewRights(uint32_t capacity) {
  auto* const rights = static_cast<UnixRights*>(ArenaAllocate(SizeOfRights(capacity)));
  if (rights != nullptr) {
    rights->capacity = capacity;
  }
  return rights;
}

// A file that is given up may be a socket with files in its queue, and so on: they are freed one after the other, for the stack would not
// hold a long chain. Only in use with the kernel lock held, so that each process image can have its own.
List g_unwanted;
bool g_is_freeing = false;

// Gives up one file on its way.
void Drop(const UnixRight& right) {
  if (right.ticket != 0) {
    if (const int64_t fd = TakeFromFdTransit(right.ticket, true); fd >= 0) {
      HostCall(SYS_close, fd);
    }
  }
  Unreference(*right.file);
}

// Takes a descriptor of the current process: 0 or -errno.
int64_t AddRight(UnixRights& rights, int32_t fd) {
  File* const file = GetFile(fd);
  if (file == nullptr) {
    return -EBADF;
  }
  int64_t ticket = 0;
  if (!file->is_virtual()) {
    ticket = SendToFdTransit(fd);
    if (ticket < 0) {
      return ticket;
    }
  }
  rights.rights[rights.count] = {&Reference(*file), ticket};
  ++rights.count;
  return 0;
}

int64_t ReadRights(uint64_t data, uint64_t size_bytes, UnixControl& control) {
  const uint64_t count = size_bytes / sizeof(int32_t);
  if (count == 0) {
    return 0;
  }
  if (control.rights == nullptr) {
    control.rights = NewRights(kMaxRights);
    if (control.rights == nullptr) {
      return -ENOMEM;
    }
  }
  if (count > kMaxRights - control.rights->count) {
    return -EINVAL;
  }
  for (uint64_t i = 0; i < count; ++i) {
    int32_t fd;
    if (!CopyFromGuest(&fd, data + i * sizeof(fd), sizeof(fd))) {
      return -EFAULT;
    }
    if (const int64_t error = AddRight(*control.rights, fd); error != 0) {
      return error;
    }
  }
  return 0;
}

int64_t ReadCredentials(uint64_t data, uint64_t size_bytes, UnixControl& control) {
  if (size_bytes != sizeof(ucred)) {
    return -EINVAL;
  }
  if (!CopyFromGuest(&control.credentials, data, sizeof(ucred))) {
    return -EFAULT;
  }
  const ucred effective = EffectiveCredentials();
  const ucred real = RealCredentials();
  const ucred& given = control.credentials;
  const bool is_own = given.pid == real.pid && (given.uid == real.uid || given.uid == effective.uid) &&
                      (given.gid == real.gid || given.gid == effective.gid);
  if (!is_own && effective.uid != 0) {
    return -EPERM;
  }
  control.has_credentials = true;
  return 0;
}

// One control message: `data` is what is behind its header.
int64_t ReadOne(const cmsghdr& header, uint64_t data, UnixControl& control) {
  if (header.cmsg_level != SOL_SOCKET) {
    return 0;
  }
  const uint64_t size = header.cmsg_len - kHeader_bytes;
  switch (header.cmsg_type) {
    case SCM_RIGHTS:
      return ReadRights(data, size, control);
    case SCM_CREDENTIALS:
      return ReadCredentials(data, size, control);
    default:
      return -EINVAL;
  }
}

int64_t ReadAll(const SocketMessage& message, UnixControl& control) {
  return ForEachControl(message,
                        [&control](const cmsghdr& header, uint64_t data) { return ReadOne(header, data, control); });
}

// Gives the current process a descriptor of the file: its number or -errno.
int64_t Install(UnixRight& right, bool is_close_on_exec, bool is_peek) {
  File& file = *right.file;
  if (right.ticket == 0) {
    return InstallFile(Reference(file), is_close_on_exec);
  }
  const int64_t host_fd = TakeFromFdTransit(right.ticket, is_close_on_exec);
  right.ticket = 0;
  if (host_fd < 0) {
    return host_fd;
  }
  if (is_peek) {
    // The next one who looks shall find it as well.
    const int64_t ticket = SendToFdTransit(static_cast<int32_t>(host_fd));
    right.ticket = ticket < 0 ? 0 : ticket;
  }
  const int64_t fd = InstallHostFd(static_cast<int32_t>(host_fd), file.kind, is_close_on_exec ? O_CLOEXEC : 0);
  if (fd >= 0) {
    // The number is of the open file description that was sent, not of a new one.
    FdEntry& entry = CurrentFdTable().entries[fd];
    File& fresh = *entry.file;
    entry.file = &Reference(file);
    Unreference(fresh);
  }
  return fd;
}

void WriteRights(ControlWriter& writer, UnixRights& rights, bool is_close_on_exec, bool is_peek) {
  const uint64_t fits = writer.room() < kHeader_bytes ? 0 : (writer.room() - kHeader_bytes) / sizeof(int32_t);
  uint32_t count = 0;
  while (count < fits && count < rights.count) {
    const int64_t fd = Install(rights.rights[count], is_close_on_exec, is_peek);
    if (fd < 0) {
      break;
    }
    const auto number = static_cast<int32_t>(fd);
    if (!CopyToGuest(writer.data_address() + count * sizeof(number), &number, sizeof(number))) {
      CloseDescriptor(number);
      break;
    }
    ++count;
  }
  if (count < rights.count) {
    writer.Truncate();
  }
  if (count > 0) {
    writer.PutHeader(SOL_SOCKET, SCM_RIGHTS, count * sizeof(int32_t));
  }
}

}  // namespace

int64_t ReadUnixControl(const SocketMessage& message, UnixControl& control) {
  if (message.control == 0 || message.control_size_bytes == 0) {
    return 0;
  }
  const int64_t error = ReadAll(message, control);
  if (error != 0) {
    FreeUnixRights(control.rights);
    control.rights = nullptr;
  }
  return error;
}

void WriteUnixControl(SocketMessage& message, const UnixSocket& receiver, const ucred& credentials, UnixRights* rights,
                      bool is_peek) {
  {
    ControlWriter writer(message);
    if (receiver.passes_credentials) {
      writer.Put(SOL_SOCKET, SCM_CREDENTIALS, &credentials, sizeof(credentials));
    }
    if (rights != nullptr) {
      WriteRights(writer, *rights, message.Has(MSG_CMSG_CLOEXEC), is_peek);
    }
  }
  if (!is_peek) {
    FreeUnixRights(rights);
  }
}

void FreeUnixRights(UnixRights* rights) {
  if (rights == nullptr) {
    return;
  }
  g_unwanted.PushBack(rights->node);
  if (g_is_freeing) {
    return;  // the outermost call comes to it
  }
  g_is_freeing = true;
  while (ListNode* const node = g_unwanted.PopFront()) {
    UnixRights* const next = JUNCTION_OWNER(node, UnixRights, node);
    for (uint32_t i = 0; i < next->count; ++i) {
      Drop(next->rights[i]);
    }
    ArenaFree(next, SizeOfRights(next->capacity));
  }
  g_is_freeing = false;
}

}  // namespace junction
