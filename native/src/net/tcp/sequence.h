// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 9293, section 3.4: sequence numbers are compared modulo 2^32.
#pragma once

#include <cstdint>

namespace junction::net {

/// a comes before b, both within half the number space of each other.
inline bool SeqBefore(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }
inline bool SeqAfter(uint32_t a, uint32_t b) { return SeqBefore(b, a); }
inline bool SeqAtMost(uint32_t a, uint32_t b) { return !SeqBefore(b, a); }
inline uint32_t SeqMax(uint32_t a, uint32_t b) { return SeqBefore(a, b) ? b : a; }
inline uint32_t SeqMin(uint32_t a, uint32_t b) { return SeqBefore(a, b) ? a : b; }
/// first <= seq <= last.
inline bool SeqWithin(uint32_t seq, uint32_t first, uint32_t last) { return seq - first <= last - first; }

}  // namespace junction::net
