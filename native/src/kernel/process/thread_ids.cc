// SPDX-License-Identifier: Apache-2.0
// Thread ids and who bears them: a hash table in the arena, since an instance may have ten thousand threads.
#include "kernel/process/process.h"

namespace junction {
namespace {

constexpr uint32_t kBuckets = 2048;
constexpr uint32_t kLastThreadId = 0x3fffffff;  // FUTEX_TID_MASK

GuestThread*& BucketOf(int32_t tid) { return TheInstance().threads_by_id[static_cast<uint32_t>(tid) % kBuckets]; }

}  // namespace

bool PrepareThreadIds(Instance& instance) {
  instance.threads_by_id = static_cast<GuestThread**>(ArenaAllocate(kBuckets * sizeof(GuestThread*)));
  instance.next_tid = kFirstThreadId;
  return instance.threads_by_id != nullptr;
}

int32_t NewThreadId() {
  Instance& instance = TheInstance();
  int32_t tid;
  do {
    tid = static_cast<int32_t>(instance.next_tid);
    instance.next_tid = instance.next_tid == kLastThreadId ? kFirstThreadId : instance.next_tid + 1;
  } while (FindThread(tid) != nullptr);
  return tid;
}

void LinkThreadId(GuestThread& thread) {
  GuestThread*& bucket = BucketOf(thread.tid);
  thread.next_by_id = bucket;
  bucket = &thread;
}

void UnlinkThreadId(GuestThread& thread) {
  for (GuestThread** at = &BucketOf(thread.tid); *at != nullptr; at = &(*at)->next_by_id) {
    if (*at == &thread) {
      *at = thread.next_by_id;
      return;
    }
  }
}

GuestThread* FindThread(int32_t tid) {
  for (GuestThread* thread = BucketOf(tid); thread != nullptr; thread = thread->next_by_id) {
    if (thread->tid == tid) {
      return thread;
    }
  }
  return nullptr;
}

GuestThread* NextThread(UProc& process, GuestThread* thread) {
  const List& threads = process.group.uthreads;
  ListNode* const node = thread == nullptr ? threads.first() : threads.Next(&thread->group_node);
  return node == nullptr ? nullptr : static_cast<GuestThread*>(JUNCTION_OWNER(node, Uthread, group_node));
}

}  // namespace junction
