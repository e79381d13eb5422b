// SPDX-License-Identifier: Apache-2.0
#include "loader/code_scanner.h"

#include "loader/instruction.h"

namespace junction {
namespace {

constexpr uint32_t kMaxFunction_bytes = 32768;  // decoded at most before a site
constexpr uint32_t kMaxTrail = 6;               // instructions before a site that may be moved
constexpr uint32_t kMaxMoved_bytes = 40;
constexpr uint32_t kSyncDistance_bytes = 96;  // where there is no known start: decode from so far before,
constexpr uint32_t kSyncStarts = 24;          // from so many places in a row
constexpr uint32_t kPaddingSearch_bytes = 4096;
constexpr uint32_t kTableSearch_bytes =
    512;  // an indirect jump so near may be a switch that lands between our instructions
constexpr size_t kMaxText_bytes = 0x7fff0000;

using Bytes = std::span<const uint8_t>;

int32_t Read32(Bytes bytes, size_t at) {
  uint32_t value;
  __builtin_memcpy(&value, bytes.data() + at, sizeof(value));
  return static_cast<int32_t>(value);
}

// Starts of the instructions that run into a site, the last one first.
struct Trail {
  uint32_t starts[kMaxTrail] = {};
  uint32_t count = 0;
};

// Decodes from `from`; true if an instruction starts at `site`.
bool DecodeTo(Bytes text, uint32_t from, uint32_t site, Trail& trail) {
  uint32_t ring[kMaxTrail];
  uint32_t seen = 0;
  uint32_t at = from;
  while (at < site) {
    const Instruction instruction = DecodeInstruction(text.subspan(at));
    if (instruction.kind == InstructionKind::kInvalid) {
      return false;
    }
    ring[seen++ % kMaxTrail] = at;
    at += instruction.length;
  }
  if (at != site) {
    return false;
  }
  trail.count = seen < kMaxTrail ? seen : kMaxTrail;
  for (uint32_t i = 0; i < trail.count; ++i) {
    trail.starts[i] = ring[(seen - 1 - i) % kMaxTrail];
  }
  return true;
}

// Start of the function around `site` by the unwinding table, or `site` itself if it knows none.
uint32_t FunctionByTable(const CodeText& text, uint32_t site) {
  size_t low = 0;
  size_t high = text.unwind_rows.size() / 8;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (Read32(text.unwind_rows, middle * 8) + text.unwind_base <= static_cast<int64_t>(site)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) {
    return site;
  }
  const int64_t start = Read32(text.unwind_rows, (low - 1) * 8) + text.unwind_base;
  return start >= 0 && start <= static_cast<int64_t>(site) ? static_cast<uint32_t>(start) : site;
}

// Start of the function around `site` if padding (int3) before an aligned address shows it, else `site`.
uint32_t FunctionByPadding(Bytes text, uint32_t site) {
  const uint32_t lowest = site > kPaddingSearch_bytes ? site - kPaddingSearch_bytes : 0;
  for (uint32_t at = site & ~15U; at > lowest && at >= 2; at -= 16) {
    if (text[at - 1] == 0xcc && text[at] != 0xcc) {
      return at;
    }
  }
  return site;
}

// No known start: all decodings from a row of places must agree that `site` starts an instruction, and about what is before it.
bool AgreeOn(Bytes text, uint32_t site, Trail& trail) {
  if (site < kSyncDistance_bytes) {
    return false;
  }
  uint32_t agreeing = 0;
  for (uint32_t i = 0; i < kSyncStarts; ++i) {
    Trail other;
    if (!DecodeTo(text, site - kSyncDistance_bytes + i, site, other)) {
      continue;
    }
    if (agreeing > 0 && (other.starts[0] != trail.starts[0] || other.starts[1] != trail.starts[1])) {
      return false;
    }
    trail = other;
    trail.count = 2;
    ++agreeing;
  }
  return agreeing * 4 >= kSyncStarts * 3;
}

bool FindTrail(const CodeText& text, uint32_t site, Trail& trail) {
  for (const uint32_t start : {FunctionByTable(text, site), FunctionByPadding(text.bytes, site)}) {
    if (start < site && site - start <= kMaxFunction_bytes && DecodeTo(text.bytes, start, site, trail)) {
      return true;
    }
  }
  return AgreeOn(text.bytes, site, trail);
}

bool IsMovable(const Instruction& instruction) { return instruction.kind == InstructionKind::kPlain; }

// Bytes of movable instructions right before the site that are enough for a jump; 0 = none.
uint32_t MovableBefore(Bytes text, uint32_t site, const Trail& trail) {
  for (uint32_t i = 0; i < trail.count; ++i) {
    if (!IsMovable(DecodeInstruction(text.subspan(trail.starts[i])))) {
      return 0;
    }
    const uint32_t bytes = site - trail.starts[i];
    if (bytes >= kJump_bytes) {
      return bytes <= kMaxMoved_bytes ? bytes : 0;
    }
  }
  return 0;
}

// Bytes of movable instructions right after the site that make room for a jump together with it; 0 = none.
uint32_t MovableAfter(Bytes text, uint32_t site) {
  uint32_t at = site + kSyscall_bytes;
  while (at - site < kJump_bytes) {
    if (at >= text.size()) {
      return 0;
    }
    const Instruction instruction = DecodeInstruction(text.subspan(at));
    const bool ends = instruction.kind == InstructionKind::kReturn;
    if (!IsMovable(instruction) && !ends) {
      return 0;
    }
    at += instruction.length;
    if (ends) {
      // Nothing runs on from here: padding may give way too.
      while (at - site < kJump_bytes && at < text.size() && (text[at] == 0xcc || text[at] == 0x90)) {
        ++at;
      }
      return at - site >= kJump_bytes ? at - site - kSyscall_bytes : 0;
    }
  }
  return at - site - kSyscall_bytes;
}

// Instruction starts strictly inside what the jump replaces.
template <typename Visit>
void ForEachInner(Bytes text, const PatchSite& site, Visit visit) {
  if (site.before_bytes > 0) {
    uint32_t at = site.offset - site.before_bytes;
    while (true) {
      at += DecodeInstruction(text.subspan(at)).length;
      if (at >= site.offset) {
        return;  // the `syscall` stays and may be jumped to
      }
      visit(at);
    }
  }
  uint32_t at = site.offset + kSyscall_bytes;
  while (at < site.offset + kSyscall_bytes + site.after_bytes) {
    visit(at);
    const uint32_t length = DecodeInstruction(text.subspan(at)).length;
    at += length > 0 ? length : 1;
  }
}

// A switch table's jump nearby could land between the instructions, and its targets are not in the code.
bool HasIndirectJumpNear(Bytes text, uint32_t site) {
  const uint32_t from = site > kTableSearch_bytes ? site - kTableSearch_bytes : 0;
  for (uint32_t at = from; at + 1 < site; ++at) {
    if (text[at] == 0xff && ((text[at + 1] & 0x38) == 0x20) &&
        (text[at + 1] >= 0xe0 || text[at + 1] == 0x24 || text[at + 1] == 0x64)) {
      return true;
    }
  }
  return false;
}

bool ChooseSite(const CodeText& text, uint32_t offset, PatchSite& site) {
  Trail trail;
  if (!FindTrail(text, offset, trail)) {
    return false;
  }
  site = {offset, 0, 0, 0};
  if (const uint32_t before = MovableBefore(text.bytes, offset, trail); before > 0) {
    site.before_bytes = static_cast<uint8_t>(before);
    return true;
  }
  if (const uint32_t after = MovableAfter(text.bytes, offset); after > 0 && after <= kMaxMoved_bytes) {
    site.after_bytes = static_cast<uint8_t>(after);
    return true;
  }
  return false;
}

// The places that nothing may jump to, over all sites.
class InnerPlaces {
 public:
  explicit InnerPlaces(ScanScratch& scratch) : scratch_(scratch) {
    for (uint8_t& byte : scratch_.filter) {
      byte = 0;
    }
  }
  // Ascending calls only. False if there is no room.
  bool Add(uint32_t place) {
    if (count_ == ScanScratch::kMaxInner) {
      return false;
    }
    scratch_.inner[count_] = place;
    scratch_.inner_hit[count_] = false;
    ++count_;
    scratch_.filter[(place & 0xffff) / 8] |= static_cast<uint8_t>(1U << (place & 7));
    return true;
  }
  void Hit(uint32_t place) {
    if ((scratch_.filter[(place & 0xffff) / 8] & (1U << (place & 7))) == 0) {
      return;
    }
    if (const size_t at = Find(place); at < count_ && scratch_.inner[at] == place) {
      scratch_.inner_hit[at] = true;
    }
  }
  bool IsHit(uint32_t place) const {
    const size_t at = Find(place);
    return at >= count_ || scratch_.inner[at] != place || scratch_.inner_hit[at];
  }
  bool empty() const { return count_ == 0; }

