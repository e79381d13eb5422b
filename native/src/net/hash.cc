// SPDX-License-Identifier: Apache-2.0
#include "net/hash.h"

namespace junction::net {
namespace {

uint64_t Rotate(uint64_t word, uint32_t bits) { return word << bits | word >> (64 - bits); }

struct SipState {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = Rotate(v1, 13) ^ v0;
    v0 = Rotate(v0, 32);
    v2 += v3;
    v3 = Rotate(v3, 16) ^ v2;
    v0 += v3;
    v3 = Rotate(v3, 21) ^ v0;
    v2 += v1;
    v1 = Rotate(v1, 17) ^ v2;
    v2 = Rotate(v2, 32);
  }
  void Take(uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }
};

}  // namespace

uint64_t SipHash(uint64_t key0, uint64_t key1, const uint64_t* words, uint32_t count) {
  // The constants are the paper's, section 2.1.
  SipState state{key0 ^ 0x736f6d6570736575ULL, key1 ^ 0x646f72616e646f6dULL, key0 ^ 0x6c7967656e657261ULL,
                 key1 ^ 0x7465646279746573ULL};
  for (uint32_t i = 0; i < count; ++i) {
    state.Take(words[i]);
  }
  state.Take(static_cast<uint64_t>(count) * 8 << 56);  // the message's length in bytes, section 2.2
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) {
    state.Round();
  }
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

uint64_t SecretHash(const Secret& secret, uint32_t purpose, const Endpoint& local, const Endpoint& remote,
                    uint64_t more) {
  const uint64_t words[6] = {
      local.address.high(),
      local.address.low(),
      remote.address.high(),
      remote.address.low(),
      static_cast<uint64_t>(purpose) << 32 | static_cast<uint64_t>(local.port) << 16 | remote.port,
      more};
  return SipHash(secret.words[2], secret.words[3], words, 6);
}

}  // namespace junction::net
