// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 9293, section 3.10.7.4 (segments that begin beyond RCV.NXT may be held); RFC 2018, section 4 (which blocks to report).
#pragma once

#include <cstdint>

#include "net/tcp/byte_chain.h"
#include "net/tcp/object_pool.h"
#include "net/tcp/tcp_header.h"

namespace junction::net {

/// A run of bytes beyond a gap.
struct HeldRun {
  HeldRun* next;
  uint32_t seq;
  uint32_t end;
  uint32_t stamp;  // when it was last added to: the newest is reported first
  ByteChain bytes;
};

/// What came out of order: runs in order of sequence numbers, no two touch. Bounded by the blocks that they take, not by their bytes, so
/// that tiny segments cannot take much more memory than the buffer allows.
struct Reassembly {
  HeldRun* first = nullptr;
  uint32_t block_count = 0;
  uint32_t run_count = 0;
  uint32_t stamp = 0;

  bool empty() const { return first == nullptr; }
  uint32_t memory_bytes() const { return block_count * kBlock_bytes; }

  enum class AddResult : uint8_t {
    kHeld,
    kDuplicate,  // nothing of it was new
    kRefused,    // no memory, or over the limit
  };
  /// Holds [seq, seq + count) of `from` (private or shared memory; each byte is read once). Parts that are held already are not replaced.
  AddResult Add(BlockPool& pool, ObjectPool& runs, uint32_t seq, const uint8_t* from, uint32_t count,
                uint32_t limit_bytes);
  /// Moves what continues at `next` over to `to`; how many bytes. Runs wholly before `next` are dropped.
  uint32_t Take(BlockPool& pool, ObjectPool& runs, uint32_t next, ByteChain& to);
  /// Drops runs from the far end until at most `limit_bytes` of memory are taken.
  void Prune(BlockPool& pool, ObjectPool& runs, uint32_t limit_bytes);
  void Clear(BlockPool& pool, ObjectPool& runs);
  /// The newest blocks first; how many of at most `room`.
  uint32_t Report(SackBlock* out, uint32_t room) const;

 private:
  void RemoveRun(BlockPool& pool, ObjectPool& runs, HeldRun** link);
  bool AddPiece(BlockPool& pool, ObjectPool& runs, HeldRun** link, HeldRun* before, uint32_t seq, const uint8_t* from,
                uint32_t count);
};

}  // namespace junction::net
