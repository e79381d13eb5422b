// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 8985, section 5 (what RACK keeps of each segment); RFC 6675, section 3 (the scoreboard and "pipe").
// What was sent and not acknowledged, in order of sequence numbers. One record stands for bytes that were sent at the same time and had the
// same fate since; SACK and retransmission split records.
#pragma once

#include <cstdint>

#include "net/tcp/object_pool.h"

namespace junction::net {

struct SentRecord {
  SentRecord* next;
  SentRecord* previous;
  uint64_t sent_ns;  // last transmission
  uint32_t seq;
  uint32_t end;
  bool is_sacked;
  bool is_lost;            // taken for lost, and not sent again since
  bool was_retransmitted;  // no round-trip sample (Karn)

  uint32_t size_bytes() const { return end - seq; }
};

struct SentRecords {
  SentRecord* head = nullptr;
  SentRecord* tail = nullptr;
  uint32_t sacked_bytes = 0;
  uint32_t lost_bytes = 0;
  uint32_t count = 0;

  bool empty() const { return head == nullptr; }
  /// [seq, end) leaves for the first time. False if memory is short: nothing is recorded, the segment must not leave.
  bool Append(ObjectPool& pool, uint32_t seq, uint32_t end, uint64_t now_ns);
  /// What was appended from `seq` on has not left after all.
  void TakeBack(ObjectPool& pool, uint32_t seq);
  /// Makes `record` end at `at` (inside it) and a new record of the rest behind it. False if memory is short.
  bool Split(ObjectPool& pool, SentRecord& record, uint32_t at);
  void Remove(ObjectPool& pool, SentRecord& record);
  void Clear(ObjectPool& pool);

  void MarkSacked(SentRecord& record);
  void MarkLost(SentRecord& record);
  void MarkRetransmitted(SentRecord& record, uint64_t now_ns);
  /// The receiver has dropped what it had reported (RFC 2018, section 8): nothing counts as sacked.
  void ForgetSacked();
  /// Joins `record` with its right neighbour if both are sacked: keeps the list short under heavy loss.
  void MergeSacked(ObjectPool& pool, SentRecord& record);
};

}  // namespace junction::net
