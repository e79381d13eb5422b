// SPDX-License-Identifier: Apache-2.0
// The ChaCha20 block function. Read first: RFC 8439, section 2.3. General registers only.
#pragma once

#include <cstdint>

namespace junction {

struct ChaChaKey {
  uint32_t words[8];
};

/// One block: 16 words of the key stream; nonce 0, and a counter of 64 bits as in the original ChaCha.
void ChaChaBlock(const ChaChaKey& key, uint64_t counter, uint32_t out[16]);

}  // namespace junction
