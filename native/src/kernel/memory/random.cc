// SPDX-License-Identifier: Apache-2.0
#include "kernel/memory/random.h"

#include <sys/syscall.h>

#include <cerrno>

#include "kernel/memory/chacha.h"
#include "kernel/process/uproc.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

bool IsSeeded() {
  const uint64_t* const seed = TheInstance().random_key;
  return (seed[0] | seed[1] | seed[2] | seed[3]) != 0;
}

}  // namespace

int64_t ReseedRandom() {
  uint64_t seed[4];
  const int64_t size = HostCall(SYS_getrandom, seed, sizeof(seed), 0);
  if (size != sizeof(seed)) {
    return size < 0 ? size : -EIO;
  }
  __builtin_memcpy(TheInstance().random_key, seed, sizeof(seed));
  return 0;
}

int64_t RandomBytes(void* out, size_t size_bytes) {
  if (!IsSeeded()) {
    if (const int64_t error = ReseedRandom(); error != 0) {
      return error;
    }
  }
  ChaChaKey key;
  static_assert(sizeof(key) == sizeof(Instance::random_key));
  __builtin_memcpy(&key, TheInstance().random_key, sizeof(key));
  uint32_t block[16];
  ChaChaBlock(key, 0, block);
  __builtin_memcpy(TheInstance().random_key, block, sizeof(key));
  __builtin_memcpy(out, block + 8, size_bytes < 32 ? size_bytes : 32);
  return 0;
}

}  // namespace junction
