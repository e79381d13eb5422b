// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "net/device.h"

namespace junction::net {

class Stack;

/// "lo": frames that are committed wait in a circular area until Flush delivers them. Full = the sender waits, as with any device. The area
/// is made with the first frame and goes with Stack Trim.
struct Loopback {
  static constexpr uint32_t kSlots = 256;
  static constexpr uint32_t kData_bytes = 256 * 1024;

  struct Slot {
    uint32_t offset;
    uint32_t length_bytes;
    FrameMeta meta;
  };
  Device device;  // first: ops get it
  Stack* stack = nullptr;
  struct Area {
    Slot slots[kSlots];
    alignas(16) uint8_t data[kData_bytes];
  };
  Area* area = nullptr;
  uint32_t head = 0;
  uint32_t tail = 0;
  uint32_t write_at = 0;
};

/// Makes and adds the device with its addresses; false if memory is short.
bool StartLoopback(Stack& stack);
void StopLoopback(Stack& stack);
/// Delivers what waits, at most `limit` frames, and lets waiting sockets go on.
void DeliverLoopback(Stack& stack, uint32_t limit, uint64_t now_ns);
bool HasLoopbackFrames(const Stack& stack);
void TrimLoopback(Stack& stack);

}  // namespace junction::net
