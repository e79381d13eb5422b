// SPDX-License-Identifier: Apache-2.0
#include "net/tcp/syn_cookie.h"

namespace junction::net {
namespace {

constexpr uint32_t kPurposeCookie = 0x7465'7103;
constexpr uint64_t kPeriod_ns = 64 * kSecond_ns;
// The usual sizes: least, IPv6's least, PPPoE and tunnels, Ethernet with IPv6 and IPv4, FDDI, jumbo, local links.
constexpr uint16_t kSegments[8] = {536, 1220, 1300, 1440, 1460, 4312, 8960, 65475};
constexpr uint32_t kBits = 5;
constexpr uint32_t kNoScale = 15;

uint32_t Tag(const TcpLayer& tcp, const Endpoint& local, const Endpoint& remote, uint32_t irs, uint64_t period,
             uint32_t index) {
  const uint64_t more = static_cast<uint64_t>(irs) << 32 | (period & 0x1fffffff) << 3 | index;
  return static_cast<uint32_t>(SecretHash(tcp.stack->signing_secret, kPurposeCookie, local, remote, more)) & 0xffffff;
}

}  // namespace

uint32_t MakeSynCookie(const TcpLayer& tcp, const Endpoint& local, const Endpoint& remote, uint32_t irs,
                       uint32_t peer_mss_bytes, uint64_t now_ns) {
  uint32_t index = 7;
  while (index != 0 && kSegments[index] > peer_mss_bytes) {
    --index;
  }
  const uint64_t period = now_ns / kPeriod_ns;
  return static_cast<uint32_t>(period & 31) << 27 | index << 24 | Tag(tcp, local, remote, irs, period, index);
}

uint32_t CheckSynCookie(const TcpLayer& tcp, const Endpoint& local, const Endpoint& remote, uint32_t irs,
                        uint32_t cookie, uint64_t now_ns) {
  const uint64_t now = now_ns / kPeriod_ns;
  const uint64_t age = (now - (cookie >> 27)) & 31;
  const uint32_t index = cookie >> 24 & 7;
  if (age > 1 || age > now || Tag(tcp, local, remote, irs, now - age, index) != (cookie & 0xffffff)) {
    return 0;
  }
  return kSegments[index];
}

uint32_t MakeCookieTimestamp(uint32_t clock, const TcpOptionsSeen& offered) {
  const uint32_t bits =
      (offered.permits_sack ? 1U << 4 : 0) | (offered.has_window_scale ? offered.window_scale : kNoScale);
  const uint32_t stamp = (clock & ~((1U << kBits) - 1)) | bits;
  return SeqAfter(stamp, clock) ? stamp - (1U << kBits) : stamp;
}

void ReadCookieTimestamp(uint32_t echo, TcpOptionsSeen& offered) {
  const uint32_t scale = echo & 15;
  offered.permits_sack = (echo >> 4 & 1) != 0;
  offered.has_window_scale = scale != kNoScale;
  offered.window_scale = static_cast<uint8_t>(scale == kNoScale ? 0 : scale);
}

}  // namespace junction::net
