// SPDX-License-Identifier: Apache-2.0
// Hot path: Append, Remove.
#include "net/tcp/sent_records.h"

namespace junction::net {

bool SentRecords::Append(ObjectPool& pool, uint32_t seq, uint32_t end, uint64_t now_ns) {
  if (tail != nullptr && tail->sent_ns == now_ns && tail->end == seq && !tail->is_sacked && !tail->is_lost &&
      !tail->was_retransmitted) {
    tail->end = end;
    return true;
  }
  auto* const record = static_cast<SentRecord*>(pool.Allocate());
  if (record == nullptr) {
    return false;
  }
  *record = SentRecord{.next = nullptr,
                       .previous = tail,
                       .sent_ns = now_ns,
                       .seq = seq,
                       .end = end,
                       .is_sacked = false,
                       .is_lost = false,
                       .was_retransmitted = false};
  (tail == nullptr ? head : tail->next) = record;
  tail = record;
  ++count;
  return true;
}

void SentRecords::TakeBack(ObjectPool& pool, uint32_t seq) {
  if (tail->seq == seq) {
    Remove(pool, *tail);
  } else {
    tail->end = seq;
  }
}

bool SentRecords::Split(ObjectPool& pool, SentRecord& record, uint32_t at) {
  auto* const rest = static_cast<SentRecord*>(pool.Allocate());
  if (rest == nullptr) {
    return false;
  }
  *rest = record;
  rest->seq = at;
  rest->previous = &record;
  record.end = at;
  record.next = rest;
  (rest->next == nullptr ? tail : rest->next->previous) = rest;
  ++count;
  return true;
}

void SentRecords::Remove(ObjectPool& pool, SentRecord& record) {
  const uint32_t size = record.size_bytes();
  sacked_bytes -= record.is_sacked ? size : 0;
  lost_bytes -= record.is_lost ? size : 0;
  (record.previous == nullptr ? head : record.previous->next) = record.next;
  (record.next == nullptr ? tail : record.next->previous) = record.previous;
  --count;
  pool.Free(&record);
}

void SentRecords::Clear(ObjectPool& pool) {
  while (head != nullptr) {
    Remove(pool, *head);
  }
}

void SentRecords::MarkSacked(SentRecord& record) {
  const uint32_t size = record.size_bytes();
  lost_bytes -= record.is_lost ? size : 0;
  record.is_lost = false;
  record.is_sacked = true;
  sacked_bytes += size;
}

void SentRecords::MarkLost(SentRecord& record) {
  lost_bytes += record.is_lost ? 0 : record.size_bytes();
  record.is_lost = true;
}

void SentRecords::MarkRetransmitted(SentRecord& record, uint64_t now_ns) {
  lost_bytes -= record.is_lost ? record.size_bytes() : 0;
  record.is_lost = false;
  record.was_retransmitted = true;
  record.sent_ns = now_ns;
}

void SentRecords::ForgetSacked() {
  for (SentRecord* record = head; record != nullptr; record = record->next) {
    record->is_sacked = false;
  }
  sacked_bytes = 0;
}

void SentRecords::MergeSacked(ObjectPool& pool, SentRecord& record) {
  SentRecord* const right = record.next;
  if (!record.is_sacked || right == nullptr || !right->is_sacked) {
    return;
  }
  record.end = right->end;
  record.sent_ns = right->sent_ns > record.sent_ns ? right->sent_ns : record.sent_ns;
  record.was_retransmitted |= right->was_retransmitted;
  right->seq = right->end;  // empty: takes no bytes out of the sums
  Remove(pool, *right);
}

}  // namespace junction::net
