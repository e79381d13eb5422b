// SPDX-License-Identifier: Apache-2.0
// Hot path: no allocation after the first frame.
#include "net/loopback.h"

#include <cstring>

#include "net/stack_state.h"

namespace junction::net {
namespace {

constexpr uint32_t kAlignment = 16;

Loopback& LoopbackOf(Device& device) { return reinterpret_cast<Loopback&>(device); }

// Offset with room for `length_bytes`, or ~0U. Frames lie between the oldest's offset and write_at, in a circle. The two are never equal
// while there are frames.
uint32_t FindRoom(const Loopback& lo, uint32_t length_bytes) {
  if (lo.head == lo.tail) {
    return 0;
  }
  if (lo.tail - lo.head == Loopback::kSlots) {
    return ~0U;
  }
  const uint32_t oldest = lo.area->slots[lo.head % Loopback::kSlots].offset;
  if (lo.write_at > oldest) {
    if (Loopback::kData_bytes - lo.write_at >= length_bytes) {
      return lo.write_at;
    }
    return oldest > length_bytes ? 0 : ~0U;
  }
  return oldest - lo.write_at > length_bytes ? lo.write_at : ~0U;
}

uint8_t* Reserve(Device& device, uint32_t length_bytes) {
  Loopback& lo = LoopbackOf(device);
  if (lo.area == nullptr) {
    const Environment& environment = lo.stack->environment;
    lo.area = static_cast<Loopback::Area*>(
        environment.allocate(environment.context, sizeof(Loopback::Area)));  // its contents don't matter
    if (lo.area == nullptr) {
      return nullptr;
    }
  }
  // Aligned length: the next frame's place is what Commit moves write_at to.
  const uint32_t offset = FindRoom(lo, (length_bytes + kAlignment - 1) / kAlignment * kAlignment);
  if (offset == ~0U) {
    return nullptr;
  }
  lo.write_at = offset;
  return lo.area->data + offset;
}

void Commit(Device& device, uint32_t length_bytes, const FrameMeta& meta) {
  Loopback& lo = LoopbackOf(device);
  lo.area->slots[lo.tail % Loopback::kSlots] = {lo.write_at, length_bytes, meta};
  ++lo.tail;
  lo.write_at += (length_bytes + kAlignment - 1) / kAlignment * kAlignment;
}

void NoFlush(Device&) {}  // Flush of the stack delivers

constexpr DeviceOps kLoopbackOps = {Reserve, Commit, NoFlush};

}  // namespace

bool StartLoopback(Stack& stack) {
  auto* const lo = New<Loopback>(stack);
  if (lo == nullptr) {
    return false;
  }
  lo->stack = &stack;
  lo->device.ops = &kLoopbackOps;
  lo->device.mtu_bytes = 65535;
  lo->device.is_loopback = true;
  lo->device.has_blank_checksums = true;
  lo->device.trusts_checksums = true;
  std::memcpy(lo->device.name, "lo", 3);
  stack.loopback = lo;
  IpAddress v6_loopback;
  v6_loopback.bytes[15] = 1;
  return AddDevice(stack, lo->device) == 0 &&
         AddAddress(stack, {lo->device.index, IpAddress::V4(127, 0, 0, 1), 8}) == 0 &&
         AddAddress(stack, {lo->device.index, v6_loopback, 128}) == 0;
}

void StopLoopback(Stack& stack) {
  if (stack.loopback == nullptr) {
    return;
  }
  stack.loopback->head = stack.loopback->tail;
  TrimLoopback(stack);
  Delete(stack, stack.loopback);
  stack.loopback = nullptr;
}

void DeliverLoopback(Stack& stack, uint32_t limit, uint64_t now_ns) {
  Loopback& lo = *stack.loopback;
  for (; lo.head != lo.tail && limit != 0; --limit) {
    const Loopback::Slot& slot = lo.area->slots[lo.head % Loopback::kSlots];
    FrameView frame;
    frame.data = lo.area->data + slot.offset;
    frame.length_bytes = slot.length_bytes;
    frame.meta = slot.meta;
    Input(stack, lo.device, frame, now_ns);
    ++lo.head;  // only now: answers must not overwrite the frame
  }
  if (!lo.device.waiting.empty()) {
    DeviceHasRoom(stack, lo.device, now_ns);
  }
}

bool HasLoopbackFrames(const Stack& stack) {
  return stack.loopback != nullptr && stack.loopback->head != stack.loopback->tail;
}

void TrimLoopback(Stack& stack) {
  Loopback* const lo = stack.loopback;
  if (lo != nullptr && lo->area != nullptr && lo->head == lo->tail) {
    Delete(stack, lo->area);
    lo->area = nullptr;
  }
}

}  // namespace junction::net
