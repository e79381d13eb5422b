// SPDX-License-Identifier: Apache-2.0
// The memory that a clone would share with its template: the arena, and the guest's shared mappings. Private memory is the host's affair
// (copy on write).
//
// Which mappings: all of an object of which some mapping is writable, or which is memory (shared anonymous, memfd). A file that the guest only
// reads stays the file. What the guest wrote to a file's mapping is in the clone's copy only from then on, as the file is the
// template's: /tmp/hsperfdata of Java, say.
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "kernel/clone/clone_steps.h"
#include "kernel/files/file.h"
#include "kernel/memory/vma.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

constexpr uint64_t kPage_bytes = 4096;
// So much is copied while the template stands still: about 30 ms.
constexpr uint64_t kMaxShared_bytes = 64ULL << 20;

int64_t MakeMemoryFile(const char* name, uint64_t size_bytes) {
  const int64_t fd = HostCall(SYS_memfd_create, name, MFD_CLOEXEC);
  if (fd < 0) {
    return fd;
  }
  const int64_t error = HostCall(SYS_ftruncate, fd, size_bytes);
  if (error != 0) {
    HostCall(SYS_close, fd);
    return error;
  }
  return fd;
}

// Copies memory to the same place of the file. A fault ends it: past the end of a mapped file.
int64_t WriteRange(int64_t fd, uint64_t address, uint64_t size_bytes, uint64_t offset) {
  for (uint64_t done = 0; done < size_bytes;) {
    const int64_t written = HostCall(SYS_pwrite64, fd, address + done, size_bytes - done, offset + done);
    if (written <= 0) {
      return written == -EFAULT ? 0 : written == 0 ? -EIO : written;
    }
    done += static_cast<uint64_t>(written);
  }
  return 0;
}

// Only what the template ever touched: its stacks are mostly holes.
int64_t CopyData(int64_t from_fd, uint64_t address, uint64_t end, int64_t to_fd) {
  for (uint64_t at = 0; at < end;) {
    const int64_t data = HostCall(SYS_lseek, from_fd, at, SEEK_DATA);
    if (data == -ENXIO || data >= static_cast<int64_t>(end)) {
      return 0;
    }
    const int64_t hole = data < 0 ? data : HostCall(SYS_lseek, from_fd, data, SEEK_HOLE);
    if (hole < 0) {
      return hole;
    }
    const auto low = static_cast<uint64_t>(data);
    const uint64_t high = static_cast<uint64_t>(hole) < end ? static_cast<uint64_t>(hole) : end;
    if (const int64_t error = WriteRange(to_fd, address + low, high - low, low); error != 0) {
      return error;
    }
    at = high;
  }
  return 0;
}

int32_t ArenaFd(const UProc& process) {
  for (const auto& slot : process.files->reserved) {
    if (slot.home == g_image.arena_fd && slot.now >= 0) {
      return slot.now;
    }
  }
  return -1;
}

uint64_t MemoryFileDevice(const UProc& process) {
  struct stat status;
  return HostCall(SYS_fstat, ArenaFd(process), &status) == 0 ? status.st_dev : 0;
}

bool IsShared(const Vma& vma) { return (vma.flags & kVmaShared) != 0 && vma.object != nullptr; }

bool IsOf(const Vma& vma, const void* object) { return IsShared(vma) && vma.object == object; }

template <typename Act>
int64_t ForEachShared(const AddressSpace& space, Act act) {
  for (Vma* vma = FindVmaFrom(space, 0); vma != nullptr; vma = FindVmaFrom(space, vma->end)) {
    if (IsShared(*vma)) {
      if (const int64_t result = act(*vma); result != 0) {
        return result;
      }
    }
  }
  return 0;
}

SharedMemoryCopies::Object* Find(SharedMemoryCopies& copies, const void* object) {
  for (uint32_t i = 0; i < copies.count; ++i) {
    if (copies.objects[i].object == object) {
      return &copies.objects[i];
    }
  }
  return nullptr;
}

