// SPDX-License-Identifier: Apache-2.0
#include "loader/trampoline.h"

#include "loader/instruction.h"
#include "uthread/uthread_layout.h"

namespace junction {
namespace {

bool FitsDisplacement(int64_t value) { return value >= INT32_MIN && value <= INT32_MAX; }

// Appends code at a known address; turns not ok when it does not fit or an address is out of reach.
class CodeWriter {
 public:
  CodeWriter(std::span<uint8_t> out, uint64_t address) : out_(out), address_(address) {}

  void Byte(uint8_t value) {
    if (size_ == out_.size()) {
      ok_ = false;
      return;
    }
    out_[size_++] = value;
  }
  void Bytes(std::span<const uint8_t> values) {
    for (const uint8_t value : values) {
      Byte(value);
    }
  }
  // A 4-byte distance to `target` that ends the instruction.
  void Distance(uint64_t target) { Number(static_cast<int64_t>(target - (here() + 4))); }
  void Number(int64_t value) {
    ok_ = ok_ && FitsDisplacement(value);
    for (int i = 0; i < 4; ++i) {
      Byte(static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i)));
    }
  }
  // Instructions of the text from `from` to `to`, which run at text_address + their offset at home.
  void Moved(std::span<const uint8_t> text, uint64_t text_address, uint32_t from, uint32_t to) {
    while (from < to) {
      const Instruction instruction = DecodeInstruction(text.subspan(from));
      if (instruction.kind == InstructionKind::kInvalid) {
        ok_ = false;
        return;
      }
      const auto code = text.subspan(from, instruction.length);
      if (instruction.rip_displacement_at == 0) {
        Bytes(code);
      } else {
        const size_t at = instruction.rip_displacement_at;
        int32_t displacement;
        __builtin_memcpy(&displacement, code.data() + at, sizeof(displacement));
        const int64_t shift = static_cast<int64_t>(text_address + from - here());
        Bytes(code.first(at));
        Number(displacement + shift);
        Bytes(code.subspan(at + 4));
      }
      if (instruction.kind == InstructionKind::kReturn) {
        return;  // padding after it need not come along
      }
      from += instruction.length;
    }
  }

  uint64_t here() const { return address_ + size_; }
  size_t size() const { return ok_ ? size_ : 0; }

 private:
  std::span<uint8_t> out_;
  uint64_t address_;
  size_t size_ = 0;
  bool ok_ = true;
};

constexpr uint8_t kLeaRcx[] = {0x48, 0x8d, 0x0d};                                // lea disp32(%rip), %rcx
constexpr uint8_t kJumpToEntry[] = {0x65, 0xff, 0x24, 0x25, KT_ENTRY, 0, 0, 0};  // jmp *%gs:KT_ENTRY
constexpr uint8_t kSyscall[] = {0x0f, 0x05};
constexpr uint8_t kJump = 0xe9;
constexpr uint8_t kInt3 = 0xcc;

}  // namespace

size_t WriteTrampoline(std::span<const uint8_t> text, const PatchSite& site, const TrampolinePlace& place,
                       std::span<uint8_t, kMaxTrampoline_bytes> code) {
  CodeWriter writer(code, place.address);
  const uint32_t after_syscall = site.offset + kSyscall_bytes;
  writer.Moved(text, place.text_address, site.offset - site.before_bytes, site.offset);
  writer.Bytes(kLeaRcx);
  if (!MovesSyscall(site)) {
    writer.Distance(place.text_address + after_syscall);
    writer.Bytes(kJumpToEntry);
    return writer.size();
  }
  writer.Number(sizeof(kJumpToEntry) + sizeof(kSyscall));
  writer.Bytes(kJumpToEntry);
  writer.Bytes(kSyscall);
  const uint32_t resume = after_syscall + site.after_bytes;
  writer.Moved(text, place.text_address, after_syscall, resume);
  writer.Byte(kJump);
  writer.Distance(place.text_address + resume);
  return writer.size();
}

ReplacedBytes ReplacedBy(const PatchSite& site) {
  const uint32_t moved = MovesSyscall(site) ? kSyscall_bytes + static_cast<uint32_t>(site.after_bytes) : 0;
  return {site.offset - site.before_bytes, static_cast<uint32_t>(site.before_bytes) - site.kept_bytes + moved};
}

bool WriteJump(uint64_t jump_address, uint64_t trampoline_address, std::span<uint8_t> replaced) {
  CodeWriter writer(replaced, jump_address);
  writer.Byte(kJump);
  writer.Distance(trampoline_address);
  for (size_t i = kJump_bytes; i < replaced.size(); ++i) {
    writer.Byte(kInt3);
  }
  return writer.size() == replaced.size();
}

}  // namespace junction
