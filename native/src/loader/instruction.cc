// SPDX-License-Identifier: Apache-2.0
#include "loader/instruction.h"

namespace junction {
namespace {

// What follows an opcode.
enum Form : uint8_t {
  kNone = 0,
  kModRm = 1,
  kImm8 = 2,
  kImm16 = 4,
  kImmZ = 8,     // 4 bytes, 2 with an operand-size prefix
  kImmV = 16,    // as kImmZ, 8 with REX.W
  kOffset = 32,  // moffs: 8 bytes, 4 with an address-size prefix
  kRel8 = 64,
  kRel32 = 128,
};
constexpr uint8_t kBad = 0xff;

constexpr uint8_t M = kModRm;
constexpr uint8_t B = kImm8;
constexpr uint8_t Z = kImmZ;
constexpr uint8_t X = kBad;
constexpr uint8_t J = kRel8;
constexpr uint8_t R = kRel32;
constexpr uint8_t O = kOffset;
constexpr uint8_t MB = M | B;
constexpr uint8_t MZ = M | Z;

// Prefixes and escapes are taken before the look-up and stand as X.
constexpr uint8_t kOneByte[256] = {
    M,  M,  M, M,  B, Z, X,  X,  M,  M,  M,  M,  B,  Z,  X,  X,   // 00
    M,  M,  M, M,  B, Z, X,  X,  M,  M,  M,  M,  B,  Z,  X,  X,   // 10
    M,  M,  M, M,  B, Z, X,  X,  M,  M,  M,  M,  B,  Z,  X,  X,   // 20
    M,  M,  M, M,  B, Z, X,  X,  M,  M,  M,  M,  B,  Z,  X,  X,   // 30
    X,  X,  X, X,  X, X, X,  X,  X,  X,  X,  X,  X,  X,  X,  X,   // 40 REX
    0,  0,  0, 0,  0, 0, 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,   // 50 push, pop
    X,  X,  X, M,  X, X, X,  X,  Z,  MZ, B,  MB, 0,  0,  0,  0,   // 60
    J,  J,  J, J,  J, J, J,  J,  J,  J,  J,  J,  J,  J,  J,  J,   // 70
    MB, MZ, X, MB, M, M, M,  M,  M,  M,  M,  M,  M,  M,  M,  M,   // 80
    0,  0,  0, 0,  0, 0, 0,  0,  0,  0,  X,  0,  0,  0,  0,  0,   // 90
    O,  O,  O, O,  0, 0, 0,  0,  B,  Z,  0,  0,  0,  0,  0,  0,   // a0
    B,  B,  B, B,  B, B, B,  B,  16, 16, 16, 16, 16, 16, 16, 16,  // b0
    MB, MB, 4, 0,  X, X, MB, MZ, 6,  0,  4,  0,  0,  B,  X,  0,   // c0
    M,  M,  M, M,  X, X, X,  0,  M,  M,  M,  M,  M,  M,  M,  M,   // d0
    J,  J,  J, J,  B, B, B,  B,  R,  R,  X,  J,  0,  0,  0,  0,   // e0
    X,  0,  X, X,  0, 0, M,  M,  0,  0,  0,  0,  0,  0,  M,  M,   // f0
};

constexpr uint8_t kTwoByte[256] = {
    M,  M,  M,  M,  X,  0,  0,  0, 0, 0, X,  0, X,  M, 0, MB,  // 00
    M,  M,  M,  M,  M,  M,  M,  M, M, M, M,  M, M,  M, M, M,   // 10
    M,  M,  M,  M,  X,  X,  X,  X, M, M, M,  M, M,  M, M, M,   // 20
    0,  0,  0,  0,  0,  0,  X,  0, X, X, X,  X, X,  X, X, X,   // 30
    M,  M,  M,  M,  M,  M,  M,  M, M, M, M,  M, M,  M, M, M,   // 40
    M,  M,  M,  M,  M,  M,  M,  M, M, M, M,  M, M,  M, M, M,   // 50
    M,  M,  M,  M,  M,  M,  M,  M, M, M, M,  M, M,  M, M, M,   // 60
    MB, MB, MB, MB, M,  M,  M,  0, M, M, X,  X, M,  M, M, M,   // 70
    R,  R,  R,  R,  R,  R,  R,  R, R, R, R,  R, R,  R, R, R,   // 80
    M,  M,  M,  M,  M,  M,  M,  M, M, M, M,  M, M,  M, M, M,   // 90
    0,  0,  0,  M,  MB, M,  X,  X, 0, 0, 0,  M, MB, M, M, M,   // a0
    M,  M,  M,  M,  M,  M,  M,  M, M, M, MB, M, M,  M, M, M,   // b0
    M,  M,  MB, M,  MB, MB, MB, M, 0, 0, 0,  0, 0,  0, 0, 0,   // c0
    M,  M,  M,  M,  M,  M,  M,  M, M, M, M,  M, M,  M, M, M,   // d0
    M,  M,  M,  M,  M,  M,  M,  M, M, M, M,  M, M,  M, M, M,   // e0
    M,  M,  M,  M,  M,  M,  M,  M, M, M, M,  M, M,  M, M, M,   // f0
};

struct Prefixes {
  bool operand_size = false;
  bool address_size = false;
  bool repeat = false;  // f2 or f3
  bool rex_w = false;
};

// Reads bytes without ever passing the end; ok() turns false instead.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> code)
      : code_(code.size() > kMaxInstruction_bytes ? code.first(kMaxInstruction_bytes) : code) {}
  uint8_t Peek() { return at_ < code_.size() ? code_[at_] : Fail(); }
  uint8_t Next() { return at_ < code_.size() ? code_[at_++] : Fail(); }
  void Skip(size_t bytes) {
    if (code_.size() - at_ < bytes) {
      Fail();
      return;
    }
    at_ += bytes;
  }
  int32_t Signed(size_t bytes) {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; ++i) {
      value |= static_cast<uint32_t>(Next()) << (8 * i);
    }
    return bytes == 1 ? static_cast<int8_t>(value) : static_cast<int32_t>(value);
  }
  bool ok() const { return ok_; }
  size_t at() const { return at_; }

