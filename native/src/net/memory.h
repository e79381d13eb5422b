// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

namespace junction::net {

/// Where a stack gets memory and randomness from: the arena inside an instance, the heap on the host. Function pointers, as the stack is
/// built without a C library.
struct Environment {
  /// `size_bytes` of memory with undefined contents, aligned to 16; null if there is none.
  void* (*allocate)(void* context, size_t size_bytes);
  void (*free)(void* context, void* memory, size_t size_bytes);
  /// Unpredictable 64 bits (a CSPRNG; a seeded generator in simulations).
  uint64_t (*random)(void* context);
  void* context = nullptr;
};

/// A new T with its initial values; null if there is no memory. Ends with Delete (no destructors run: plain data only).
template <typename T>
T* New(const Environment& environment) {
  void* const memory = environment.allocate(environment.context, sizeof(T));
  return memory == nullptr ? nullptr : new (memory) T();
}
template <typename T>
void Delete(const Environment& environment, T* object) {
  environment.free(environment.context, object, sizeof(T));
}

}  // namespace junction::net
