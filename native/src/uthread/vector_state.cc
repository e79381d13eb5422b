// SPDX-License-Identifier: Apache-2.0
// FS base and vector registers of guests. The kernel itself uses general registers only, so what a guest left in the machine stays there
// across a call, and even while other uthreads wait in the kernel: it is saved only when another uthread goes to guest code.
// Read first: Intel SDM volume 1, chapter 13 (XSAVE feature set). Standard format, as signal frames hold it. Hot path of every switch.
//
// On EPYC (AVX-512) xsaveopt takes 33 ns and xrstor 67 to 90, whatever they are asked for, while moving all registers that glibc leaves in
// use (xmm0-15, zmm16-31, k0-7) there and back takes 7: so we move them ourselves, told by XGETBV which components are in use. Only where
// the x87 unit is in use do the machine's instructions do it.
#include "uthread/vector_state.h"

#include <cpuid.h>

#include "uthread/arena.h"
#include "uthread/panic.h"

// vector_moves.S
extern "C" {
void junction_save_sse(void* image);
void junction_load_sse(const void* image);
void junction_save_avx(void* component);
void junction_load_avx(const void* component);
void junction_save_opmask(void* component);
void junction_load_opmask(const void* component);
void junction_save_zmm_hi256(void* component);
void junction_load_zmm_hi256(const void* component);
void junction_save_hi16_zmm(void* component);
void junction_load_hi16_zmm(const void* component);
}