// Which objects are to be copied, and which parts of them are mapped. -E2BIG if there are too many.
int64_t ListObjects(const UProc& process, SharedMemoryCopies& copies) {
  const AddressSpace& space = *process.memory;
  const uint64_t memory_device = MemoryFileDevice(process);
  copies.count = 0;
  const int64_t listed = ForEachShared(space, [&](const Vma& vma) -> int64_t {
    const bool is_memory = vma.object->device == kAnonymousObject || vma.object->device == memory_device;
    if ((!is_memory && (vma.flags & kVmaWrite) == 0) || Find(copies, vma.object) != nullptr) {
      return 0;
    }
    if (copies.count == SharedMemoryCopies::kMax) {
      return -E2BIG;
    }
    copies.objects[copies.count++] = {vma.object, ~0ULL, 0, -1};
    return 0;
  });
  if (listed != 0) {
    return listed;
  }
  return ForEachShared(space, [&](const Vma& vma) -> int64_t {
    if (auto* const copy = Find(copies, vma.object); copy != nullptr) {
      const uint64_t high = vma.offset + vma.size_bytes();
      copy->low = vma.offset < copy->low ? vma.offset : copy->low;
      copy->high = high > copy->high ? high : copy->high;
    }
    return 0;
  });
}

int Protection(const Vma& vma) { return static_cast<int>(vma.flags & kVmaProtection); }

int64_t CopyMapping(const Vma& vma, const SharedMemoryCopies::Object& copy) {
  if ((vma.flags & kVmaRead) == 0) {  // of this process only, and gone with the mapping
    HostCall(SYS_mprotect, vma.start, vma.size_bytes(), PROT_READ);
  }
  return WriteRange(copy.fd, vma.start, vma.size_bytes(), vma.offset - copy.low);
}

}  // namespace

CloneRefusal CheckSharedMemory(const UProc& process) {
  SharedMemoryCopies copies;
  if (ListObjects(process, copies) != 0) {
    return CloneRefusal::kTooMuchSharedMemory;
  }
  uint64_t size_bytes = 0;
  for (uint32_t i = 0; i < copies.count; ++i) {
    size_bytes += copies.objects[i].high - copies.objects[i].low;
  }
  const int64_t system_v = ForEachShared(*process.memory, [](const Vma& vma) -> int64_t {
    return vma.object->device == kSystemVObject ? -EBUSY : 0;  // the segment itself has no second
  });
  if (system_v != 0) {
    return CloneRefusal::kSystemVMemory;
  }
  return size_bytes > kMaxShared_bytes ? CloneRefusal::kTooMuchSharedMemory : CloneRefusal::kNone;
}

int64_t CopyArena() {
  const UProc& process = *TheInstance().init;
  const int64_t fd = MakeMemoryFile("junction-arena", kArenaSize_bytes);
  if (fd < 0) {
    return fd;
  }
  const uint64_t end = (Arena().used_bytes + kPage_bytes - 1) & ~(kPage_bytes - 1);
  const int64_t error = CopyData(ArenaFd(process), kArenaLow, end, fd);
  return error != 0 ? error : fd;
}

int64_t CopySharedMemory(const UProc& process, SharedMemoryCopies& copies) {
  if (const int64_t error = ListObjects(process, copies); error != 0) {
    return error;
  }
  for (uint32_t i = 0; i < copies.count; ++i) {
    auto& copy = copies.objects[i];
    const int64_t fd = MakeMemoryFile("junction-shared", copy.high - copy.low);
    if (fd < 0) {
      return fd;
    }
    copy.fd = static_cast<int32_t>(fd);
    const int64_t error = ForEachShared(*process.memory, [&](const Vma& vma) -> int64_t {
      return IsOf(vma, copy.object) ? CopyMapping(vma, copy) : 0;
    });
    if (error != 0) {
      return error;
    }
  }
  return 0;
}

int64_t MapSharedMemory(const UProc& process, const SharedMemoryCopies& copies) {
  for (uint32_t i = 0; i < copies.count; ++i) {
    const auto& copy = copies.objects[i];
    const int64_t error = ForEachShared(*process.memory, [&](const Vma& vma) -> int64_t {
      if (!IsOf(vma, copy.object)) {
        return 0;
      }
      const int64_t mapped = HostCall(SYS_mmap, vma.start, vma.size_bytes(), Protection(vma), MAP_SHARED | MAP_FIXED,
                                      copy.fd, vma.offset - copy.low);
      return IsHostError(mapped) ? mapped : 0;
    });
    HostCall(SYS_close, copy.fd);
    if (error != 0) {
      return error;
    }
  }
  return 0;
}

}  // namespace junction
