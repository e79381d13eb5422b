// SPDX-License-Identifier: Apache-2.0
// Read first: vdso(7), elf(5). The image is the host's, so its contents are trusted.
#include "uthread/vdso.h"

#include <elf.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "uthread/host_call.h"
#include "uthread/panic.h"

namespace junction {
namespace {

bool IsText(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}

// Entry `name` of the dynamic symbol table, null if there is none; `shift` becomes the distance from its addresses to the process'.
Elf64_Sym* FindSymbol(uint64_t image, const char* name, uint64_t& shift) {
  const auto& header = *reinterpret_cast<const Elf64_Ehdr*>(image);
  const auto* segments = reinterpret_cast<const Elf64_Phdr*>(image + header.e_phoff);
  shift = 0;
  const Elf64_Dyn* dynamic = nullptr;
  for (int i = 0; i < header.e_phnum; ++i) {
    if (segments[i].p_type == PT_LOAD && shift == 0) {
      shift = image + segments[i].p_offset - segments[i].p_vaddr;
    } else if (segments[i].p_type == PT_DYNAMIC) {
      dynamic = reinterpret_cast<const Elf64_Dyn*>(image + segments[i].p_offset);
    }
  }
  if (dynamic == nullptr) {
    return nullptr;
  }
  Elf64_Sym* symbols = nullptr;
  const char* names = nullptr;
  const uint32_t* hash = nullptr;
  const uint32_t* gnu_hash = nullptr;
  for (; dynamic->d_tag != DT_NULL; ++dynamic) {
    const uint64_t at = dynamic->d_un.d_ptr + shift;
    if (dynamic->d_tag == DT_SYMTAB) {
      symbols = reinterpret_cast<Elf64_Sym*>(at);
    } else if (dynamic->d_tag == DT_STRTAB) {
      names = reinterpret_cast<const char*>(at);
    } else if (dynamic->d_tag == DT_HASH) {
      hash = reinterpret_cast<const uint32_t*>(at);
    } else if (dynamic->d_tag == DT_GNU_HASH) {
      gnu_hash = reinterpret_cast<const uint32_t*>(at);
    }
  }
  if (symbols == nullptr || names == nullptr || (hash == nullptr && gnu_hash == nullptr)) {
    return nullptr;
  }
  // DT_HASH says how many symbols there are; without it the string table begins behind them (the vDSO's layout).
  const auto count =
      hash != nullptr
          ? hash[1]
          : static_cast<uint32_t>((reinterpret_cast<uint64_t>(names) - reinterpret_cast<uint64_t>(symbols)) /
                                  sizeof(Elf64_Sym));
  for (uint32_t i = 0; i < count; ++i) {
    if (symbols[i].st_shndx != SHN_UNDEF && IsText(names + symbols[i].st_name, name)) {
      return &symbols[i];
    }
  }
  return nullptr;
}

// The whole mapping: its section headers come last, and the host does not let a part of it be changed.
uint64_t MappedSize_bytes(uint64_t image) {
  constexpr uint64_t kPage_bytes = 4096;
  const auto& header = *reinterpret_cast<const Elf64_Ehdr*>(image);
  const uint64_t end = header.e_shoff + uint64_t{header.e_shnum} * header.e_shentsize;
  return (end + kPage_bytes - 1) & ~(kPage_bytes - 1);
}

}  // namespace

uint64_t FindVdsoFunction(uint64_t vdso, const char* name) {
  uint64_t shift = 0;
  const Elf64_Sym* const symbol = FindSymbol(vdso, name, shift);
  return symbol == nullptr ? 0 : symbol->st_value + shift;
}

int64_t HideVdsoFunction(uint64_t vdso, const char* name) {
  uint64_t shift = 0;
  Elf64_Sym* const symbol = FindSymbol(vdso, name, shift);
  if (symbol == nullptr) {
    return 0;
  }
  const uint64_t size_bytes = MappedSize_bytes(vdso);
  if (const int64_t error = HostCall(SYS_mprotect, vdso, size_bytes, PROT_READ | PROT_WRITE); error != 0) {
    return error;
  }
  symbol->st_shndx = SHN_UNDEF;  // what musl looks at
  symbol->st_value = 0;          // what glibc looks at
  if (const int64_t error = HostCall(SYS_mprotect, vdso, size_bytes, PROT_READ | PROT_EXEC); error != 0) {
    KernelPanic("the host does not give the vDSO back; errno", static_cast<uint64_t>(-error));
  }
  return 0;
}

}  // namespace junction
