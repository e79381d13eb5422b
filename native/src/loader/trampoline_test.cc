// SPDX-License-Identifier: Apache-2.0
// Runs patched code for real: the entry is a stub that adds 1000 to rax and goes back to rcx.
#include "loader/trampoline.h"

#include <asm/prctl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <vector>

#include "loader/code_scanner.h"
#include "uthread/uthread_layout.h"

namespace junction {
namespace {

constexpr size_t kPage_bytes = 4096;
constexpr size_t kPoolAt = kPage_bytes;  // in place of a Kthread; then the stub, the trampolines
constexpr size_t kStubAt = kPoolAt + 64;
constexpr size_t kTrampolinesAt = kPoolAt + 128;
constexpr size_t kTextAt = 128;
constexpr uint8_t kStub[] = {0x48, 0x05, 0xe8, 0x03, 0x00, 0x00, 0xff, 0xe1};  // add $1000, %rax; jmp *%rcx

// Two executable pages: text and trampolines.
class Arena {
 public:
  Arena() {
    void* const memory =
        mmap(nullptr, 2 * kPage_bytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(memory, MAP_FAILED);
    bytes_ = static_cast<uint8_t*>(memory);
    std::memset(bytes_, 0xcc, 2 * kPage_bytes);
    const uint64_t stub = address(kStubAt);
    std::memcpy(bytes_ + kPoolAt + KT_ENTRY, &stub, sizeof(stub));
    EXPECT_EQ(syscall(SYS_arch_prctl, ARCH_SET_GS, address(kPoolAt)), 0);  // as if a Kthread were there
    std::memcpy(bytes_ + kStubAt, kStub, sizeof(kStub));
  }
  ~Arena() { munmap(bytes_, 2 * kPage_bytes); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  uint64_t address(size_t offset) const { return reinterpret_cast<uint64_t>(bytes_) + offset; }
  uint8_t* at(size_t offset) const { return bytes_ + offset; }

  // Patches the code at kTextAt as a scan says and returns the number of sites.
  size_t Patch(const std::vector<uint8_t>& code) {
    std::memcpy(bytes_ + kTextAt, code.data(), code.size());
    const std::vector<uint8_t> text(bytes_, bytes_ + kPage_bytes);
    std::vector<PatchSite> sites(16);
    const auto scratch = std::make_unique<ScanScratch>();
    CodeText code_text;
    code_text.bytes = text;
    sites.resize(ScanCode(code_text, sites, *scratch).sites);
    size_t next = kTrampolinesAt;
    for (const PatchSite& site : sites) {
      uint8_t trampoline[kMaxTrampoline_bytes];
      const size_t size = WriteTrampoline(text, site, {address(0), address(next)}, trampoline);
      EXPECT_GT(size, 0U);
      std::memcpy(bytes_ + next, trampoline, size);
      const ReplacedBytes replaced = ReplacedBy(site);
      EXPECT_TRUE(WriteJump(address(replaced.offset), address(next), {bytes_ + replaced.offset, replaced.size_bytes}));
      next += size;
    }
    return sites.size();
  }

  int64_t Run(int64_t argument, size_t entry = kTextAt) {
    int64_t (*function)(int64_t) = nullptr;
    const uint64_t place = address(entry);
    std::memcpy(&function, &place, sizeof(function));
    return function(argument);
  }

 private:
  uint8_t* bytes_ = nullptr;
};

TEST(Trampoline, RunsAMovAndComesBack) {
  Arena arena;
  ASSERT_EQ(arena.Patch({0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3}), 1U);
  EXPECT_EQ(arena.Run(0), 1039);
  EXPECT_EQ(arena.at(kTextAt + 5)[0], 0x0f);  // the syscall stays
}

TEST(Trampoline, RunsSeveralMovedInstructionsInOrder) {
  Arena arena;
  // mov $5, %eax; add %edi, %eax; syscall; ret
  ASSERT_EQ(arena.Patch({0xb8, 5, 0, 0, 0, 0x01, 0xf8, 0x0f, 0x05, 0xc3}), 1U);
  EXPECT_EQ(arena.Run(30), 1035);
}

TEST(Trampoline, RunsInstructionsAfterTheSyscall) {
  Arena arena;
  // mov %rdi, %rax; jmp +0; syscall; add $7, %rax (as cmp's neighbour: 48 83 c0 07); ret
  ASSERT_EQ(arena.Patch({0x48, 0x89, 0xf8, 0xeb, 0x00, 0x0f, 0x05, 0x48, 0x83, 0xc0, 0x07, 0xc3}), 1U);
  EXPECT_EQ(arena.Run(1), 1008);
}

TEST(Trampoline, RunsAReturnAfterTheSyscall) {
  Arena arena;
  ASSERT_EQ(arena.Patch({0x48, 0x89, 0xf8, 0xeb, 0x00, 0x0f, 0x05, 0xc3}), 1U);
  EXPECT_EQ(arena.Run(2), 1002);
}

TEST(Trampoline, LeavesASyscallBeforeTheReturnAddress) {
  Arena arena;
  // jmp +0; syscall; add $7, %rax; ret, with a stub that gives back rcx instead: mov %rcx, %rax; jmp *%rcx
  ASSERT_EQ(arena.Patch({0xeb, 0x00, 0x0f, 0x05, 0x48, 0x83, 0xc0, 0x07, 0xc3}), 1U);
  const uint8_t stub[] = {0x48, 0x89, 0xc8, 0xff, 0xe1};
  std::memcpy(arena.at(kStubAt), stub, sizeof(stub));
  const auto* const return_address = reinterpret_cast<const uint8_t*>(arena.Run(0) - 7);
  EXPECT_EQ(return_address[-2], 0x0f);
  EXPECT_EQ(return_address[-1], 0x05);
}

TEST(Trampoline, TakesTheSyscallAlong) {
  Arena arena;
  // xor %edx, %edx; jmp +0; mov %edi, %eax; xor %edi, %edi; syscall; jmp over; nop; over: ret
  ASSERT_EQ(arena.Patch({0x31, 0xd2, 0xeb, 0x00, 0x89, 0xf8, 0x31, 0xff, 0x0f, 0x05, 0xeb, 0x01, 0x90, 0xc3}), 1U);
  EXPECT_EQ(arena.at(kTextAt + 4)[0], 0xe9);
  EXPECT_EQ(arena.Run(7), 1007);
}

TEST(Trampoline, AdjustsARipRelativeOperand) {
  Arena arena;
  // mov value(%rip), %eax (6 bytes); syscall; ret; padding; value
  std::vector<uint8_t> code = {0x8b, 0x05, 0x0a, 0, 0, 0, 0x0f, 0x05, 0xc3};
  code.resize(16, 0xcc);
  for (const uint8_t byte : {77, 0, 0, 0}) {
    code.push_back(byte);
  }
  ASSERT_EQ(arena.Patch(code), 1U);
  EXPECT_EQ(arena.Run(0), 1077);
}

TEST(Trampoline, LetsTheFirstReplacedInstructionBeJumpedTo) {
  Arena arena;
  // test %edi, %edi; jz over; nop; over: mov $9, %eax; syscall; ret
  ASSERT_EQ(arena.Patch({0x85, 0xff, 0x74, 0x01, 0x90, 0xb8, 9, 0, 0, 0, 0x0f, 0x05, 0xc3}), 1U);
  EXPECT_EQ(arena.Run(0), 1009);
  EXPECT_EQ(arena.Run(1), 1009);
}

TEST(Trampoline, IsRefusedOutOfReach) {
  const std::vector<uint8_t> text = {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3};
  uint8_t code[kMaxTrampoline_bytes];
  constexpr uint64_t kFar = 0x7f0000000000;
  EXPECT_EQ(WriteTrampoline(text, {5, 5, 0, 0}, {0x400000, kFar}, code), 0U);
  uint8_t jump[5];
  EXPECT_FALSE(WriteJump(0x400000, kFar, jump));
  EXPECT_TRUE(WriteJump(0x400000, 0x72000000, jump));
}

}  // namespace
}  // namespace junction
