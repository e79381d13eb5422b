// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>

#include "kernel/memory/vma.h"

namespace junction {

/// A new object with one reference; null if memory is short. Kernel lock held.
MappedObject* NewMappedObject(uint64_t device, uint64_t inode, const char* name, size_t name_size_bytes);

/// Gives a reference up (null: nothing). Kernel lock held.
void UnreferenceObject(MappedObject* object);

/// A reference to the object that mapping `fd` shows, named as the host names it. Memory lock held, kernel lock not. 0 or -errno.
int64_t ObjectOfDescriptor(AddressSpace& space, int fd, bool is_shared, MappedObject** out);

/// The same for a regular file whose status is known. (Without a name if the host gives none.)
int64_t ObjectOfFile(const struct stat& status, int fd, MappedObject** out);

/// A new shared anonymous object, named as Linux does. Kernel lock held; null if memory is short.
MappedObject* NewAnonymousObject();

}  // namespace junction