namespace junction {
namespace {

// x87, SSE, AVX, opmask, ZMM_Hi256, Hi16_ZMM. Not AMX: its 8 KiB tiles do not fit a slot, and XCR0 without arch_prctl permission
// traps its use.
constexpr uint64_t kComponents = 0xe7;
constexpr uint32_t kInitialMxcsr = 0x1f80;
constexpr size_t kHeaderOffset = 512;

struct alignas(64) XsaveArea {
  uint8_t legacy[512];
  uint64_t components;
  uint64_t reserved[7];
  uint8_t extended[kXsaveMax_bytes - 576];
};
static_assert(sizeof(XsaveArea) == kXsaveMax_bytes);

// Bits of XSTATE_BV.
constexpr uint64_t kX87 = 1, kSse = 2, kAvx = 4, kOpmask = 0x20, kZmmHi256 = 0x40, kHi16Zmm = 0x80;

VectorFormat g_format;
// All zero but MXCSR, which xrstor takes from the area even where the state is initial.
constexpr XsaveArea kInitial = [] {
  XsaveArea area = {};
  constexpr size_t kMxcsrAt = 24;
  area.legacy[kMxcsrAt] = kInitialMxcsr & 0xff;
  area.legacy[kMxcsrAt + 1] = kInitialMxcsr >> 8;
  return area;
}();

// k0 to k7 have 64 bits only with AVX512BW; without AVX-512 there is nothing to ask.
bool HasByteMoves() {
  if ((g_format.mask & (kOpmask | kZmmHi256 | kHi16Zmm)) == 0) {
    return true;
  }
  uint32_t a;
  uint32_t b;
  uint32_t c;
  uint32_t d;
  __cpuid_count(7, 0, a, b, c, d);
  return (b & bit_AVX512BW) != 0 && (b & bit_AVX512DQ) != 0;
}

// Components that are not in their initial state (XINUSE).
uint64_t ComponentsInUse() {
  uint32_t low;
  uint32_t high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
  return low & g_format.mask;
}

void* ComponentOf(XsaveArea& area, int component) {
  return reinterpret_cast<char*>(&area) + g_format.offset[component];
}
const void* ComponentOf(const XsaveArea& area, int component) {
  return reinterpret_cast<const char*>(&area) + g_format.offset[component];
}

// `in_use` without kX87.
void MoveOut(XsaveArea& area, uint64_t in_use) {
  junction_save_sse(&area);
  if ((in_use & kAvx) != 0) {
    junction_save_avx(ComponentOf(area, 2));
  }
  if ((in_use & kOpmask) != 0) {
    junction_save_opmask(ComponentOf(area, 5));
  }
  if ((in_use & kZmmHi256) != 0) {
    junction_save_zmm_hi256(ComponentOf(area, 6));
  }
  if ((in_use & kHi16Zmm) != 0) {
    junction_save_hi16_zmm(ComponentOf(area, 7));
  }
  area.components = in_use | kSse;
}

// Neither `area` nor the machine has kX87 in use. What is only in use in the machine becomes zero, which is its initial state.
void MoveIn(const XsaveArea& area, uint64_t in_use) {
  const uint64_t components = area.components;
  const auto source = [&](uint64_t bit) -> const XsaveArea& { return (components & bit) != 0 ? area : kInitial; };
  junction_load_sse(&source(kSse));
  if ((components & kSse) == 0) {
    __asm__ volatile("ldmxcsr %0" : : "m"(area.legacy[24]));  // counts even where no register does
  }
  if ((components & (kAvx | kZmmHi256)) != 0) {
    junction_load_avx(ComponentOf(source(kAvx), 2));
  }
  if ((components & kZmmHi256) != 0) {
    junction_load_zmm_hi256(ComponentOf(area, 6));
  }
  if (((components | in_use) & kOpmask) != 0) {
    junction_load_opmask(ComponentOf(source(kOpmask), 5));
  }
  if (((components | in_use) & kHi16Zmm) != 0) {
    junction_load_hi16_zmm(ComponentOf(source(kHi16Zmm), 7));
  }
}

}  // namespace

int64_t PrepareVectorState() {
  if (Arena().vector_format.mask != 0) {
    g_format = Arena().vector_format;
    return 0;
  }
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
  g_format.mask = low & kComponents;
  g_format.size_bytes = 576;
  for (uint32_t component = 2; component < 8; ++component) {
    if ((g_format.mask >> component & 1) != 0) {
      __cpuid_count(0xd, component, a, b, c, d);
      g_format.offset[component] = b;
      g_format.size_bytes = a + b > g_format.size_bytes ? a + b : g_format.size_bytes;
    }
  }
  __cpuid_count(0xd, 1, a, b, c, d);
  g_format.has_xsaveopt = (a & 1) != 0;
  const bool has_xgetbv1 = (a & 4) != 0;
  g_format.can_move = has_xgetbv1 && (g_format.mask & kAvx) != 0 && HasByteMoves();
  if (g_format.size_bytes > kXsaveMax_bytes) {
    return -1;
  }
  Arena().vector_format = g_format;
  return 0;
}

uint32_t VectorStateSize_bytes() { return g_format.size_bytes; }
uint64_t VectorStateMask() { return g_format.mask; }

void SaveVectorState(Uthread& uthread) {
  void* const area = uthread.vector_state();
  const uint64_t in_use = g_format.can_move ? ComponentsInUse() : kX87;
  if ((in_use & kX87) == 0) {
    MoveOut(*static_cast<XsaveArea*>(area), in_use);
  } else if (g_format.has_xsaveopt) {
    __asm__ volatile("xsaveopt64 (%0)" : : "r"(area), "a"(g_format.mask), "d"(0) : "memory");
  } else {
    __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(g_format.mask), "d"(0) : "memory");
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
  const uint64_t in_use = g_format.can_move ? ComponentsInUse() : kX87;
  if (((in_use | area.components) & kX87) == 0) {
    MoveIn(area, in_use);
  } else {
    __asm__ volatile("xrstor64 (%0)" : : "r"(image), "a"(g_format.mask), "d"(0) : "memory");
  }
}

void LoadMachineState(Uthread& uthread) {
  SaveMachineState();
  __asm__ volatile("wrfsbase %0" : : "r"(uthread.fs_base));
  LoadVectorImage(uthread.has_vector_state ? uthread.vector_state() : &kInitial);
  CurrentKthread()->state_owner = &uthread;
}

}  // namespace junction
