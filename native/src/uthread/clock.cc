// SPDX-License-Identifier: Apache-2.0
// Read first: vdso(7), elf(5). The vDSO is the host's own code; its clock functions use general registers only (objdump on Linux 6.1
// and 6.18 shows vector registers in its getrandom alone).
#include "uthread/clock.h"

#include <elf.h>
#include <sys/syscall.h>

#include "uthread/host_call.h"

namespace junction {
namespace {

using ClockGettime = int (*)(clockid_t, timespec*);

ClockGettime g_clock_gettime;

bool IsText(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}

// Symbol `name` of the vDSO's dynamic symbol table, or 0.
uint64_t FindSymbol(uint64_t image, const char* name) {
  const auto& header = *reinterpret_cast<const Elf64_Ehdr*>(image);
  const auto* segments = reinterpret_cast<const Elf64_Phdr*>(image + header.e_phoff);
  uint64_t shift = 0;
  const Elf64_Dyn* dynamic = nullptr;
  for (int i = 0; i < header.e_phnum; ++i) {
    if (segments[i].p_type == PT_LOAD && shift == 0) {
      shift = image + segments[i].p_offset - segments[i].p_vaddr;
    } else if (segments[i].p_type == PT_DYNAMIC) {
      dynamic = reinterpret_cast<const Elf64_Dyn*>(image + segments[i].p_offset);
    }
  }
  if (dynamic == nullptr) {
    return 0;
  }
  const Elf64_Sym* symbols = nullptr;
  const char* names = nullptr;
  const uint32_t* hash = nullptr;
  const uint32_t* gnu_hash = nullptr;
  for (; dynamic->d_tag != DT_NULL; ++dynamic) {
    const uint64_t at = dynamic->d_un.d_ptr + shift;
    if (dynamic->d_tag == DT_SYMTAB) {
      symbols = reinterpret_cast<const Elf64_Sym*>(at);
    } else if (dynamic->d_tag == DT_STRTAB) {
      names = reinterpret_cast<const char*>(at);
    } else if (dynamic->d_tag == DT_HASH) {
      hash = reinterpret_cast<const uint32_t*>(at);
    } else if (dynamic->d_tag == DT_GNU_HASH) {
      gnu_hash = reinterpret_cast<const uint32_t*>(at);
    }
  }
  if (symbols == nullptr || names == nullptr || (hash == nullptr && gnu_hash == nullptr)) {
    return 0;
  }
  // DT_HASH says how many symbols there are; without it the string table begins behind them (the vDSO's layout).
  const auto count =
      hash != nullptr
          ? hash[1]
          : static_cast<uint32_t>((reinterpret_cast<uint64_t>(names) - reinterpret_cast<uint64_t>(symbols)) /
                                  sizeof(Elf64_Sym));
  for (uint32_t i = 0; i < count; ++i) {
    if (symbols[i].st_shndx != SHN_UNDEF && IsText(names + symbols[i].st_name, name)) {
      return symbols[i].st_value + shift;
    }
  }
  return 0;
}

uint64_t ToNanoseconds(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace

void PrepareClock(uint64_t vdso) {
  if (vdso != 0) {
    g_clock_gettime = reinterpret_cast<ClockGettime>(FindSymbol(vdso, "__vdso_clock_gettime"));
  }
}

int64_t ReadClock(clockid_t clock, timespec* out) {
  // The vDSO makes a host call itself for clocks that it does not know, which the net would catch.
  constexpr clockid_t kLastFast = CLOCK_MONOTONIC_COARSE;
  const bool is_fast =
      clock >= 0 && clock <= kLastFast && clock != CLOCK_PROCESS_CPUTIME_ID && clock != CLOCK_THREAD_CPUTIME_ID;
  if (g_clock_gettime != nullptr && is_fast) {
    return g_clock_gettime(clock, out);
  }
  return HostCall(SYS_clock_gettime, clock, out);
}

uint64_t MonotonicNow_ns() {
  timespec now;
  ReadClock(CLOCK_MONOTONIC, &now);
  return ToNanoseconds(now);
}

uint64_t RealtimeNow_ns() {
  timespec now;
  ReadClock(CLOCK_REALTIME, &now);
  return ToNanoseconds(now);
}

}  // namespace junction