 private:
  size_t Find(uint32_t place) const {
    size_t low = 0;
    size_t high = count_;
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (scratch_.inner[middle] < place) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
  ScanScratch& scratch_;
  size_t count_ = 0;
};

// Marks every place that any byte sequence of the text, read as a direct jump or call, would go to.
void MarkJumpTargets(Bytes text, InnerPlaces& places) {
  const auto size = static_cast<uint32_t>(text.size());
  for (uint32_t at = 0; at + 2 <= size; ++at) {
    const uint8_t opcode = text[at];
    if ((opcode >= 0x70 && opcode <= 0x7f) || opcode == 0xeb || (opcode >= 0xe0 && opcode <= 0xe3)) {
      places.Hit(at + 2 + static_cast<uint32_t>(static_cast<int32_t>(static_cast<int8_t>(text[at + 1]))));
    } else if (opcode == 0xe8 || opcode == 0xe9) {
      if (at + 5 <= size) {
        places.Hit(at + 5 + static_cast<uint32_t>(Read32(text, at + 1)));
      }
    } else if (opcode == 0x0f && (text[at + 1] & 0xf0) == 0x80 && at + 6 <= size) {
      places.Hit(at + 6 + static_cast<uint32_t>(Read32(text, at + 2)));
    }
  }
}

// Next 0f 05 at or after `from`, or the size.
uint32_t FindSyscallBytes(Bytes text, uint32_t from) {
  const auto size = static_cast<uint32_t>(text.size());
  uint32_t at = from;
  // Eight bytes at a time: skip a word without a byte 0x05.
  constexpr uint64_t kOnes = 0x0101010101010101ULL;
  constexpr uint64_t kHighs = 0x8080808080808080ULL;
  while (at + 9 <= size) {
    uint64_t word;
    __builtin_memcpy(&word, text.data() + at + 1, sizeof(word));
    const uint64_t differs = word ^ (kOnes * 0x05);
    uint64_t hits = (differs - kOnes) & ~differs & kHighs;
    while (hits != 0) {
      const auto byte = static_cast<uint32_t>(__builtin_ctzll(hits) / 8);
      if (text[at + byte] == 0x0f && text[at + byte + 1] == 0x05) {
        return at + byte;
      }
      hits &= hits - 1;
    }
    at += 8;
  }
  for (; at + 2 <= size; ++at) {
    if (text[at] == 0x0f && text[at + 1] == 0x05) {
      return at;
    }
  }
  return size;
}

}  // namespace

ScanCounts ScanCode(const CodeText& text, std::span<PatchSite> sites, ScanScratch& scratch) {
  ScanCounts counts;
  if (text.bytes.size() > kMaxText_bytes) {
    return counts;
  }
  const auto size = static_cast<uint32_t>(text.bytes.size());
  InnerPlaces places(scratch);
  uint32_t replaced_to = 0;  // end of the last site's bytes: sites must not overlap
  for (uint32_t at = FindSyscallBytes(text.bytes, 0); at < size; at = FindSyscallBytes(text.bytes, at + 1)) {
    PatchSite site;
    const bool is_chosen =
        counts.sites < sites.size() && ChooseSite(text, at, site) && at - site.before_bytes >= replaced_to;
    if (!is_chosen) {
      ++counts.left;
      continue;
    }
    bool has_inner = false;
    bool fits = true;
    ForEachInner(text.bytes, site, [&](uint32_t place) {
      has_inner = true;
      fits = fits && places.Add(place);
    });
    if (!fits || (has_inner && site.before_bytes > 0 && HasIndirectJumpNear(text.bytes, at))) {
      ++counts.left;
      continue;
    }
    replaced_to = at + kSyscall_bytes + site.after_bytes;
    sites[counts.sites++] = site;
  }
  if (places.empty()) {
    return counts;
  }
  MarkJumpTargets(text.bytes, places);
  size_t kept = 0;
  for (size_t i = 0; i < counts.sites; ++i) {
    bool is_hit = false;
    ForEachInner(text.bytes, sites[i], [&](uint32_t place) { is_hit = is_hit || places.IsHit(place); });
    if (is_hit) {
      ++counts.left;
    } else {
      sites[kept++] = sites[i];
    }
  }
  counts.sites = kept;
  return counts;
}

bool IsSiteSound(std::span<const uint8_t> text, const PatchSite& site) {
  if ((site.before_bytes > 0) == (site.after_bytes > 0) || site.before_bytes > kMaxMoved_bytes ||
      site.after_bytes > kMaxMoved_bytes) {
    return false;
  }
  if (site.offset < site.before_bytes || text.size() < kSyscall_bytes || site.offset > text.size() - kSyscall_bytes ||
      site.after_bytes > text.size() - kSyscall_bytes - site.offset) {
    return false;
  }
  if (text[site.offset] != 0x0f || text[site.offset + 1] != 0x05) {
    return false;
  }
  if (site.after_bytes > 0) {
    return MovableAfter(text, site.offset) == site.after_bytes;
  }
  uint32_t at = site.offset - site.before_bytes;
  while (at < site.offset) {
    const Instruction instruction = DecodeInstruction(text.subspan(at));
    if (!IsMovable(instruction)) {
      return false;
    }
    at += instruction.length;
  }
  return at == site.offset && site.before_bytes >= kJump_bytes;
}

void FindUnwindRows(std::span<const uint8_t> header, uint64_t header_address, uint64_t text_address, CodeText& text) {
  constexpr uint8_t kDataRelativeSigned4 = 0x3b;
  constexpr uint8_t kUnsigned4 = 0x03;
  constexpr uint8_t kPcRelativeSigned4 = 0x1b;
  if (header.size() < 12 || header[0] != 1 || header[1] != kPcRelativeSigned4 || header[2] != kUnsigned4 ||
      header[3] != kDataRelativeSigned4) {
    return;
  }
  const auto rows = static_cast<uint32_t>(Read32(header, 8));
  if (rows > (header.size() - 12) / 8) {
    return;
  }
  text.unwind_rows = header.subspan(12, static_cast<size_t>(rows) * 8);
  text.unwind_base = static_cast<int64_t>(header_address - text_address);
}

}  // namespace junction
