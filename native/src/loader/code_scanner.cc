// SPDX-License-Identifier: Apache-2.0
#include "loader/code_scanner.h"

#include "loader/instruction.h"

namespace junction {
namespace {

constexpr uint32_t kMaxFunction_bytes = 32768;  // decoded at most before a site
constexpr size_t kMaxText_bytes = 0x7fff0000;
constexpr uint32_t kMaxTrail = 6;  // instructions before a site that may be moved
constexpr uint32_t kMaxMoved_bytes = 40;
constexpr uint32_t kSyncDistance_bytes = 160;  // where there is no known start: decode from so far before,
constexpr uint32_t kSyncStarts = 32;           // from so many places in a row
constexpr uint32_t kPaddingSearch_bytes = 4096;
constexpr uint32_t kTableSearch_bytes =
    512;  // an indirect jump so near may be a switch that lands between our instructions

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
  uint32_t function = 0;      // start of the function, or of what is looked at in its stead
  uint32_t function_end = 0;  // by the unwinding table, else 0
  bool ends_at_site = false;  // the table covers what is before the site but not the site
};

// Decodes from `from`; true if an instruction starts at `site`. `resyncs`: a byte that starts no instruction is skipped and what was
// before it is forgotten; else it ends the attempt.
bool DecodeTo(Bytes text, uint32_t from, uint32_t site, bool resyncs, Trail& trail) {
  uint32_t ring[kMaxTrail];
  uint32_t seen = 0;
  uint32_t at = from;
  while (at < site) {
    const Instruction instruction = DecodeInstruction(text.subspan(at));
    if (instruction.kind == InstructionKind::kInvalid) {
      if (!resyncs) {
        return false;
      }
      seen = 0;
      ++at;
      continue;
    }
    ring[seen++ % kMaxTrail] = at;
    at += instruction.length;
  }
  if (at != site || seen == 0) {
    return false;
  }
  trail.count = seen < kMaxTrail ? seen : kMaxTrail;
  for (uint32_t i = 0; i < trail.count; ++i) {
    trail.starts[i] = ring[(seen - 1 - i) % kMaxTrail];
  }
  return true;
}

constexpr size_t kUnwindHeader_bytes = 12;

// Start of the function around `site` by the unwinding table, or `site` itself if it covers none. The entry may end right before the
// site: glibc's clone has it so, since unwinding is off in the child from there on.
uint32_t FunctionByTable(const CodeText& text, uint32_t site, Trail& trail) {
  const auto row = [&](size_t i) { return kUnwindHeader_bytes + i * 8; };
  size_t low = 0;
  size_t high = text.unwind_rows;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (Read32(text.unwind, row(middle)) + text.unwind_base <= static_cast<int64_t>(site)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) {
    return site;
  }
  const int64_t start = Read32(text.unwind, row(low - 1)) + text.unwind_base;
  // The entry: length, distance to its CIE, start, number of bytes; four each in the usual encoding.
  const int64_t entry = Read32(text.unwind, row(low - 1) + 4);
  constexpr int64_t kRangeAt = 12;
  if (start < 0 || entry < 0 || entry + kRangeAt + 4 > static_cast<int64_t>(text.unwind.size())) {
    return site;
  }
  const auto bytes = static_cast<uint32_t>(Read32(text.unwind, static_cast<size_t>(entry + kRangeAt)));
  const int64_t distance = static_cast<int64_t>(site) - start;
  if (distance > static_cast<int64_t>(bytes) || bytes > kMaxText_bytes) {
    return site;
  }
  trail.ends_at_site = distance == static_cast<int64_t>(bytes);
  trail.function_end = static_cast<uint32_t>(start) + bytes;
  return static_cast<uint32_t>(start);
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

// No known start: decodes from a row of places, which fall into step after a few instructions if this is code at all. Three
// quarters of all must come upon `site` by the same instruction; what is before that one, all of those must agree on.
bool AgreeOn(Bytes text, uint32_t site, Trail& trail) {
  if (site < kSyncDistance_bytes) {
    return false;
  }
  Trail trails[kSyncStarts];
  uint32_t votes[kMaxInstruction_bytes + 1] = {};  // by the length of the instruction before the site
  for (uint32_t i = 0; i < kSyncStarts; ++i) {
    if (DecodeTo(text, site - kSyncDistance_bytes + i, site, true, trails[i])) {
      ++votes[site - trails[i].starts[0]];
    } else {
      trails[i].count = 0;
    }
  }
  uint32_t winner = 1;
  for (uint32_t length = 1; length <= kMaxInstruction_bytes; ++length) {
    winner = votes[length] > votes[winner] ? length : winner;
  }
  if (votes[winner] * 4 < kSyncStarts * 3) {
    return false;
  }
  const uint32_t function = trail.function;
  bool is_first = true;
  for (const Trail& other : trails) {
    if (other.count == 0 || site - other.starts[0] != winner) {
      continue;
    }
    if (is_first) {
      trail = other;
      is_first = false;
      continue;
    }
    uint32_t same = 0;
    while (same < trail.count && same < other.count && other.starts[same] == trail.starts[same]) {
      ++same;
    }
    trail.count = same;
  }
  trail.function = function;
  return trail.count > 0;
}

// Decodes from a known start of a function. The unwinding entry of a signal return stub begins one byte before it (glibc's
// __restore_rt: unwinders look up the address before a return address), so both starts are tried and must agree.
bool FollowFunction(Bytes text, uint32_t start, uint32_t site, Trail& trail) {
  if (start >= site || site - start > kMaxFunction_bytes) {
    return false;
  }
  Trail shifted;
  const bool is_shifted = start + 1 < site && DecodeTo(text, start + 1, site, false, shifted);
  const bool is_plain = DecodeTo(text, start, site, false, trail);
  constexpr uint32_t kAlignment = 16;
  if (is_shifted && (start + 1) % kAlignment == 0 && (!is_plain || shifted.starts[0] != trail.starts[0])) {
    trail = shifted;
    trail.function = start + 1;
    return true;
  }
  trail.function = start;
  return is_plain;
}

// True if the instructions that run into the site set the call's number, as compilers and people write it. Data that happens to look
// like a `syscall` does not.
bool SetsNumber(Bytes text, const Trail& trail) {
  constexpr uint32_t kLargestNumber = 1024;
  for (uint32_t i = 0; i < trail.count; ++i) {
    const Bytes code = text.subspan(trail.starts[i]);
    if (code[0] == 0xb8 && static_cast<uint32_t>(Read32(code, 1)) < kLargestNumber) {
      return true;  // mov $n, %eax
    }
    if (code[0] == 0x31 && code[1] == 0xc0) {
      return true;  // xor %eax, %eax
    }
    if (code[0] == 0x48 && code[1] == 0xc7 && code[2] == 0xc0 &&
        static_cast<uint32_t>(Read32(code, 3)) < kLargestNumber) {
      return true;  // mov $n, %rax
    }
  }
  return false;
}

bool FindTrail(const CodeText& text, uint32_t site, Trail& trail) {
  if (text.unwind_rows > 0) {
    // Code that the table does not cover is no function of a compiler's: tables of constants, most likely. But glibc ends the entries of
    // clone and clone3 right before their `syscall`, since the child has no caller. No function just ends in setting a number.
    const uint32_t start = FunctionByTable(text, site, trail);
    return FollowFunction(text.bytes, start, site, trail) &&
           (!trail.ends_at_site || SetsNumber(text.bytes, {.starts = {trail.starts[0]}, .count = 1}));
  }
  if (FollowFunction(text.bytes, FunctionByPadding(text.bytes, site), site, trail)) {
    return true;
  }
  trail.function = site > kTableSearch_bytes ? site - kTableSearch_bytes : 0;
  return AgreeOn(text.bytes, site, trail) && SetsNumber(text.bytes, trail);
}

bool IsMovable(const Instruction& instruction) { return instruction.kind == InstructionKind::kPlain; }

// Bytes of movable instructions right before the site, `enough` or more; 0 = none.
uint32_t MovableBefore(Bytes text, uint32_t site, const Trail& trail, uint32_t enough) {
  for (uint32_t i = 0; i < trail.count; ++i) {
    if (!IsMovable(DecodeInstruction(text.subspan(trail.starts[i])))) {
      return 0;
    }
    const uint32_t bytes = site - trail.starts[i];
    if (bytes >= enough) {
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
  uint32_t at = site.offset - site.before_bytes;
  while (site.before_bytes > 0) {
    at += DecodeInstruction(text.subspan(at)).length;
    if (at + site.kept_bytes >= site.offset) {
      break;  // the `syscall` and what is kept before it stay and may be jumped to
    }
    visit(at);
  }
  if (site.before_bytes > 0 && MovesSyscall(site)) {
    visit(site.offset);
  }
  at = site.offset + kSyscall_bytes;
  while (at < site.offset + kSyscall_bytes + site.after_bytes) {
    visit(at);
    const uint32_t length = DecodeInstruction(text.subspan(at)).length;
    at += length > 0 ? length : 1;
  }
}

// True if the instruction at `at` looks at the result: nothing but the syscall before it would lead there.
bool UsesResult(Bytes text, uint32_t at) {
  if (at + 3 > text.size()) {
    return false;
  }
  const uint32_t opcode = text[at] == 0x48 ? at + 1 : at;
  const bool compares_immediate =
      text[opcode] == 0x3d || (text[opcode] == 0x83 && text[opcode + 1] == 0xf8);  // cmp $n, %rax
  const bool moves = text[opcode] == 0x89 && (text[opcode + 1] & 0x38) == 0;       // mov %rax, r/m
  return compares_immediate || moves;
}

// A switch table's jump nearby could land between the instructions, and its targets are not in the code. `from`: start of the
// function where it is known.
bool HasIndirectJumpNear(Bytes text, uint32_t from, uint32_t site) {
  const uint64_t wanted_end = static_cast<uint64_t>(site) + kTableSearch_bytes;
  const auto end = static_cast<uint32_t>(wanted_end < text.size() ? wanted_end : text.size());
  for (uint32_t at = from; at + 1 < end; ++at) {
    if (at > site && text[at] == 0xcc && text[at + 1] == 0xcc) {
      return false;  // padding: the function ends here
    }
    const uint8_t modrm = text[at + 1];
    if (text[at] == 0xff && (modrm & 0x38) == 0x20 && (modrm >= 0xe0 || modrm == 0x24 || modrm == 0x64)) {
      return true;
    }
  }
  return false;
}

// A switch lands in its own function: where the bounds of that are known its instructions are looked at, all of them. Where they are
// not, or do not decode, every byte nearby is taken for the start of a jump.
bool HasIndirectJump(Bytes text, const Trail& trail, uint32_t site) {
  uint32_t at = trail.function;
  while (at < trail.function_end && at < text.size() && at - trail.function < 2 * kMaxFunction_bytes) {
    const Instruction instruction = DecodeInstruction(text.subspan(at));
    if (instruction.kind == InstructionKind::kInvalid) {
      break;
    }
    if (instruction.kind == InstructionKind::kIndirectJump && instruction.rip_displacement_at == 0) {
      return true;
    }
    at += instruction.length;
  }
  const bool is_whole = trail.function_end != 0 && at >= trail.function_end;
  return !is_whole && HasIndirectJumpNear(text, trail.function, site);
}

// The ways of rewriting a site that are open, each a PatchSite, the best one first. Which it is shows when the whole text was looked
// through for jumps to their inner places; until then they are kept as one PatchSite, whose `kept_bytes` stands for `around`.
struct Candidate {
  uint32_t offset = 0;
  uint32_t before = 0;
  uint32_t after = 0;
  uint32_t around = 0;  // before_bytes of a site whose `syscall` moves

  bool is_open() const { return before > 0 || after > 0 || around > 0; }
  uint32_t low() const { return offset - (before > around ? before : around); }
  uint32_t high() const { return offset + kSyscall_bytes + after; }

  PatchSite Pack() const {
    return {offset, static_cast<uint8_t>(before), static_cast<uint8_t>(after), static_cast<uint16_t>(around)};
  }
  static Candidate Unpack(const PatchSite& packed) {
    return {packed.offset, packed.before_bytes, packed.after_bytes, packed.kept_bytes};
  }
  template <typename Visit>
  void ForEachWay(Visit visit) const {
    if (before > 0) {
      visit(PatchSite{offset, static_cast<uint8_t>(before), 0, 0});
    }
    if (after > 0) {
      visit(PatchSite{offset, 0, static_cast<uint8_t>(after), 0});
    }
    if (around > 0) {
      visit(PatchSite{offset, static_cast<uint8_t>(around), 0, 0});
    }
  }
};

// End of what the site's jump replaces, or of its `syscall`.
uint32_t EndOf(const PatchSite& site) { return site.offset + kSyscall_bytes + site.after_bytes; }

Candidate FindCandidate(const CodeText& text, uint32_t offset) {
  Candidate candidate;
  candidate.offset = offset;
  Trail trail;
  if (!FindTrail(text, offset, trail)) {
    return candidate;
  }
  const uint32_t before = MovableBefore(text.bytes, offset, trail, kJump_bytes);
  if (before > 0 && trail.starts[0] == offset - before) {
    candidate.before = before;
    return candidate;  // a single instruction: nothing inside to jump to
  }
  if (trail.ends_at_site) {
    return candidate;  // too little is known of what comes after
  }
  const bool has_indirect_jump = HasIndirectJump(text.bytes, trail, offset);
  const uint32_t after = MovableAfter(text.bytes, offset);
  if (after <= kMaxMoved_bytes && (!has_indirect_jump || UsesResult(text.bytes, offset + kSyscall_bytes))) {
    candidate.after = after;
  }
  if (!has_indirect_jump) {
    candidate.before = before;
    const uint32_t around = MovableBefore(text.bytes, offset, trail, kJump_bytes - kSyscall_bytes);
    candidate.around = around < kJump_bytes ? around : 0;
  }
  return candidate;
}

// A site whose place for the jump others jump into (glibc's loops around exit), or with a switch nearby: the jump may go over one longer
// instruction further up, and what is in between is kept for them. False if there is none, or it lies before `lowest`.
bool KeepWhatIsBetween(const CodeText& text, uint32_t lowest, PatchSite& site) {
  Trail trail;
  if (!FindTrail(text, site.offset, trail)) {
    return false;
  }
  for (uint32_t i = 0; i < trail.count; ++i) {
    const Instruction instruction = DecodeInstruction(text.bytes.subspan(trail.starts[i]));
    const uint32_t before = site.offset - trail.starts[i];
    if (!IsMovable(instruction) || before > kMaxMoved_bytes || trail.starts[i] < lowest) {
      return false;
    }
    if (instruction.length >= kJump_bytes) {
      site = {site.offset, static_cast<uint8_t>(before), 0, static_cast<uint16_t>(before - instruction.length)};
      return true;
    }
  }
  return false;
}

// Visits the inner places of all the ways, each once, in ascending order.
template <typename Visit>
void ForEachInner(Bytes text, const Candidate& candidate, Visit visit) {
  uint32_t places[3 * kMaxMoved_bytes];
  size_t count = 0;
  candidate.ForEachWay([&](const PatchSite& way) {
    ForEachInner(text, way, [&](uint32_t place) {
      size_t at = count++;
      for (; at > 0 && places[at - 1] > place; --at) {
        places[at] = places[at - 1];
      }
      places[at] = place;
    });
  });
  for (size_t i = 0; i < count; ++i) {
    if (i == 0 || places[i] != places[i - 1]) {
      visit(places[i]);
    }
  }
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
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t i = 0; i < count_; ++i) {
      visit(scratch_.inner[i]);
    }
  }

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

bool IsShortBranch(uint8_t opcode) {
  return (opcode >= 0x70 && opcode <= 0x7f) || opcode == 0xeb || (opcode >= 0xe0 && opcode <= 0xe3);
}

// Marks the place if any byte pair near it, read as a short jump, would go there.
void MarkShortJumps(Bytes text, uint32_t place, InnerPlaces& places) {
  constexpr uint32_t kShortReach_bytes = 130;
  const uint32_t from = place > kShortReach_bytes ? place - kShortReach_bytes : 0;
  for (uint32_t at = from; at < place + kShortReach_bytes && at + 2 <= text.size(); ++at) {
    const auto distance = static_cast<int8_t>(text[at + 1]);
    if (IsShortBranch(text[at]) && at + 2 + static_cast<uint32_t>(static_cast<int32_t>(distance)) == place) {
      places.Hit(place);
    }
  }
}

// Marks where the bytes at `at` would go if they are a near jump or call.
void MarkNearJump(Bytes text, uint32_t at, InnerPlaces& places) {
  if ((text[at] & 0xfe) == 0xe8) {
    if (at + 5 <= text.size()) {
      places.Hit(at + 5 + static_cast<uint32_t>(Read32(text, at + 1)));
    }
  } else if (text[at] == 0x0f && at + 6 <= text.size() && (text[at + 1] & 0xf0) == 0x80) {
    places.Hit(at + 6 + static_cast<uint32_t>(Read32(text, at + 2)));
  }
}

constexpr uint64_t kOnes = 0x0101010101010101ULL;
constexpr uint64_t kHighs = 0x8080808080808080ULL;

// The high bit of each zero byte; a byte above one may be wrongly in.
uint64_t ZeroBytes(uint64_t word) { return (word - kOnes) & ~word & kHighs; }

uint64_t Read64(Bytes bytes, size_t at) {
  uint64_t word;
  __builtin_memcpy(&word, bytes.data() + at, sizeof(word));
  return word;
}

// Marks every place that any byte sequence of the text, read as a near jump or call, would go to. Most of a scan's time is here:
// eight bytes at a time.
void MarkNearJumps(Bytes text, InnerPlaces& places) {
  const auto size = static_cast<uint32_t>(text.size());
  uint32_t at = 0;
  for (; at + 8 <= size; at += 8) {
    const uint64_t word = Read64(text, at);
    uint64_t hits = ZeroBytes((word & ~kOnes) ^ (kOnes * 0xe8)) | ZeroBytes(word ^ (kOnes * 0x0f));
    while (hits != 0) {
      MarkNearJump(text, at + static_cast<uint32_t>(__builtin_ctzll(hits) / 8), places);
      hits &= hits - 1;
    }
  }
  for (; at < size; ++at) {
    MarkNearJump(text, at, places);
  }
}

// Next 0f 05 at or after `from`, or the size.
uint32_t FindSyscallBytes(Bytes text, uint32_t from) {
  const auto size = static_cast<uint32_t>(text.size());
  uint32_t at = from;
  while (at + 9 <= size) {
    uint64_t hits = ZeroBytes(Read64(text, at + 1) ^ (kOnes * 0x05));
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
  uint32_t replaced_to = 0;  // end of the last candidate's bytes: sites must not overlap
  size_t candidates = 0;
  for (uint32_t at = FindSyscallBytes(text.bytes, 0); at < size; at = FindSyscallBytes(text.bytes, at + 1)) {
    if (candidates == sites.size()) {
      ++counts.left;
      continue;
    }
    Candidate candidate = FindCandidate(text, at);
    if (candidate.low() < replaced_to) {
      candidate = {at, 0, 0, 0};  // what is kept may be found in the end
    }
    bool fits = true;
    ForEachInner(text.bytes, candidate, [&](uint32_t place) { fits = fits && places.Add(place); });
    if (!fits) {
      candidate = {at, 0, 0, 0};
    }
    if (candidate.is_open()) {
      replaced_to = candidate.high();
    }
    sites[candidates++] = candidate.Pack();
  }
  if (!places.empty()) {
    MarkNearJumps(text.bytes, places);
    places.ForEach([&](uint32_t place) { MarkShortJumps(text.bytes, place, places); });
  }
  for (size_t i = 0; i < candidates; ++i) {
    const Candidate candidate = Candidate::Unpack(sites[i]);
    const uint32_t lowest = counts.sites == 0 ? 0 : EndOf(sites[counts.sites - 1]);
    PatchSite chosen = {candidate.offset, 0, 0, 0};
    const auto is_chosen = [&] { return chosen.before_bytes > 0 || chosen.after_bytes > 0; };
    candidate.ForEachWay([&](const PatchSite& way) {
      if (!is_chosen() && MovesSyscall(way) && way.before_bytes > 0) {
        KeepWhatIsBetween(text, lowest, chosen);  // better: the `syscall` stays
      }
      bool is_hit = is_chosen() || way.offset - way.before_bytes < lowest;
      ForEachInner(text.bytes, way, [&](uint32_t place) { is_hit = is_hit || places.IsHit(place); });
      chosen = is_hit ? chosen : way;
    });
    if (is_chosen() || KeepWhatIsBetween(text, lowest, chosen)) {
      sites[counts.sites++] = chosen;
    } else {
      ++counts.left;
    }
  }
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
    return site.kept_bytes == 0 && MovableAfter(text, site.offset) == site.after_bytes;
  }
  uint32_t at = site.offset - site.before_bytes;
  const uint32_t replaced_bytes = static_cast<uint32_t>(site.before_bytes) - site.kept_bytes;
  if (site.kept_bytes != 0 && (site.kept_bytes > site.before_bytes || replaced_bytes < kJump_bytes ||
                               DecodeInstruction(text.subspan(at)).length != replaced_bytes)) {
    return false;
  }
  while (at < site.offset) {
    const Instruction instruction = DecodeInstruction(text.subspan(at));
    if (!IsMovable(instruction)) {
      return false;
    }
    at += instruction.length;
  }
  return at == site.offset && site.before_bytes + kSyscall_bytes >= kJump_bytes;
}

void FindUnwindRows(std::span<const uint8_t> unwind, uint64_t unwind_address, uint64_t text_address, CodeText& text) {
  constexpr uint8_t kDataRelativeSigned4 = 0x3b;
  constexpr uint8_t kUnsigned4 = 0x03;
  constexpr uint8_t kPcRelativeSigned4 = 0x1b;
  if (unwind.size() < kUnwindHeader_bytes || unwind[0] != 1 || unwind[1] != kPcRelativeSigned4 ||
      unwind[2] != kUnsigned4 || unwind[3] != kDataRelativeSigned4) {
    return;
  }
  const auto rows = static_cast<uint32_t>(Read32(unwind, 8));
  if (rows > (unwind.size() - kUnwindHeader_bytes) / 8) {
    return;
  }
  text.unwind = unwind;
  text.unwind_rows = rows;
  text.unwind_base = static_cast<int64_t>(unwind_address - text_address);
}

}  // namespace junction
