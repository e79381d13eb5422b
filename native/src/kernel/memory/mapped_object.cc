// SPDX-License-Identifier: Apache-2.0
#include "kernel/memory/mapped_object.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/process/uproc.h"
#include "uthread/arena.h"
#include "uthread/host_call.h"
#include "uthread/text_buffer.h"

namespace junction {
namespace {

constexpr uint64_t kDevZero = 0x105;  // makedev(1, 5)

constexpr size_t SizeOf(size_t name_size_bytes) { return sizeof(MappedObject) + name_size_bytes + 1; }

// The host's /proc makes inodes for each process that looks: 10 us for a name. So the names of files that were mapped lately are kept.
MappedObject*& SlotOf(const struct stat& status) {
  auto& slots = TheInstance().recent_objects;
  return slots[(status.st_dev * 31 + status.st_ino) % (sizeof(slots) / sizeof(slots[0]))];
}

// A reference, or null. A name is good as long as it leads to the file and is the only one: then the host would give it, too.
MappedObject* FindRecent(const struct stat& status) {
  if (status.st_nlink != 1) {
    return nullptr;
  }
  MappedObject* object = nullptr;
  {
    const KernelLockGuard guard;
    object = SlotOf(status);
    if (object == nullptr || object->device != status.st_dev || object->inode != status.st_ino) {
      return nullptr;
    }
    ++object->references;
  }
  struct stat named;
  if (HostCall(SYS_newfstatat, AT_FDCWD, object->name(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
      named.st_dev == status.st_dev && named.st_ino == status.st_ino) {
    return object;
  }
  const KernelLockGuard guard;
  UnreferenceObject(object);
  return nullptr;
}

// Kernel lock held.
void RememberRecent(const struct stat& status, MappedObject& object) {
  if (status.st_nlink == 1 && object.name_size_bytes > 0 && object.name()[0] == '/') {
    MappedObject*& slot = SlotOf(status);
    UnreferenceObject(slot);
    slot = &object;
    ++object.references;
  }
}

// The path of an open descriptor, in an arena block of PATH_MAX: too large for a kernel stack. 0 or -errno.
int64_t NewNamedObject(const struct stat& status, int fd, MappedObject** out) {
  char* path = nullptr;
  {
    const KernelLockGuard guard;
    path = static_cast<char*>(ArenaAllocate(PATH_MAX));
  }
  if (path == nullptr) {
    return -ENOMEM;
  }
  TextBuffer<32> link;
  link.Add("/proc/self/fd/").AddUnsigned(static_cast<uint64_t>(fd)).AddChar('\0');
  const int64_t size = HostCall(SYS_readlink, link.data(), path, PATH_MAX);
  const KernelLockGuard guard;
  *out = NewMappedObject(status.st_dev, status.st_ino, path, size < 0 ? 0 : static_cast<size_t>(size));
  ArenaFree(path, PATH_MAX);
  if (*out == nullptr) {
    return -ENOMEM;
  }
  RememberRecent(status, **out);
  return 0;
}

}  // namespace

MappedObject* NewMappedObject(uint64_t device, uint64_t inode, const char* name, size_t name_size_bytes) {
  auto* const object = static_cast<MappedObject*>(ArenaAllocate(SizeOf(name_size_bytes)));
  if (object == nullptr) {
    return nullptr;
  }
  object->references = 1;
  object->name_size_bytes = static_cast<uint32_t>(name_size_bytes);
  object->device = device;
  object->inode = inode;
  __builtin_memcpy(object->name(), name, name_size_bytes);  // the NUL is there already: arena memory is zeroed
  return object;
}

void UnreferenceObject(MappedObject* object) {
  if (object != nullptr && --object->references == 0) {
    ArenaFree(object, SizeOf(object->name_size_bytes));
  }
}

MappedObject* NewAnonymousObject() {
  constexpr char kName[] = "/dev/zero (deleted)";
  return NewMappedObject(kAnonymousObject, ++TheInstance().next_memory_id, kName, sizeof(kName) - 1);
}

int64_t ObjectOfFile(const struct stat& status, int fd, MappedObject** out) {
  *out = FindRecent(status);
  return *out != nullptr ? 0 : NewNamedObject(status, fd, out);
}

int64_t ObjectOfDescriptor(AddressSpace& space, int fd, bool is_shared, MappedObject** out) {
  struct stat status;
  if (const int64_t error = HostCall(SYS_fstat, fd, &status); error != 0) {
    return error;
  }
  if (is_shared && S_ISCHR(status.st_mode) && status.st_rdev == kDevZero) {
    const KernelLockGuard guard;  // each such mapping is memory of its own
    *out = NewAnonymousObject();
    return *out == nullptr ? -ENOMEM : 0;
  }
  if (MappedObject* const last = space.last_object;
      last != nullptr && last->device == status.st_dev && last->inode == status.st_ino) {
    const KernelLockGuard guard;
    ++last->references;
    *out = last;
    return 0;
  }
  if (const int64_t error = ObjectOfFile(status, fd, out); error != 0) {
    return error;
  }
  const KernelLockGuard guard;
  UnreferenceObject(space.last_object);
  space.last_object = *out;
  ++(*out)->references;
  return 0;
}

}  // namespace junction
