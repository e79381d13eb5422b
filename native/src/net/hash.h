// SPDX-License-Identifier: Apache-2.0
// Keyed hashes: outsiders who choose addresses and ports must not be able to fill one chain of a table.
#pragma once

#include <cstdint>

#include "net/address.h"

namespace junction::net {

struct Secret {
  uint64_t words[4] = {};
};

/// Both halves of a 128-bit product, folded: a good mixer in one multiplication.
inline uint64_t MixHash(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

/// For tables: cheap.
inline uint64_t HashAddress(const Secret& secret, const IpAddress& address, uint64_t more) {
  const uint64_t first = MixHash(address.high() ^ secret.words[0], address.low() ^ secret.words[1]);
  return MixHash(first ^ secret.words[2], more ^ secret.words[3]);
}
inline uint64_t HashFlow(const Secret& secret, const Endpoint& local, const Endpoint& remote) {
  const uint64_t first = MixHash(local.address.high() ^ secret.words[0], local.address.low() ^ secret.words[1]);
  const uint64_t ports = static_cast<uint64_t>(local.port) << 16 | remote.port;
  return HashAddress(secret, remote.address, first ^ ports);
}

/// For secrets that leave the stack (sequence numbers, ports, cookies): SipHash-2-4 (Aumasson, Bernstein 2012) over whole words.
uint64_t SipHash(uint64_t key0, uint64_t key1, const uint64_t* words, uint32_t count);
/// Of the four-tuple and one word more; `purpose` keeps the uses apart.
uint64_t SecretHash(const Secret& secret, uint32_t purpose, const Endpoint& local, const Endpoint& remote,
                    uint64_t more);

}  // namespace junction::net