 private:
  uint8_t Fail() {
    ok_ = false;
    return 0;
  }
  std::span<const uint8_t> code_;
  size_t at_ = 0;
  bool ok_ = true;
};

Prefixes ReadPrefixes(Reader& reader) {
  Prefixes prefixes;
  while (reader.ok()) {
    switch (reader.Peek()) {
      case 0x66:
        prefixes.operand_size = true;
        break;
      case 0x67:
        prefixes.address_size = true;
        break;
      case 0xf2:
      case 0xf3:
        prefixes.repeat = true;
        break;
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
      case 0x64:
      case 0x65:
      case 0xf0:
        break;
      default: {
        // A REX prefix counts only right before the opcode; one that is followed by a prefix is dropped by the processor.
        if ((reader.Peek() & 0xf0) == 0x40) {
          const bool wide = (reader.Next() & 8) != 0;
          const uint8_t next = reader.Peek();
          const bool is_prefix = next == 0x66 || next == 0x67 || next == 0xf0 || next == 0xf2 || next == 0xf3 ||
                                 next == 0x26 || next == 0x2e || next == 0x36 || next == 0x3e || next == 0x64 ||
                                 next == 0x65 || (next & 0xf0) == 0x40;
          if (is_prefix) {
            continue;
          }
          prefixes.rex_w = wide;
        }
        return prefixes;
      }
    }
    reader.Next();
  }
  return prefixes;
}

// ModRM, SIB and displacement. `register_only`: the processor takes mod as 3 (moves of control registers).
uint8_t ReadModRm(Reader& reader, Instruction& instruction, bool register_only) {
  const uint8_t modrm = reader.Next();
  const uint8_t mod = modrm >> 6;
  const uint8_t rm = modrm & 7;
  if (mod == 3 || register_only) {
    return modrm;
  }
  if (rm == 4) {
    const uint8_t sib = reader.Next();
    if (mod == 0 && (sib & 7) == 5) {
      reader.Skip(4);
    }
  } else if (mod == 0 && rm == 5) {
    instruction.rip_displacement_at = static_cast<uint8_t>(reader.at());
    reader.Skip(4);
  }
  reader.Skip(mod == 1 ? 1 : (mod == 2 ? 4 : 0));
  return modrm;
}

void ReadImmediates(Reader& reader, Instruction& instruction, uint8_t form, const Prefixes& prefixes) {
  const size_t z_bytes = prefixes.operand_size && !prefixes.rex_w ? 2 : 4;
  if ((form & kImm16) != 0) {
    reader.Skip(2);
  }
  if ((form & kImm8) != 0) {
    reader.Skip(1);
  }
  if ((form & kImmZ) != 0) {
    reader.Skip(z_bytes);
  }
  if ((form & kImmV) != 0) {
    reader.Skip(prefixes.rex_w ? 8 : z_bytes);
  }
  if ((form & kOffset) != 0) {
    reader.Skip(prefixes.address_size ? 4 : 8);
  }
  if ((form & kRel8) != 0) {
    instruction.branch_distance = reader.Signed(1);
  }
  if ((form & kRel32) != 0) {
    instruction.branch_distance = reader.Signed(4);
  }
}

Instruction Finish(const Reader& reader, Instruction instruction) {
  if (!reader.ok()) {
    return Instruction{};
  }
  instruction.length = static_cast<uint8_t>(reader.at());
  return instruction;
}

