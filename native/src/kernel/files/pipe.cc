// SPDX-License-Identifier: Apache-2.0
// Hot path: no allocation once the ring has its size, no host call, one copy a side.
#include "kernel/files/pipe.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "kernel/door/guest_handlers.h"
#include "kernel/files/host_file.h"
#include "uthread/arena.h"
#include "uthread/uthread.h"

namespace junction {
namespace {

constexpr PollEvents kReadable = POLLIN | POLLRDNORM;
constexpr PollEvents kWritable = POLLOUT | POLLWRNORM;
constexpr uint32_t kEverybody = ~0U;
constexpr uint32_t kFirstStorage_bytes = 4096;

bool CanRead(const File& file) { return (file.status_flags & O_ACCMODE) != O_WRONLY; }
bool CanWrite(const File& file) { return (file.status_flags & O_ACCMODE) != O_RDONLY; }

template <typename IsMeant>
void WakeEnds(Pipe& pipe, IsMeant is_meant, PollEvents events, uint32_t exclusive_count) {
  for (ListNode* node = pipe.ends.first(); node != nullptr; node = pipe.ends.Next(node)) {
    PipeEnd& end = *JUNCTION_OWNER(node, PipeLink, node)->end;
    if (!end.wait.empty() && is_meant(end)) {
      end.wait.Wake(events, exclusive_count);
    }
  }
}

void WakeReaders(Pipe& pipe) { WakeEnds(pipe, CanRead, kReadable, 1); }
void WakeWriters(Pipe& pipe) { WakeEnds(pipe, CanWrite, kWritable, 1); }

// Moves the bytes into a ring of `size_bytes`, which hold them all. False if memory is short.
bool ReplaceStorage(Pipe& pipe, uint32_t size_bytes) {
  auto* const storage = static_cast<char*>(ArenaAllocate(size_bytes));
  if (storage == nullptr) {
    return false;
  }
  const uint32_t size = pipe.size();
  if (pipe.storage != nullptr) {
    const uint32_t start = pipe.tail & (pipe.storage_bytes - 1);
    const uint32_t first = pipe.storage_bytes - start < size ? pipe.storage_bytes - start : size;
    memcpy(storage, pipe.storage + start, first);
    memcpy(storage + first, pipe.storage, size - first);
    ArenaFree(pipe.storage, pipe.storage_bytes);
  }
  pipe.storage = storage;
  pipe.storage_bytes = size_bytes;
  pipe.tail = 0;
  pipe.head = size;
  return true;
}

// Bytes that can be written now, with storage for up to `wanted` of them.
uint32_t MakeRoom(Pipe& pipe, uint64_t wanted) {
  const uint32_t space = pipe.space();
  const uint32_t need = pipe.size() + (wanted < space ? static_cast<uint32_t>(wanted) : space);
  if (need > pipe.storage_bytes && !pipe.is_held) [[unlikely]] {
    uint32_t size = pipe.storage_bytes == 0 ? kFirstStorage_bytes : pipe.storage_bytes;
    while (size < need) {
      size *= 2;
    }
    if (!ReplaceStorage(pipe, size) && pipe.storage != nullptr) {
      pipe.capacity_bytes = pipe.storage_bytes;  // goes on with what it has
    }
  }
  const uint32_t limit = pipe.storage_bytes < pipe.capacity_bytes ? pipe.storage_bytes : pipe.capacity_bytes;
  return limit > pipe.size() ? limit - pipe.size() : 0;
}

size_t CopyIntoRing(Pipe& pipe, GuestBuffer& from, uint32_t size) {
  const uint32_t start = pipe.head & (pipe.storage_bytes - 1);
  const uint32_t first = pipe.storage_bytes - start;
  size_t copied = from.CopyIn(pipe.storage + start, size < first ? size : first);
  if (copied == first && size > first) {
    copied += from.CopyIn(pipe.storage, size - first);
  }
  pipe.head += static_cast<uint32_t>(copied);
  return copied;
}

void Consume(Pipe& pipe, uint32_t size) {
  const bool was_full = pipe.space() < kPipeBuf_bytes;
  pipe.tail += size;
  if (pipe.tail == pipe.head) {
    pipe.tail = pipe.head = 0;  // the same cache lines again
  }
  if (was_full && pipe.space() >= kPipeBuf_bytes) {
    WakeWriters(pipe);
  }
}

size_t CopyOutOfRing(Pipe& pipe, GuestBuffer& to) {
  const uint32_t available = pipe.size();
  const uint32_t size = to.size() < available ? static_cast<uint32_t>(to.size()) : available;
  const uint32_t start = pipe.tail & (pipe.storage_bytes - 1);
  const uint32_t first = pipe.storage_bytes - start;
  size_t copied = to.CopyOut(pipe.storage + start, size < first ? size : first);
  if (copied == first && size > first) {
    copied += to.CopyOut(pipe.storage, size - first);
  }
  return copied;
}

// Waits until there is something to read: 1; 0 at the end; -EAGAIN, kRestartSys.
int64_t AwaitBytes(File& file, Pipe& pipe, bool is_nonblocking) {
  while (pipe.size() == 0 || pipe.is_held) {
    if (pipe.writers == 0 && !pipe.is_held) {
      return 0;
    }
    if (is_nonblocking) {
      return -EAGAIN;
    }
    Waiter waiter(file.wait, POLLIN, true);
    if (Park(kNever) == WakeReason::kInterrupted) {
      if (pipe.size() != 0) {
        waiter.node.Unlink();
        WakeReaders(pipe);  // the wake-up may have been meant for us alone
      }
      return kRestartSys;
    }
  }
  return 1;
}

int64_t AwaitSpace(File& file, Pipe& pipe) {
  Waiter waiter(file.wait, POLLOUT, true);
  if (Park(kNever) == WakeReason::kInterrupted) {
    if (pipe.space() >= kPipeBuf_bytes) {
      waiter.node.Unlink();
      WakeWriters(pipe);
    }
    return kRestartSys;
  }
  return 0;
}

int64_t ReadPipe(File& file, GuestBuffer& to, bool is_nonblocking) {
  if (!CanRead(file)) [[unlikely]] {
    return -EBADF;
  }
  if (to.size() == 0) [[unlikely]] {
    return 0;
  }
  Pipe& pipe = PipeOf(file);
  bool has_waited = false;
  if (pipe.size() == 0 || pipe.is_held) {
    const int64_t state = AwaitBytes(file, pipe, is_nonblocking);
    if (state <= 0) {
      return state;
    }
    has_waited = true;
  }
  const size_t copied = CopyOutOfRing(pipe, to);
  Consume(pipe, static_cast<uint32_t>(copied));
  if (has_waited && pipe.size() != 0) {
    WakeReaders(pipe);  // others that wait got no wake-up of their own
  }
  return copied != 0 ? static_cast<int64_t>(copied) : -EFAULT;
}

int64_t DoneOr(const GuestBuffer& buffer, int64_t error) {
  return buffer.done() != 0 ? static_cast<int64_t>(buffer.done()) : error;
}

int64_t WritePipe(File& file, GuestBuffer& from, bool is_nonblocking) {
  if (!CanWrite(file)) [[unlikely]] {
    return -EBADF;
  }
  Pipe& pipe = PipeOf(file);
  bool has_waited = false;
  while (from.size() != 0) {
    if (pipe.readers == 0) [[unlikely]] {
      return DoneOr(from, BrokenPipe());
    }
    const uint64_t left = from.size();
    const uint32_t room = MakeRoom(pipe, left);
    if (room >= left || (room != 0 && left > kPipeBuf_bytes)) {
      if (CopyIntoRing(pipe, from, room < left ? room : static_cast<uint32_t>(left)) != 0) {
        WakeReaders(pipe);
      }
      if (from.has_faulted()) [[unlikely]] {
        return DoneOr(from, -EFAULT);
      }
      continue;
    }
    if (pipe.storage == nullptr) [[unlikely]] {
      return -ENOMEM;
    }
    if (is_nonblocking) {
      return DoneOr(from, -EAGAIN);
    }
    has_waited = true;
    if (const int64_t error = AwaitSpace(file, pipe); error != 0) {
      return DoneOr(from, error);
    }
  }
  if (has_waited && pipe.space() >= kPipeBuf_bytes) {
    WakeWriters(pipe);
  }
  return static_cast<int64_t>(from.done());
}

PollEvents PollPipe(File& file) {
  const Pipe& pipe = PipeOf(file);
  PollEvents events = 0;
  if (CanRead(file)) {
    events |= pipe.size() != 0 && !pipe.is_held ? kReadable : 0;
    events |= pipe.writers == 0 ? POLLHUP : 0;
  }
  if (CanWrite(file)) {
    events |= pipe.space() >= kPipeBuf_bytes ? kWritable : 0;
    events |= pipe.readers == 0 ? POLLERR : 0;
  }
  return events;
}

int64_t IoctlPipe(File& file, uint32_t command, uint64_t argument) {
  if (command != FIONREAD) {
    return -ENOTTY;
  }
  const auto size = static_cast<int32_t>(PipeOf(file).size());
  return CopyToGuest(argument, &size, sizeof(size)) ? 0 : -EFAULT;
}

void StatPipe(File& file, struct stat& out) {
  out.st_mode = S_IFIFO | 0600;
  out.st_ino = file.inode;
}

void ReleaseEnd(File& file) {
  auto& end = static_cast<PipeEnd&>(file);
  Pipe& pipe = *end.pipe;
  const bool could_read = CanRead(file);
  const bool could_write = CanWrite(file);
  end.link.node.Unlink();
  ArenaDelete(&end);
  pipe.readers -= could_read ? 1 : 0;
  pipe.writers -= could_write ? 1 : 0;
  if (pipe.ends.empty()) {
    if (pipe.storage != nullptr) {
      ArenaFree(pipe.storage, pipe.storage_bytes);
    }
    ArenaDelete(&pipe);
    return;
  }
  if (pipe.writers == 0 && could_write) {
    WakeEnds(pipe, CanRead, kReadable | POLLHUP, kEverybody);
  }
  if (pipe.readers == 0 && could_read) {
    WakeEnds(pipe, CanWrite, kWritable | POLLERR, kEverybody);
  }
}

PipeEnd* NewEnd(Pipe& pipe, uint32_t status_flags) {
  auto* const end = ArenaNew<PipeEnd>();
  if (end == nullptr) {
    return nullptr;
  }
  InitFile(*end, kPipeOps, FileKind::kPipe, status_flags);
  end->pipe = &pipe;
  end->link.end = end;
  pipe.ends.PushBack(end->link.node);
  pipe.readers += CanRead(*end) ? 1 : 0;
  pipe.writers += CanWrite(*end) ? 1 : 0;
  return end;
}

}  // namespace

const FileOps kPipeOps = {
    .name = "pipe",
    .read = ReadPipe,
    .write = WritePipe,
    .poll = PollPipe,
    .ioctl = IoctlPipe,
    .stat = StatPipe,
    .release = ReleaseEnd,
    .flush = nullptr,
};

int64_t MakePipe(uint32_t status_flags, File** reader, File** writer) {
  auto* const pipe = ArenaNew<Pipe>();
  if (pipe == nullptr) {
    return -ENFILE;
  }
  pipe->capacity_bytes = kPipeDefault_bytes;
  PipeEnd* const read_end = NewEnd(*pipe, status_flags | O_RDONLY);
  if (read_end == nullptr) {
    ArenaDelete(pipe);
    return -ENFILE;
  }
  PipeEnd* const write_end = NewEnd(*pipe, status_flags | O_WRONLY);
  if (write_end == nullptr) {
    Unreference(*read_end);
    return -ENFILE;
  }
  write_end->inode = read_end->inode;
  *reader = read_end;
  *writer = write_end;
  return 0;
}

File* ReopenPipe(File& file, uint32_t status_flags) {
  PipeEnd* const end = NewEnd(PipeOf(file), status_flags);
  if (end != nullptr) {
    end->inode = file.inode;
  }
  return end;
}

int64_t ResizePipe(Pipe& pipe, uint64_t size_bytes) {
  if (size_bytes > (1ULL << 31)) {
    return -EINVAL;
  }
  uint32_t size = kPipeBuf_bytes;
  while (size < size_bytes) {
    size *= 2;
  }
  if (size > kPipeMax_bytes && size > pipe.capacity_bytes) {
    return -EPERM;
  }
  if (size < pipe.size()) {
    return -EBUSY;
  }
  const bool was_full = pipe.space() < kPipeBuf_bytes;
  pipe.capacity_bytes = size;
  if (was_full && pipe.space() >= kPipeBuf_bytes) {
    WakeWriters(pipe);
  }
  return size;
}

int64_t HoldPipe(File& file, bool is_nonblocking, char** bytes) {
  if (!CanRead(file)) {
    return -EBADF;
  }
  Pipe& pipe = PipeOf(file);
  const int64_t state = AwaitBytes(file, pipe, is_nonblocking);
  if (state <= 0) {
    return state;
  }
  pipe.is_held = true;
  const uint32_t start = pipe.tail & (pipe.storage_bytes - 1);
  const uint32_t first = pipe.storage_bytes - start;
  *bytes = pipe.storage + start;
  return pipe.size() < first ? pipe.size() : first;
}

void ReleasePipe(File& file, uint32_t used_bytes) {
  Pipe& pipe = PipeOf(file);
  pipe.is_held = false;
  Consume(pipe, used_bytes);
  WakeWriters(pipe);  // the ring did not grow meanwhile
  if (pipe.size() != 0 || pipe.writers == 0) {
    WakeEnds(pipe, CanRead, kReadable, kEverybody);
  }
}

int64_t AwaitPipeSpace(File& file, bool is_nonblocking) {
  if (!CanWrite(file)) {
    return -EBADF;
  }
  Pipe& pipe = PipeOf(file);
  for (;;) {
    if (pipe.readers == 0) {
      return BrokenPipe();
    }
    if (const uint32_t room = MakeRoom(pipe, pipe.capacity_bytes); room != 0) {
      return room;
    }
    if (is_nonblocking) {
      return -EAGAIN;
    }
    if (const int64_t error = AwaitSpace(file, pipe); error != 0) {
      return error;
    }
  }
}

namespace {

int64_t Pipe2(Call& call, uint32_t flags) {
  constexpr uint32_t kKnown = O_CLOEXEC | O_NONBLOCK;
  if ((flags & ~kKnown) != 0) {
    return -EINVAL;
  }
  File* reader;
  File* writer;
  if (const int64_t error = MakePipe(flags & O_NONBLOCK, &reader, &writer); error != 0) {
    return error;
  }
  const bool is_close_on_exec = (flags & O_CLOEXEC) != 0;
  const int64_t read_fd = InstallFile(*reader, is_close_on_exec);
  if (read_fd < 0) {
    Unreference(*writer);
    return read_fd;
  }
  const int64_t write_fd = InstallFile(*writer, is_close_on_exec);
  if (write_fd < 0) {
    CloseDescriptor(static_cast<int32_t>(read_fd));
    return write_fd;
  }
  const int32_t numbers[2] = {static_cast<int32_t>(read_fd), static_cast<int32_t>(write_fd)};
  if (!CopyToGuest(call.arg(0), numbers, sizeof(numbers))) {
    CloseDescriptor(numbers[0]);
    CloseDescriptor(numbers[1]);
    return -EFAULT;
  }
  return 0;
}

}  // namespace

int64_t SysPipe(Call& call) { return Pipe2(call, 0); }

int64_t SysPipe2(Call& call) { return Pipe2(call, static_cast<uint32_t>(call.arg(1))); }

}  // namespace junction
