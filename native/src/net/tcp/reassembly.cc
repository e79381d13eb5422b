// SPDX-License-Identifier: Apache-2.0
#include "net/tcp/reassembly.h"

#include "net/tcp/sequence.h"

namespace junction::net {
namespace {

/// Runs are walked for every segment: a peer that leaves gap after gap must not make that long.
constexpr uint32_t kRunsMax = 512;

}  // namespace

void Reassembly::RemoveRun(BlockPool& pool, ObjectPool& runs, HeldRun** link) {
  HeldRun* const run = *link;
  *link = run->next;
  block_count -= run->bytes.block_count;
  --run_count;
  run->bytes.Clear(pool);
  runs.Free(run);
}

// Adds bytes that touch nothing that is held but perhaps the end of `before`, whose `next` is `*link`.
bool Reassembly::AddPiece(BlockPool& pool, ObjectPool& runs, HeldRun** link, HeldRun* before, uint32_t seq,
                          const uint8_t* from, uint32_t count) {
  HeldRun* run = before;
  if (run == nullptr || run->end != seq) {
    run = run_count >= kRunsMax ? nullptr : static_cast<HeldRun*>(runs.Allocate());
    if (run == nullptr) {
      return false;
    }
    *run = HeldRun{.next = *link, .seq = seq, .end = seq, .stamp = 0, .bytes = {}};
    *link = run;
    ++run_count;
  }
  const uint32_t blocks_before = run->bytes.block_count;
  const uint32_t done = run->bytes.Append(pool, from, count);
  block_count += run->bytes.block_count - blocks_before;
  run->end += done;
  run->stamp = ++stamp;
  if (run->seq == run->end) {  // not a byte of it found a block
    RemoveRun(pool, runs, link);
  }
  return done == count;
}

Reassembly::AddResult Reassembly::Add(BlockPool& pool, ObjectPool& runs, uint32_t seq, const uint8_t* from,
                                      uint32_t count, uint32_t limit_bytes) {
  if (memory_bytes() >= limit_bytes) {
    return AddResult::kRefused;
  }
  bool is_new = false;
  HeldRun* before = nullptr;
  HeldRun** link = &first;
  // The list is bounded (kRunsMax); each turn passes a run or adds the piece before one.
  while (count != 0) {
    HeldRun* const run = *link;
    if (run != nullptr && SeqAtMost(run->end, seq)) {
      before = run;
      link = &run->next;
      continue;
    }
    uint32_t piece = count;
    if (run != nullptr && SeqAtMost(run->seq, seq)) {  // begins inside of `run`: that part is held
      piece = run->end - seq < count ? run->end - seq : count;
      run->stamp = ++stamp;
    } else {
      piece = run != nullptr && run->seq - seq < count ? run->seq - seq : count;
      if (!AddPiece(pool, runs, link, before, seq, from, piece)) {
        return is_new ? AddResult::kHeld : AddResult::kRefused;
      }
      is_new = true;
      HeldRun* const added = before != nullptr && before->end == seq + piece ? before : *link;
      if (added != before) {
        link = &added->next;
        before = added;
      }
      if (run != nullptr && run->seq == added->end) {  // the gap between them is closed
        block_count -= added->bytes.block_count + run->bytes.block_count;
        added->bytes.Join(pool, run->bytes);
        block_count += added->bytes.block_count;
        added->end = run->end;
        added->next = run->next;
        --run_count;
        runs.Free(run);
        link = &added->next;
        // What of the segment lies in the joined run is held: pass over it.
        const uint32_t skip = added->end - seq < count ? added->end - seq : count;
        piece = skip;
      }
    }
    seq += piece;
    from += piece;
    count -= piece;
  }
  return is_new ? AddResult::kHeld : AddResult::kDuplicate;
}

uint32_t Reassembly::Take(BlockPool& pool, ObjectPool& runs, uint32_t next, ByteChain& to) {
  uint32_t taken = 0;
  while (first != nullptr && SeqAtMost(first->seq, next)) {
    HeldRun* const run = first;
    if (SeqAtMost(run->end, next)) {
      RemoveRun(pool, runs, &first);
      continue;
    }
    block_count -= run->bytes.block_count;
    run->bytes.DropFront(pool, next - run->seq);
    taken += run->bytes.size_bytes;
    next = run->end;
    to.Join(pool, run->bytes);
    first = run->next;
    --run_count;
    runs.Free(run);
  }
  return taken;
}

void Reassembly::Prune(BlockPool& pool, ObjectPool& runs, uint32_t limit_bytes) {
  while (first != nullptr && memory_bytes() > limit_bytes) {
    HeldRun** last = &first;
    while ((*last)->next != nullptr) {
      last = &(*last)->next;
    }
    RemoveRun(pool, runs, last);
  }
}

void Reassembly::Clear(BlockPool& pool, ObjectPool& runs) {
  while (first != nullptr) {
    RemoveRun(pool, runs, &first);
  }
}

uint32_t Reassembly::Report(SackBlock* out, uint32_t room) const {
  uint32_t count = 0;
  uint32_t reported_age = 0;  // stamps differ, so ages do
  while (count < room) {
    const HeldRun* newest = nullptr;
    for (const HeldRun* run = first; run != nullptr; run = run->next) {
      const uint32_t age = stamp - run->stamp;
      if ((count == 0 || age > reported_age) && (newest == nullptr || age < stamp - newest->stamp)) {
        newest = run;
      }
    }
    if (newest == nullptr) {
      break;
    }
    out[count++] = {.begin = newest->seq, .end = newest->end};
    reported_age = stamp - newest->stamp;
  }
  return count;
}

}  // namespace junction::net
