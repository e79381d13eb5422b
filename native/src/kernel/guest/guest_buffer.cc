// SPDX-License-Identifier: Apache-2.0
#include "kernel/guest/guest_buffer.h"

namespace junction {
namespace {

constexpr uint64_t kMaxTransfer_bytes = 0x7ffff000;  // MAX_RW_COUNT of Linux: what one call moves at most

}  // namespace

int64_t GuestBuffer::FromIovec(uint64_t array, uint64_t count, GuestBuffer& out) {
  if (count > kMaxIovecs) {
    return -EINVAL;
  }
  uint64_t total = 0;
  for (uint64_t i = 0; i < count; ++i) {
    GuestIovec piece;
    if (!CopyFromGuest(&piece, array + i * sizeof(piece), sizeof(piece))) {
      return -EFAULT;
    }
    if (piece.size_bytes > INT64_MAX) {
      return -EINVAL;
    }
    if (piece.size_bytes != 0 && IsKernelAddress(piece.base)) {
      return -EFAULT;
    }
    total += piece.size_bytes;
    if (total > kMaxTransfer_bytes) {
      total = kMaxTransfer_bytes;
    }
  }
  out = GuestBuffer(0, total);
  out.array_ = array;
  if (count == 0) {
    out.array_ = 0;
  }
  return 0;
}

GuestIovec GuestBuffer::Piece() {
  const uint64_t left = size();
  while (left != 0 && !has_faulted_) {
    GuestIovec piece = single_;
    if (array_ != 0 && !CopyFromGuest(&piece, array_ + index_ * sizeof(piece), sizeof(piece))) {
      break;
    }
    if (piece.size_bytes > offset_) {
      const uint64_t size = piece.size_bytes - offset_;
      return {piece.base + offset_, size < left ? size : left};
    }
    if (array_ == 0 || ++index_ >= kMaxIovecs) {
      break;  // the guest has changed its iovecs meanwhile
    }
    offset_ = 0;
  }
  has_faulted_ = has_faulted_ || left != 0;
  return {0, 0};
}

template <typename CopyPiece>
size_t GuestBuffer::Move(size_t size_bytes, CopyPiece copy_piece) {
  size_t moved = 0;
  while (moved < size_bytes) {
    const GuestIovec piece = Piece();
    if (piece.size_bytes == 0) {
      break;
    }
    const size_t wanted = size_bytes - moved;
    const size_t size = piece.size_bytes < wanted ? piece.size_bytes : wanted;
    const size_t copied = size - copy_piece(piece.base, moved, size);
    Advance(copied);
    moved += copied;
    if (copied != size) {
      has_faulted_ = true;
      break;
    }
  }
  return moved;
}

size_t GuestBuffer::CopyOutByPieces(const void* from, size_t size_bytes) {
  return Move(size_bytes, [from](uint64_t guest, size_t offset, size_t size) {
    return IsKernelMemory(guest, size)
               ? size
               : junction_copy(reinterpret_cast<void*>(guest), static_cast<const char*>(from) + offset, size);
  });
}

size_t GuestBuffer::CopyInByPieces(void* to, size_t size_bytes) {
  return Move(size_bytes, [to](uint64_t guest, size_t offset, size_t size) {
    return IsKernelMemory(guest, size)
               ? size
               : junction_copy(static_cast<char*>(to) + offset, reinterpret_cast<const void*>(guest), size);
  });
}

}  // namespace junction
