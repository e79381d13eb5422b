// SPDX-License-Identifier: Apache-2.0
// Copies between descriptors: sendfile, splice, tee, copy_file_range. Between two files of the host the host copies; the rest goes
// through a piece of the arena, or straight out of a pipe's ring.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "kernel/door/guest_handlers.h"
#include "kernel/files/host_file.h"
#include "kernel/files/pipe.h"
#include "uthread/arena.h"

namespace junction {
namespace {

constexpr uint64_t kMaxTransfer_bytes = 0x7ffff000;
constexpr uint64_t kChunk_bytes = 65536;
constexpr uint32_t kSpliceNonblock = 2;  // SPLICE_F_NONBLOCK
constexpr uint32_t kSpliceFlags = 0xf;

class Chunk {
 public:
  Chunk() : bytes_(static_cast<char*>(ArenaAllocate(kChunk_bytes))) {}
  ~Chunk() {
    if (bytes_ != nullptr) {
      ArenaFree(bytes_, kChunk_bytes);
    }
  }
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;
  char* bytes() const { return bytes_; }

 private:
  char* const bytes_;
};

struct Side {
  File* file;
  int32_t fd;
  bool is_nonblocking;
};

uint64_t Smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

// The position that a call gives or, for null, the file's own.
struct Position {
  uint64_t address;  // of the guest's loff_t, 0 = none
  int64_t value;
};

int64_t LoadPosition(const Side& side, Position& position) {
  if (position.address == 0) {
    position.value = HostCall(SYS_lseek, side.fd, 0, SEEK_CUR);
    return position.value < 0 ? position.value : 0;
  }
  if (!CopyFromGuest(&position.value, position.address, sizeof(position.value))) {
    return -EFAULT;
  }
  return position.value < 0 ? -EINVAL : 0;
}

int64_t StorePosition(const Side& side, const Position& position) {
  if (position.address == 0) {
    HostCall(SYS_lseek, side.fd, position.value, SEEK_SET);
    return 0;
  }
  return CopyToGuest(position.address, &position.value, sizeof(position.value)) ? 0 : -EFAULT;
}

int64_t ReadSide(const Side& side, char* to, uint64_t size_bytes) {
  GuestBuffer buffer(reinterpret_cast<uint64_t>(to), size_bytes);
  if (!side.file->is_virtual()) {
    return ReadHostBuffer(*side.file, side.fd, buffer, side.is_nonblocking);
  }
  return side.file->ops->read == nullptr ? -EINVAL : side.file->ops->read(*side.file, buffer, side.is_nonblocking);
}

int64_t WriteSide(const Side& side, const char* from, uint64_t size_bytes) {
  GuestBuffer buffer(reinterpret_cast<uint64_t>(from), size_bytes);
  if (!side.file->is_virtual()) {
    return WriteHostBuffer(*side.file, side.fd, buffer, side.is_nonblocking);
  }
  return side.file->ops->write == nullptr ? -EINVAL : side.file->ops->write(*side.file, buffer, side.is_nonblocking);
}

int64_t HostTransfer(int number, int32_t fd, const char* bytes, uint64_t size_bytes, int64_t position) {
  const KernelUnlockGuard unlocked;
  return HostCall(number, fd, bytes, size_bytes, position);
}

int64_t SendFile(const Side& out, const Side& in, Position position, uint64_t count) {
  if (const int64_t error = LoadPosition(in, position); error != 0) {
    return error == -ESPIPE && position.address == 0 ? -EINVAL : error;
  }
  const Chunk chunk;
  if (chunk.bytes() == nullptr) {
    return -ENOMEM;
  }
  uint64_t total = 0;
  int64_t result = 0;
  while (total < count) {
    const uint64_t wanted = Smaller(count - total, kChunk_bytes);
    result = HostTransfer(SYS_pread64, in.fd, chunk.bytes(), wanted, position.value);
    if (result <= 0) {
      break;
    }
    const auto size = static_cast<uint64_t>(result);
    result = WriteSide(out, chunk.bytes(), size);
    if (result <= 0) {
      break;
    }
    total += static_cast<uint64_t>(result);
    position.value += result;
    if (static_cast<uint64_t>(result) != size) {
      break;
    }
  }
  if (total == 0) {
    return result;
  }
  const int64_t error = StorePosition(in, position);
  return error != 0 ? error : static_cast<int64_t>(total);
}

// Out of a pipe's ring into anything.
int64_t SpliceFrom(const Side& pipe, const Side& out, Position position, uint64_t count) {
  if (position.address != 0) {
    if (out.file->is_virtual()) {
      return -ESPIPE;
    }
    if (const int64_t error = LoadPosition(out, position); error != 0) {
      return error;
    }
  }
  uint64_t total = 0;
  int64_t result = 0;
  while (total < count) {
    char* bytes;
    result = HoldPipe(*pipe.file, pipe.is_nonblocking || total != 0, &bytes);
    if (result <= 0) {
      break;
    }
    const uint64_t size = Smaller(static_cast<uint64_t>(result), count - total);
    result = position.address != 0 ? HostTransfer(SYS_pwrite64, out.fd, bytes, size, position.value)
                                   : WriteSide(out, bytes, size);
    ReleasePipe(*pipe.file, result > 0 ? static_cast<uint32_t>(result) : 0);
    if (result <= 0) {
      break;
    }
    total += static_cast<uint64_t>(result);
    position.value += result;
    if (static_cast<uint64_t>(result) != size) {
      break;
    }
  }
  if (total == 0) {
    return result;
  }
  if (position.address != 0 && StorePosition(out, position) != 0) {
    return -EFAULT;
  }
  return static_cast<int64_t>(total);
}

// Into a pipe. What is read is at most what the pipe has room for, so it is written at once.
int64_t SpliceInto(const Side& pipe, const Side& in, Position position, uint64_t count) {
  if (position.address != 0) {
    if (in.file->is_virtual()) {
      return -ESPIPE;
    }
    if (const int64_t error = LoadPosition(in, position); error != 0) {
      return error;
    }
  }
  const int64_t room = AwaitPipeSpace(*pipe.file, pipe.is_nonblocking);
  if (room < 0) {
    return room;
  }
  const Chunk chunk;
  if (chunk.bytes() == nullptr) {
    return -ENOMEM;
  }
  const uint64_t wanted = Smaller(Smaller(count, static_cast<uint64_t>(room)), kChunk_bytes);
  const int64_t size = position.address != 0 ? HostTransfer(SYS_pread64, in.fd, chunk.bytes(), wanted, position.value)
                                             : ReadSide(in, chunk.bytes(), wanted);
  if (size <= 0) {
    return size;
  }
  // Blocks only if another writer filled the pipe meanwhile: the bytes are in hand.
  const int64_t written = WriteSide({pipe.file, pipe.fd, false}, chunk.bytes(), static_cast<uint64_t>(size));
  if (written > 0 && position.address != 0) {
    position.value += written;
    if (StorePosition(in, position) != 0) {
      return -EFAULT;
    }
  }
  return written;
}

}  // namespace

int64_t SysSendfile(Call& call) {
  const Side out{GetFile(call.int_arg(0)), call.int_arg(0), false};
  const Side in{GetFile(call.int_arg(1)), call.int_arg(1), false};
  if (out.file == nullptr || in.file == nullptr) {
    return -EBADF;
  }
  if (in.file->kind != FileKind::kHostFile) {
    return call.arg(2) != 0 ? -ESPIPE : -EINVAL;
  }
  if (out.file->kind == FileKind::kHostFile) {
    return call.ToHostUnlocked();
  }
  const FileReference kept_out(*out.file);
  const FileReference kept_in(*in.file);
  return SendFile({out.file, out.fd, out.file->is_nonblocking()}, in, {call.arg(2), 0},
                  Smaller(call.arg(3), kMaxTransfer_bytes));
}

int64_t SysSplice(Call& call) {
  const auto flags = static_cast<uint32_t>(call.arg(5));
  if (call.arg(4) == 0) {
    return 0;
  }
  if ((flags & ~kSpliceFlags) != 0) {
    return -EINVAL;
  }
  Side in{GetFile(call.int_arg(0)), call.int_arg(0), false};
  Side out{GetFile(call.int_arg(2)), call.int_arg(2), false};
  if (in.file == nullptr || out.file == nullptr) {
    return -EBADF;
  }
  const bool in_is_pipe = in.file->kind == FileKind::kPipe;
  const bool out_is_pipe = out.file->kind == FileKind::kPipe;
  if ((in_is_pipe && call.arg(1) != 0) || (out_is_pipe && call.arg(3) != 0)) {
    return -ESPIPE;
  }
  if ((!in_is_pipe && !out_is_pipe) || (in_is_pipe && out_is_pipe && &PipeOf(*in.file) == &PipeOf(*out.file))) {
    return -EINVAL;
  }
  const FileReference kept_in(*in.file);
  const FileReference kept_out(*out.file);
  const bool is_nonblocking = (flags & kSpliceNonblock) != 0;
  in.is_nonblocking = in.file->is_nonblocking() || (in_is_pipe && is_nonblocking);
  out.is_nonblocking = out.file->is_nonblocking() || (out_is_pipe && is_nonblocking);
  const uint64_t count = Smaller(call.arg(4), kMaxTransfer_bytes);
  return in_is_pipe ? SpliceFrom(in, out, {call.arg(3), 0}, count) : SpliceInto(out, in, {call.arg(1), 0}, count);
}

int64_t SysTee(Call& call) {
  const auto flags = static_cast<uint32_t>(call.arg(3));
  if ((flags & ~kSpliceFlags) != 0) {
    return -EINVAL;
  }
  if (call.arg(2) == 0) {
    return 0;
  }
  File* const in = GetFile(call.int_arg(0));
  File* const out = GetFile(call.int_arg(1));
  if (in == nullptr || out == nullptr) {
    return -EBADF;
  }
  if (in->kind != FileKind::kPipe || out->kind != FileKind::kPipe || &PipeOf(*in) == &PipeOf(*out)) {
    return -EINVAL;
  }
  const FileReference kept_in(*in);
  const FileReference kept_out(*out);
  const bool is_nonblocking = (flags & kSpliceNonblock) != 0;
  const int64_t room = AwaitPipeSpace(*out, is_nonblocking || out->is_nonblocking());
  if (room < 0) {
    return room;
  }
  char* bytes;
  const int64_t size = HoldPipe(*in, is_nonblocking || in->is_nonblocking(), &bytes);
  if (size <= 0) {
    return size;
  }
  const uint64_t count = Smaller(Smaller(static_cast<uint64_t>(size), static_cast<uint64_t>(room)), call.arg(2));
  const int64_t written = WriteSide({out, call.int_arg(1), true}, bytes, count);
  ReleasePipe(*in, 0);
  return written;
}

int64_t SysCopyFileRange(Call& call) {
  const File* const in = GetFile(call.int_arg(0));
  const File* const out = GetFile(call.int_arg(2));
  if (in == nullptr || out == nullptr) {
    return -EBADF;
  }
  return in->is_virtual() || out->is_virtual() ? -EINVAL : call.ToHostUnlocked();
}

}  // namespace junction
