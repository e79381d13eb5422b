// SPDX-License-Identifier: Apache-2.0
// FS base and vector registers of guests. The kernel itself uses general registers only, so what a guest left in the machine stays there
// across a call, and even while other uthreads wait in the kernel: it is saved only when another uthread goes to guest code.
// Read first: Intel SDM volume 1, chapter 13 (XSAVE feature set). Standard format, as signal frames hold it.
#include "uthread/vector_state.h"

#include <cpuid.h>

#include "uthread/panic.h"

extern "C" {
void junction_load_sse(const void* area);
void junction_load_avx(const void* area);
void junction_load_opmask(const void* opmask_area);
void junction_load_hi16(const void* hi16_area);
}

namespace junction {
namespace {

// x87, SSE, AVX, opmask, ZMM_Hi256, Hi16_ZMM. Not AMX: its 8 KiB tiles do not fit a slot, and XCR0 without arch_prctl permission
// traps its use.
constexpr uint64_t kComponents = 0xe7;
constexpr uint32_t kSse = 1 << 1;
constexpr uint32_t kAvx = 1 << 2;
constexpr uint32_t kOpmask = 1 << 5;
constexpr uint32_t kHi16 = 1 << 7;
// What plain moves can load (vector_moves.S). x87 and the upper halves of ZMM0-15 are rare.
constexpr uint32_t kMovable = kSse | kAvx | kOpmask | kHi16;
constexpr uint32_t kInitialMxcsr = 0x1f80;

struct alignas(64) XsaveArea {
  uint8_t legacy[512];
  uint64_t components;
  uint64_t reserved[7];
  uint8_t extended[kXsaveMax_bytes - 576];
};
static_assert(sizeof(XsaveArea) == kXsaveMax_bytes);

uint32_t g_mask;        // of the components that this machine has
uint32_t g_size_bytes;  // of the standard format with them
bool g_has_xsaveopt;
bool g_can_move;  // XGETBV tells what is in use, and the machine has AVX
uint32_t g_opmask_offset;
uint32_t g_hi16_offset;
// All zero but MXCSR, which xrstor takes from the area even where the state is initial.
XsaveArea g_initial;

// Components of the machine that are not in their initial state.
uint32_t InUse() {
  uint32_t low;
  uint32_t high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
  return low & g_mask;
}

// Moves leave alone what the image does not have, so that must be initial in the machine already; the upper halves of YMM become so by
// the loads of XMM.
bool CanMove(const XsaveArea& area) {
  const auto image = static_cast<uint32_t>(area.components);
  return g_can_move && (image & kSse) != 0 && (image & ~kMovable) == 0 && (InUse() & ~(image | kAvx)) == 0;
}

void MoveIn(const XsaveArea& area) {
  const auto* const bytes = reinterpret_cast<const char*>(&area);
  if ((area.components & kAvx) != 0) {
    junction_load_avx(bytes);
  } else {
    junction_load_sse(bytes);
  }
  if ((area.components & kOpmask) != 0) {
    junction_load_opmask(bytes + g_opmask_offset);
  }
  if ((area.components & kHi16) != 0) {
    junction_load_hi16(bytes + g_hi16_offset);
  }
}

}  // namespace

int64_t PrepareVectorState() {
  uint32_t a;
  uint32_t b;
  uint32_t c;
  uint32_t d;
  __cpuid_count(1, 0, a, b, c, d);
  if ((c & bit_OSXSAVE) == 0) {
    return -1;
  }
  uint32_t low;
  uint32_t high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  g_mask = low & kComponents;
  g_size_bytes = 576;
  for (uint32_t component = 2; component < 8; ++component) {
    if ((g_mask >> component & 1) != 0) {
      __cpuid_count(0xd, component, a, b, c, d);
      g_size_bytes = a + b > g_size_bytes ? a + b : g_size_bytes;
      if (component == 5) {
        g_opmask_offset = b;
      } else if (component == 7) {
        g_hi16_offset = b;
      }
    }
  }
  __cpuid_count(0xd, 1, a, b, c, d);
  g_has_xsaveopt = (a & 1) != 0;
  g_can_move = (a & 4) != 0 && (g_mask & kAvx) != 0;
  *reinterpret_cast<uint32_t*>(g_initial.legacy + 24) = kInitialMxcsr;
  return g_size_bytes <= kXsaveMax_bytes ? 0 : -1;
}

uint32_t VectorStateSize_bytes() { return g_size_bytes; }
uint64_t VectorStateMask() { return g_mask; }

void SaveVectorState(Uthread& uthread) {
  void* const area = uthread.vector_state();
  if (g_has_xsaveopt) {
    __asm__ volatile("xsaveopt64 (%0)" : : "r"(area), "a"(g_mask), "d"(0) : "memory");
  } else {
    __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(g_mask), "d"(0) : "memory");
  }
  uthread.has_vector_state = true;
}

void SaveMachineState() {
  Kthread& kthread = *CurrentKthread();
  Uthread* const owner = kthread.state_owner;
  if (owner == nullptr) {
    return;
  }
  __asm__ volatile("rdfsbase %0" : "=r"(owner->fs_base));
  SaveVectorState(*owner);
  kthread.state_owner = nullptr;
}

void LoadVectorImage(const void* image) {
  const auto& area = *static_cast<const XsaveArea*>(image);
  if (CanMove(area)) {
    MoveIn(area);
  } else {
    __asm__ volatile("xrstor64 (%0)" : : "r"(&area), "a"(g_mask), "d"(0) : "memory");
  }
}

void LoadMachineState(Uthread& uthread) {
  SaveMachineState();
  __asm__ volatile("wrfsbase %0" : : "r"(uthread.fs_base));
  LoadVectorImage(uthread.has_vector_state ? uthread.vector_state() : &g_initial);
  CurrentKthread()->state_owner = &uthread;
}

}  // namespace junction
