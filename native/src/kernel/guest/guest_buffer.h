// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "kernel/guest/guest_memory.h"

namespace junction {

/// struct iovec of readv(2).
struct GuestIovec {
  uint64_t base;
  uint64_t size_bytes;
};
inline constexpr size_t kMaxIovecs = 1024;  // UIO_MAXIOV

/// Guest memory to copy from or to, piece by piece: one range or an iovec array (read from the guest as it is used, checked once
/// before: a guest that changes it meanwhile harms itself only).
class GuestBuffer {
 public:
  GuestBuffer(uint64_t address, uint64_t size_bytes) : single_{address, size_bytes}, total_(size_bytes) {}

  /// Checks an iovec array of the guest: 0 or -EFAULT, -EINVAL (too many, sum over SSIZE_MAX).
  static int64_t FromIovec(uint64_t array, uint64_t count, GuestBuffer& out);

  /// Bytes that are left.
  uint64_t size() const { return total_ - done_; }
  /// Bytes moved so far.
  uint64_t done() const { return done_; }

  /// Copies up to `size_bytes` to the guest and moves on; how many were copied, fewer at the end or at a bad address.
  size_t CopyOut(const void* from, size_t size_bytes) {
    if (!IsWithin(size_bytes) || junction_copy(Next(), from, size_bytes) != 0) [[unlikely]] {
      return CopyOutByPieces(from, size_bytes);
    }
    Advance(size_bytes);
    return size_bytes;
  }
  /// Copies up to `size_bytes` from the guest and moves on.
  size_t CopyIn(void* to, size_t size_bytes) {
    if (!IsWithin(size_bytes) || junction_copy(to, Next(), size_bytes) != 0) [[unlikely]] {
      return CopyInByPieces(to, size_bytes);
    }
    Advance(size_bytes);
    return size_bytes;
  }
  /// The piece that is next, for a host call on guest memory; size 0 at the end or at a bad address of an iovec.
  GuestIovec Piece();
  /// Counts `size_bytes` of that piece as moved.
  void Advance(uint64_t size_bytes) {
    offset_ += size_bytes;
    done_ += size_bytes;
  }
  /// True once a copy met a bad address.
  bool has_faulted() const { return has_faulted_; }

 private:
  // The hot case, for code in line: one range, and all of it.
  bool IsWithin(size_t size_bytes) const { return array_ == 0 && size_bytes <= total_ - done_; }
  void* Next() const { return reinterpret_cast<void*>(single_.base + offset_); }

  size_t CopyOutByPieces(const void* from, size_t size_bytes);
  size_t CopyInByPieces(void* to, size_t size_bytes);
  template <typename CopyPiece>
  size_t Move(size_t size_bytes, CopyPiece copy_piece);

  GuestIovec single_{};
  uint64_t array_ = 0;  // guest address of the iovecs; 0 = single_
  uint64_t index_ = 0;
  uint64_t offset_ = 0;  // in the present piece
  uint64_t total_ = 0;
  uint64_t done_ = 0;
  bool has_faulted_ = false;
};

}  // namespace junction
