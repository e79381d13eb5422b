// SPDX-License-Identifier: Apache-2.0
// Random bytes from ChaCha20 with fast key erasure: each request makes one block, half of which replaces the
// key, so that nothing given out can be computed again from what is in memory. The key lies in the arena and is used by all uProcs
// in turn, so a forked child never sees its parent's bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace junction {

/// Fills at most 32 bytes. Kernel lock held. 0 or -errno (the host could not seed it).
int64_t RandomBytes(void* out, size_t size_bytes);

/// Takes a new key from the host: for the copy of an instance, which must not go on as its template would. Kernel lock held. 0 or -errno.
int64_t ReseedRandom();

}  // namespace junction
