// SPDX-License-Identifier: Apache-2.0
#include "net/tcp/isn.h"

namespace junction::net {
namespace {

constexpr uint32_t kPurposeSequence = 0x7465'7101;
constexpr uint32_t kPurposeTimestamp = 0x7465'7102;

}  // namespace

uint32_t InitialSequence(const TcpLayer& tcp, const Endpoint& local, const Endpoint& remote, uint64_t now_ns) {
  return static_cast<uint32_t>(SecretHash(tcp.stack->signing_secret, kPurposeSequence, local, remote, 0)) +
         static_cast<uint32_t>(now_ns >> 6);
}

uint32_t TimestampOffset(const TcpLayer& tcp, const IpAddress& local, const IpAddress& remote) {
  return static_cast<uint32_t>(SecretHash(tcp.stack->signing_secret, kPurposeTimestamp, {local, 0}, {remote, 0}, 0));
}

}  // namespace junction::net
