// SPDX-License-Identifier: Apache-2.0
#include "kernel/chacha.h"

namespace junction {
namespace {

constexpr int kDoubleRounds = 10;
constexpr uint32_t kConstants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};  // RFC 8439, 2.3

constexpr uint32_t RotateLeft(uint32_t value, int bits) { return value << bits | value >> (32 - bits); }

void QuarterRound(uint32_t& a, uint32_t& b, uint32_t& c, uint32_t& d) {
  a += b;
  d = RotateLeft(d ^ a, 16);
  c += d;
  b = RotateLeft(b ^ c, 12);
  a += b;
  d = RotateLeft(d ^ a, 8);
  c += d;
  b = RotateLeft(b ^ c, 7);
}

}  // namespace

void ChaChaBlock(const ChaChaKey& key, uint64_t counter, uint32_t out[16]) {
  uint32_t input[16] = {};
  __builtin_memcpy(input, kConstants, sizeof(kConstants));
  __builtin_memcpy(input + 4, key.words, sizeof(key.words));
  input[12] = static_cast<uint32_t>(counter);
  input[13] = static_cast<uint32_t>(counter >> 32);
  uint32_t x[16];
  __builtin_memcpy(x, input, sizeof(x));
  for (int round = 0; round < kDoubleRounds; ++round) {
    QuarterRound(x[0], x[4], x[8], x[12]);
    QuarterRound(x[1], x[5], x[9], x[13]);
    QuarterRound(x[2], x[6], x[10], x[14]);
    QuarterRound(x[3], x[7], x[11], x[15]);
    QuarterRound(x[0], x[5], x[10], x[15]);
    QuarterRound(x[1], x[6], x[11], x[12]);
    QuarterRound(x[2], x[7], x[8], x[13]);
    QuarterRound(x[3], x[4], x[9], x[14]);
  }
  for (int i = 0; i < 16; ++i) {
    out[i] = x[i] + input[i];
  }
}

}  // namespace junction
