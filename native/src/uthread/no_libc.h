// SPDX-License-Identifier: Apache-2.0
// Forced into every file that runs inside a guest process: the compiler's own calls of memory functions go to versions of
// ours that use general registers only, since a guest expects its vector registers unchanged after a syscall.
#pragma once

#include <cstddef>

extern "C" {
void* memcpy(void* to, const void* from, std::size_t size) noexcept __asm__("junction_memcpy");
void* memmove(void* to, const void* from, std::size_t size) noexcept __asm__("junction_memmove");
void* memset(void* to, int value, std::size_t size) noexcept __asm__("junction_memset");
int memcmp(const void* a, const void* b, std::size_t size) noexcept __asm__("junction_memcmp");
std::size_t strlen(const char* text) noexcept __asm__("junction_strlen");  // gcc makes loops into calls of it
}
