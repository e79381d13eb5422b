// SPDX-License-Identifier: Apache-2.0
// Most threads use little of the vector registers, so only components in use are copied: the rest of a frame's image is whatever lay
// there, its bit in XSTATE_BV says that it does not count.
#include "kernel/signals/signal_vector_state.h"

#include <cpuid.h>

#include <cstddef>

#include "kernel/guest/guest_memory.h"
#include "uthread/vector_state.h"

namespace junction {
namespace {

constexpr uint32_t kMagic1 = 0x46505853;  // FP_XSTATE_MAGIC1
constexpr uint32_t kMagic2 = 0x46505845;  // FP_XSTATE_MAGIC2
constexpr uint32_t kInitialMxcsr = 0x1f80;
constexpr uint16_t kInitialControlWord = 0x37f;
constexpr uint32_t kMxcsrMask = 0xffff;  // of every processor with AVX
constexpr uint64_t kX87 = 1, kSse = 2;
constexpr uint64_t kLegacyAndHeader_bytes = 576;

/// struct _fpx_sw_bytes, in bytes that the machine leaves alone.
struct SoftwareBytes {
  uint32_t magic1;
  uint32_t extended_size_bytes;
  uint64_t components;
  uint32_t image_size_bytes;
  uint32_t padding[7];
};
static_assert(sizeof(SoftwareBytes) == 48);

struct VectorImage {
  uint16_t control_word, status_word;
  uint8_t tags[20];
  uint32_t mxcsr, mxcsr_mask;
  uint8_t x87_registers[128];
  uint8_t sse_registers[256];
  uint8_t unused[48];
  SoftwareBytes software;
  uint64_t components;  // XSTATE_BV
  uint64_t compaction;  // XCOMP_BV
  uint64_t reserved[6];
};
static_assert(sizeof(VectorImage) == kLegacyAndHeader_bytes);
static_assert(offsetof(VectorImage, mxcsr) == 24 && offsetof(VectorImage, software) == 464);

VectorImage& ImageOf(GuestThread& thread) { return *static_cast<VectorImage*>(thread.vector_state()); }

constexpr VectorImage MakeInitialImage() {
  VectorImage image = {};
  image.mxcsr = kInitialMxcsr;
  return image;
}
alignas(64) constexpr VectorImage kInitialImage = MakeInitialImage();

uint64_t g_component_end[8];

// Where the last of `components` ends.
uint64_t EndOf(uint64_t components) {
  if (g_component_end[0] == 0) {
    g_component_end[0] = g_component_end[1] = kLegacyAndHeader_bytes;
    for (uint32_t i = 2; i < 8; ++i) {
      uint32_t size, offset, c, d;
      __cpuid_count(0xd, i, size, offset, c, d);
      g_component_end[i] = size + offset;
    }
  }
  uint64_t end = kLegacyAndHeader_bytes;
  for (uint64_t left = components >> 2; left != 0; left &= left - 1) {
    const uint64_t component_end = g_component_end[__builtin_ctzll(left) + 2];
    end = component_end > end ? component_end : end;
  }
  return end;
}

bool IsInMachine(const GuestThread& thread) { return CurrentKthread()->state_owner == &thread; }

void LoadIntoMachine(const VectorImage& image, uint64_t components) {
  __asm__ volatile("xrstor64 (%0)" : : "r"(&image), "a"(static_cast<uint32_t>(components)), "d"(0) : "memory");
}

// Programs edit the x87 and SSE parts without knowing of XSTATE_BV, so these always count, though the machine may have left them out.
void CompleteLegacyPart(VectorImage& image) {
  if ((image.components & kX87) == 0) {
    image.control_word = kInitialControlWord;
    image.status_word = 0;
    __builtin_memset(image.tags, 0, sizeof(image.tags));
    __builtin_memset(image.x87_registers, 0, sizeof(image.x87_registers));
  }
  if ((image.components & kSse) == 0) {
    __builtin_memset(image.sse_registers, 0, sizeof(image.sse_registers));
  }
  image.components |= kX87 | kSse;
}

void WriteSoftwareBytes(VectorImage& image) {
  SoftwareBytes& software = image.software;
  software = SoftwareBytes{};
  software.magic1 = kMagic1;
  software.extended_size_bytes = VectorStateSize_bytes() + sizeof(kMagic2);
  software.components = VectorStateMask();
  software.image_size_bytes = VectorStateSize_bytes();
}

bool HasExtendedPart(const VectorImage& image, uint64_t address) {
  const SoftwareBytes& software = image.software;
  if (software.magic1 != kMagic1 || software.image_size_bytes < kLegacyAndHeader_bytes ||
      software.image_size_bytes > VectorStateSize_bytes() || software.image_size_bytes > software.extended_size_bytes) {
    return false;
  }
  uint32_t magic2 = 0;
  return CopyFromGuest(&magic2, address + software.image_size_bytes, sizeof(magic2)) && magic2 == kMagic2;
}

// What xrstor would fault on.
bool IsSound(const VectorImage& image) {
  uint64_t reserved = image.compaction;
  for (const uint64_t word : image.reserved) {
    reserved |= word;
  }
  return reserved == 0 && (image.components & ~VectorStateMask()) == 0 && (image.mxcsr & ~kMxcsrMask) == 0;
}

// The image without the components behind the header. It may be of an old kind, which ends before the header.
bool ReadFirstPart(VectorImage& image, uint64_t address) {
  return CopyFromGuest(&image, address, sizeof(image)) ||
         CopyFromGuest(&image, address, offsetof(VectorImage, components));
}

bool ReadImage(VectorImage& image, uint64_t address) {
  if (!ReadFirstPart(image, address)) {
    return false;
  }
  if (!HasExtendedPart(image, address)) {
    image.components = kX87 | kSse;
    image.compaction = 0;
    __builtin_memset(image.reserved, 0, sizeof(image.reserved));
    image.mxcsr &= kMxcsrMask;
    return true;
  }
  image.components &= image.software.components | ~VectorStateMask();
  if (!IsSound(image)) {
    return false;
  }
  const uint64_t end = EndOf(image.components);
  return end == sizeof(image) || CopyFromGuest(&image + 1, address + sizeof(image), end - sizeof(image));
}

bool HasInitialX87(const VectorImage& image) {
  return image.control_word == kInitialControlWord && image.status_word == 0 && image.tags[0] == 0;
}

void SetInitialVectorState(GuestThread& thread) {
  thread.has_vector_state = false;
  if (IsInMachine(thread)) {
    LoadIntoMachine(kInitialImage, VectorStateMask());
  }
}

}  // namespace

uint64_t VectorFrameSize_bytes() { return VectorStateSize_bytes() + sizeof(kMagic2); }

bool CopyVectorStateOut(GuestThread& thread, uint64_t address) {
  VectorImage& image = ImageOf(thread);
  if (IsInMachine(thread)) {
    SaveVectorState(thread);
  } else if (!thread.has_vector_state) {
    image = kInitialImage;
    thread.has_vector_state = true;
  }
  CompleteLegacyPart(image);
  WriteSoftwareBytes(image);
  return CopyToGuest(address, &image, EndOf(image.components)) &&
         CopyToGuest(address + VectorStateSize_bytes(), &kMagic2, sizeof(kMagic2));
}

bool CopyVectorStateIn(GuestThread& thread, uint64_t address) {
  if (address == 0) {
    SetInitialVectorState(thread);
    return true;
  }
  VectorImage& image = ImageOf(thread);
  if (!ReadImage(image, address)) {
    image = kInitialImage;  // the machine does not write all of the header when it saves
    SetInitialVectorState(thread);
    return false;
  }
  thread.has_vector_state = true;
  if (HasInitialX87(image)) {
    image.components &= ~kX87;  // set for programs that look at it (CompleteLegacyPart); without it the load is quick
  }
  if (IsInMachine(thread)) {
    LoadVectorImage(&image);
  }
  return true;
}

void SetHandlerVectorState(GuestThread& thread) {
  if (!IsInMachine(thread)) {
    thread.has_vector_state = false;
    return;
  }
  const VectorImage& image = ImageOf(thread);
  if (!HasInitialX87(image)) {
    LoadIntoMachine(kInitialImage, kX87);
  }
  if (image.mxcsr != kInitialMxcsr) {
    __asm__ volatile("ldmxcsr %0" : : "m"(kInitialImage.mxcsr));
  }
}

}  // namespace junction
