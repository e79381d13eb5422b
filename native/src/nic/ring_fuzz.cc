// SPDX-License-Identifier: Apache-2.0
// Fuzz target of both ends of a ring: the input is a script of what the hostile other side writes to the memory and of what our side does between.
// Whatever is written, our side stays inside of the ring (which lies in memory of exactly its size: AddressSanitizer sees more), and what it
// hands out is in range. Each step is a byte, its operands follow; a script that ends early is padded with zeros.
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "nic/frame_ring.h"
#include "nic/test_ring.h"

namespace {

using junction::kMaxFrame_bytes;
using junction::kMinFrame_bytes;
using junction::kRingData_bytes;
using junction::kRingHead_bytes;
using junction::kRingSlots;

class Script {
 public:
  Script(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool is_at_end() const { return at_ >= size_; }
  uint8_t Byte() { return at_ < size_ ? data_[at_++] : 0; }
  uint32_t Word() {
    uint32_t word = 0;
    for (int i = 0; i < 4; ++i) {
      word = word << 8 | Byte();
    }
    return word;
  }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
};

class Attack {
 public:
  explicit Attack(Script script) : script_(script) {
    consumer_.Attach(in_.ring(), false);
    producer_.Attach(out_.ring());
  }

  void Run() {
    for (int steps = 0; steps < 4096 && !script_.is_at_end(); ++steps) {
      const uint8_t step = script_.Byte();
      step % 2 == 0 ? Harm(step / 2) : Work(step / 2);
    }
    Drain();
  }

 private:
  static constexpr uint32_t kMostFrames = 2 * kRingSlots;

  void Harm(uint8_t how) {
    switch (how % 8) {
      case 0:
        in_.ring().tail.store(script_.Word());
        break;
      case 1:
        in_.ring().tail.fetch_add(script_.Byte());
        break;
      case 2:
        out_.ring().head.store(script_.Word());
        break;
      case 3:
        out_.ring().head.fetch_add(script_.Byte());
        break;
      case 4: {
        junction::FrameDescriptor& slot = in_.ring().slots[script_.Byte() % kRingSlots];
        slot.offset = script_.Word();
        slot.length_bytes = script_.Word();
        slot.flags = script_.Byte();
        break;
      }
      case 5: {  // a right one, so that there is something to take
        junction::FrameDescriptor& slot = in_.ring().slots[in_.ring().tail.load() % kRingSlots];
        slot.offset = script_.Word() % (kRingData_bytes - kMinFrame_bytes + 1);
        const uint32_t most = kRingData_bytes - slot.offset;
        slot.length_bytes = kMinFrame_bytes + script_.Word() % (kMaxFrame_bytes - kMinFrame_bytes + 1);
        slot.length_bytes = slot.length_bytes > most ? most : slot.length_bytes;
        in_.ring().tail.fetch_add(1);
        break;
      }
      case 6:  // anything anywhere, in both directions
        reinterpret_cast<uint8_t*>(&in_.ring())[script_.Word() % kRingHead_bytes] = script_.Byte();
        reinterpret_cast<uint8_t*>(&out_.ring())[script_.Word() % kRingHead_bytes] = script_.Byte();
        break;
      default:
        in_.ring().head.store(script_.Word());
        out_.ring().tail.store(script_.Word());
        break;
    }
  }

  void Work(uint8_t what) {
    switch (what % 6) {
      case 0:
        Take();
        break;
      case 1:
        consumer_.Release();
        break;
      case 2: {
        const uint32_t length_bytes = script_.Word() % (kMaxFrame_bytes + 2);
        uint8_t* const at = producer_.Reserve(length_bytes);
        if (at != nullptr) {
          Fill(at, length_bytes);
          producer_.Commit(length_bytes, {});
        }
        break;
      }
      case 3:
        producer_.Publish();
        break;
      case 4:
        consumer_.Attach(in_.ring(), script_.Byte() % 2 != 0);
        break;
      default:
        producer_.Attach(out_.ring());
        break;
    }
  }

  void Fill(uint8_t* at, uint32_t length_bytes) {
    JUNCTION_CHECK(length_bytes >= kMinFrame_bytes && length_bytes <= kMaxFrame_bytes);
    JUNCTION_CHECK(at >= out_.data() && at + length_bytes <= out_.data() + kRingData_bytes);
    std::memset(at, 0xaa, length_bytes);
  }

  bool Take() {
    junction::FrameView view;
    if (!consumer_.Peek(view)) {
      return false;
    }
    JUNCTION_CHECK(!consumer_.is_broken());
    JUNCTION_CHECK(view.length_bytes >= kMinFrame_bytes && view.length_bytes <= kMaxFrame_bytes);
    JUNCTION_CHECK(view.data >= in_.data() && view.data + view.length_bytes <= in_.data() + kRingData_bytes);
    for (const uint32_t i : {0U, view.length_bytes / 2, view.length_bytes - 1}) {
      sum_ = sum_ + view.data[i];
    }
    consumer_.Pop();
    return true;
  }

  // What is in a ring is bounded, and a broken one has nothing, so that no owner works or stays awake for ever.
  void Drain() {
    uint32_t count = 0;
    while (Take()) {
      JUNCTION_CHECK(++count <= kMostFrames);
    }
    consumer_.Release();
    JUNCTION_CHECK(!consumer_.HasFrames());
  }

  Script script_;
  junction::TestRing in_;   // the other side produces
  junction::TestRing out_;  // the other side consumes
  junction::RingConsumer consumer_;
  junction::RingProducer producer_;
  volatile uint32_t sum_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Attack attack(Script(data, size));
  attack.Run();
  return 0;
}
