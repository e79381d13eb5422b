// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/unix_names.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstddef>

#include "kernel/door/call.h"
#include "uthread/clock.h"

namespace junction {
namespace {

constexpr uint32_t kPathOffset = offsetof(sockaddr_un, sun_path);
constexpr uint32_t kBuckets = 64;
constexpr uint32_t kAutobindNames = 1U << 20;  // five hex digits

struct NameTable {
  List buckets[kBuckets];
  uint32_t next_autobind;
};

// Made with the first name. Null if memory is short.
NameTable* Names() {
  Instance& instance = TheInstance();
  if (instance.unix_names == nullptr) {
    auto* const table = ArenaNew<NameTable>();
    if (table != nullptr) {
      table->next_autobind = static_cast<uint32_t>(MonotonicNow_ns() >> 10) % kAutobindNames;
    }
    instance.unix_names = table;
  }
  return static_cast<NameTable*>(instance.unix_names);
}

uint32_t HashBytes(const uint8_t* bytes, uint32_t size) {
  uint32_t hash = 2166136261U;  // FNV-1a
  for (uint32_t i = 0; i < size; ++i) {
    hash = (hash ^ bytes[i]) * 16777619U;
  }
  return hash;
}

uint32_t HashNode(uint64_t device, uint64_t inode) { return static_cast<uint32_t>(device * 31 + inode); }

bool AreEqual(const UnixName& name, const uint8_t* address, uint32_t size, int type) {
  return name.is_abstract() && name.type == type && name.size_bytes == size &&
         __builtin_memcmp(name.address, address, size) == 0;
}

UnixName* FindAbstract(NameTable& table, const uint8_t* address, uint32_t size, int type) {
  List& bucket = table.buckets[HashBytes(address, size) % kBuckets];
  for (ListNode* node = bucket.first(); node != nullptr; node = bucket.Next(node)) {
    UnixName* const name = JUNCTION_OWNER(node, UnixName, node);
    if (AreEqual(*name, address, size, type)) {
      return name;
    }
  }
  return nullptr;
}

UnixName* FindNode(NameTable& table, uint64_t device, uint64_t inode) {
  List& bucket = table.buckets[HashNode(device, inode) % kBuckets];
  for (ListNode* node = bucket.first(); node != nullptr; node = bucket.Next(node)) {
    UnixName* const name = JUNCTION_OWNER(node, UnixName, node);
    if (!name->is_abstract() && name->device == device && name->inode == inode) {
      return name;
    }
  }
  return nullptr;
}

UnixName* NewName(UnixSocket& socket, const uint8_t* address, uint32_t size) {
  auto* const name = ArenaNew<UnixName>();
  if (name != nullptr) {
    name->references = 1;
    name->type = socket.type;
    name->socket = &socket;
    name->size_bytes = size;
    __builtin_memcpy(name->address, address, size);
  }
  return name;
}

int64_t BindAbstract(UnixSocket& socket, const uint8_t* address, uint32_t size) {
  NameTable* const table = Names();
  if (table == nullptr) {
    return -ENOMEM;
  }
  if (FindAbstract(*table, address, size, socket.type) != nullptr) {
    return -EADDRINUSE;
  }
  UnixName* const name = NewName(socket, address, size);
  if (name == nullptr) {
    return -ENOMEM;
  }
  table->buckets[HashBytes(address, size) % kBuckets].PushBack(name->node);
  socket.name = name;
  return 0;
}

// The path of an address with a NUL behind it; its length.
uint32_t CopyPathOf(const AddressBytes& address, uint32_t size, char* path) {
  uint32_t length = 0;
  for (; length < size - kPathOffset && address[kPathOffset + length] != 0; ++length) {
    path[length] = static_cast<char>(address[kPathOffset + length]);
  }
  path[length] = '\0';
  return length;
}

// Makes the socket node; its place in `status`.
int64_t MakeNode(const char* path, struct stat& status) {
  const KernelUnlockGuard unlocked;
  if (const int64_t error = HostCall(SYS_mknodat, AT_FDCWD, path, S_IFSOCK | 0777, 0); error != 0) {
    return error == -EEXIST ? -EADDRINUSE : error;
  }
  return HostCall(SYS_newfstatat, AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW);
}

int64_t BindPath(UnixSocket& socket, const AddressBytes& address, uint32_t size) {
  char path[sizeof(sockaddr_un) + 1];
  const uint32_t length = CopyPathOf(address, size, path);
  struct stat status;
  if (const int64_t error = MakeNode(path, status); error != 0) {
    return error;
  }
  NameTable* const table = Names();
  AddressBytes full = {};
  __builtin_memcpy(full, address, kPathOffset);
  __builtin_memcpy(full + kPathOffset, path, length + 1);
  const bool is_bound_meanwhile = socket.name != nullptr;
  UnixName* const name =
      table == nullptr || is_bound_meanwhile ? nullptr : NewName(socket, full, kPathOffset + length + 1);
  if (name == nullptr) {
    const KernelUnlockGuard unlocked;
    HostCall(SYS_unlinkat, AT_FDCWD, path, 0);
    return is_bound_meanwhile ? -EINVAL : -ENOMEM;
  }
  name->device = status.st_dev;
  name->inode = status.st_ino;
  if (UnixName* const old = FindNode(*table, status.st_dev, status.st_ino); old != nullptr) {
    old->node.Unlink();  // its node was unlinked, and the file system uses the number again
  }
  table->buckets[HashNode(status.st_dev, status.st_ino) % kBuckets].PushBack(name->node);
  socket.name = name;
  return 0;
}

// Who listens at a path's node.
int64_t FindByPath(const AddressBytes& address, uint32_t size, UnixName*& out) {
  char path[sizeof(sockaddr_un) + 1];
  CopyPathOf(address, size, path);
  struct stat status;
  {
    const KernelUnlockGuard unlocked;
    if (const int64_t error = HostCall(SYS_newfstatat, AT_FDCWD, path, &status, 0); error != 0) {
      return error;
    }
    if (const int64_t error = HostCall(SYS_faccessat2, AT_FDCWD, path, W_OK, AT_EACCESS);
        error != 0 && error != -ENOSYS) {
      return error;
    }
  }
  NameTable* const table = Names();
  out = table != nullptr && S_ISSOCK(status.st_mode) ? FindNode(*table, status.st_dev, status.st_ino) : nullptr;
  return out == nullptr ? -ECONNREFUSED : 0;
}

}  // namespace

int64_t CheckUnixAddress(const AddressBytes& address, uint32_t size_bytes) {
  uint16_t family;
  __builtin_memcpy(&family, address, sizeof(family));
  const bool is_valid = size_bytes > kPathOffset && size_bytes <= sizeof(sockaddr_un) && family == AF_UNIX;
  return is_valid ? 0 : -EINVAL;
}

int64_t AutobindUnix(UnixSocket& socket) {
  NameTable* const table = Names();
  if (socket.name != nullptr) {
    return 0;
  }
  if (table == nullptr) {
    return -ENOMEM;
  }
  constexpr uint32_t kDigits = 5;
  uint8_t address[kPathOffset + 1 + kDigits] = {AF_UNIX};
  for (uint32_t tries = 0; tries < kAutobindNames; ++tries) {
    const uint32_t number = table->next_autobind++ % kAutobindNames;
    for (uint32_t i = 0; i < kDigits; ++i) {
      address[kPathOffset + 1 + i] = static_cast<uint8_t>("0123456789abcdef"[number >> (4 * (kDigits - 1 - i)) & 15]);
    }
    if (const int64_t result = BindAbstract(socket, address, sizeof(address)); result != -EADDRINUSE) {
      return result;
    }
  }
  return -ENOSPC;
}

int64_t BindUnix(UnixSocket& socket, const AddressBytes& address, uint32_t size_bytes) {
  uint16_t family = 0;
  if (size_bytes >= sizeof(family)) {
    __builtin_memcpy(&family, address, sizeof(family));
  }
  if (size_bytes == kPathOffset && family == AF_UNIX) {
    return socket.name != nullptr ? -EINVAL : AutobindUnix(socket);
  }
  if (const int64_t error = CheckUnixAddress(address, size_bytes); error != 0) {
    return error;
  }
  if (address[kPathOffset] != 0) {
    // Linux makes the node first, so that a second bind to a taken path answers EADDRINUSE; to a free one EINVAL.
    return socket.name != nullptr ? -EINVAL : BindPath(socket, address, size_bytes);
  }
  return socket.name != nullptr ? -EINVAL : BindAbstract(socket, address, size_bytes);
}

int64_t FindUnixSocket(const AddressBytes& address, uint32_t size_bytes, int type, UnixSocket*& out) {
  UnixName* name = nullptr;
  if (address[kPathOffset] != 0) {
    if (const int64_t error = FindByPath(address, size_bytes, name); error != 0) {
      return error;
    }
  } else {
    NameTable* const table = Names();
    name = table == nullptr ? nullptr : FindAbstract(*table, address, size_bytes, type);
  }
  if (name == nullptr || name->socket == nullptr) {
    return -ECONNREFUSED;
  }
  if (name->type != type) {
    return -EPROTOTYPE;
  }
  out = name->socket;
  return 0;
}

void UnreferenceUnixName(UnixName* name) {
  if (name != nullptr && --name->references == 0) {
    name->node.Unlink();
    ArenaDelete(name);
  }
}

void RetireUnixName(UnixSocket& socket) {
  UnixName* const name = socket.name;
  if (name != nullptr && name->socket == &socket) {
    name->socket = nullptr;
    name->node.Unlink();
  }
}

}  // namespace junction
