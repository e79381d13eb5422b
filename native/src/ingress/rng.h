// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace junction::ingress {

/// xoshiro256++ (Blackman, Vigna 2019): a few nanoseconds for 64 bits. For identifiers that must not collide, not for
/// secrets. One owner thread.
class Rng {
 public:
  /// `seed` must not be all zero.
  explicit Rng(const std::array<uint64_t, 4>& seed) : state_(seed) {}

  uint64_t Next() {
    const uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

 private:
  std::array<uint64_t, 4> state_;
};

}  // namespace junction::ingress