// Opcode map 1 of VEX and EVEX has the immediates of the 0f map.
uint8_t VectorForm(uint8_t map, uint8_t opcode, bool is_evex) {
  switch (map) {
    case 1:
      if (opcode == 0x77 && !is_evex) {
        return kNone;
      }
      if ((opcode & 0xf0) == 0x80) {
        return kBad;  // branches of Knights Corner
      }
      if ((opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2 || (opcode >= 0xc4 && opcode <= 0xc6)) {
        return MB;
      }
      return M;
    case 2:
      return M;
    case 3:
      return MB;
    case 5:
    case 6:
      return is_evex ? M : kBad;
    default:
      return kBad;
  }
}

// `escape` is c4, c5 or 62.
Instruction DecodeVector(Reader& reader, uint8_t escape) {
  Instruction instruction;
  uint8_t map = 1;
  if (escape == 0xc5) {
    reader.Skip(1);
  } else {
    const uint8_t first = reader.Next();
    map = escape == 0xc4 ? first & 0x1f : first & 7;
    reader.Skip(escape == 0xc4 ? 1 : 2);
  }
  const uint8_t opcode = reader.Next();
  const uint8_t form = VectorForm(map, opcode, escape == 0x62);
  if (form == kBad) {
    return Instruction{};
  }
  if ((form & kModRm) != 0) {
    ReadModRm(reader, instruction, false);
  }
  if ((form & kImm8) != 0) {
    reader.Skip(1);
  }
  instruction.kind = InstructionKind::kPlain;
  return Finish(reader, instruction);
}

Instruction DecodeTwoByte(Reader& reader, const Prefixes& prefixes) {
  Instruction instruction;
  instruction.kind = InstructionKind::kPlain;
  const uint8_t opcode = reader.Next();
  if (opcode == 0x38 || opcode == 0x3a) {
    reader.Next();
    ReadModRm(reader, instruction, false);
    reader.Skip(opcode == 0x3a ? 1 : 0);
    return Finish(reader, instruction);
  }
  const uint8_t form = kTwoByte[opcode];
  if (form == kBad) {
    return Instruction{};
  }
  uint8_t modrm = 0;
  if ((form & kModRm) != 0) {
    modrm = ReadModRm(reader, instruction, opcode >= 0x20 && opcode <= 0x23);
    if (opcode == 0x78 && (prefixes.operand_size || prefixes.repeat)) {
      reader.Skip(2);  // extrq, insertq
    }
  }
  ReadImmediates(reader, instruction, form & ~kModRm, prefixes);
  if (opcode == 0x05) {
    instruction.kind = InstructionKind::kSyscall;
  } else if ((form & kRel32) != 0) {
    instruction.kind = InstructionKind::kBranch;
  } else if (opcode == 0x0b || opcode == 0x34 || opcode == 0x07 || opcode == 0x35 ||
             (opcode == 0x01 && modrm >= 0xc0)) {
    instruction.kind = InstructionKind::kTrap;
  }
  return Finish(reader, instruction);
}

InstructionKind KindOfOneByte(uint8_t opcode, uint8_t modrm) {
  if ((opcode >= 0x70 && opcode <= 0x7f) || (opcode >= 0xe0 && opcode <= 0xe3) || opcode == 0xeb || opcode == 0xe9) {
    return InstructionKind::kBranch;
  }
  switch (opcode) {
    case 0xe8:
      return InstructionKind::kCall;
    case 0xc2:
    case 0xc3:
    case 0xca:
    case 0xcb:
    case 0xcf:
      return InstructionKind::kReturn;
    case 0xcc:
    case 0xcd:
    case 0xf1:
    case 0xf4:
      return InstructionKind::kTrap;
    case 0xc7:
    case 0xc6:
      return (modrm & 0x38) == 0 ? InstructionKind::kPlain : InstructionKind::kTrap;  // xbegin and xabort branch
    case 0xff:
      switch ((modrm >> 3) & 7) {
        case 2:
        case 3:
          return InstructionKind::kIndirectCall;
        case 4:
        case 5:
          return InstructionKind::kIndirectJump;
        case 7:
          return InstructionKind::kInvalid;
        default:
          return InstructionKind::kPlain;
      }
    default:
      return InstructionKind::kPlain;
  }
}

}  // namespace

Instruction DecodeInstruction(std::span<const uint8_t> code) {
  Reader reader(code);
  const Prefixes prefixes = ReadPrefixes(reader);
  const uint8_t opcode = reader.Next();
  if (!reader.ok()) {
    return Instruction{};
  }
  if (opcode == 0x0f) {
    return DecodeTwoByte(reader, prefixes);
  }
  if (opcode == 0xc4 || opcode == 0xc5 || opcode == 0x62) {
    return DecodeVector(reader, opcode);
  }
  const uint8_t form = kOneByte[opcode];
  if (form == kBad) {
    return Instruction{};
  }
  Instruction instruction;
  uint8_t modrm = 0;
  if ((form & kModRm) != 0) {
    modrm = ReadModRm(reader, instruction, false);
    if (opcode == 0x8f && (modrm & 0x38) != 0) {
      return Instruction{};  // AMD's XOP
    }
  }
  ReadImmediates(reader, instruction, form & ~kModRm, prefixes);
  if ((opcode == 0xf6 || opcode == 0xf7) && (modrm & 0x30) == 0) {
    reader.Skip(opcode == 0xf6 ? 1 : (prefixes.operand_size && !prefixes.rex_w ? 2 : 4));  // test with an immediate
  }
  instruction.kind = KindOfOneByte(opcode, modrm);
  if (instruction.kind == InstructionKind::kInvalid) {
    return Instruction{};
  }
  return Finish(reader, instruction);
}

}  // namespace junction
