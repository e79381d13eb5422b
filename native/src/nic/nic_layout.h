// SPDX-License-Identifier: Apache-2.0
// The shared-memory NIC of an instance: one sealed memfd (no shrinking, no growing) that junction_run makes, the instance's uProcs map at
// kNicAddress, and each peer maps where it likes. A port is one point-to-point cable: port 0 leads to the scheduler daemon (the uplink),
// each further port to one peer on the host (an ingress worker). A port has one queue pair for each core of the instance.
//
//   0                +----------------------------------------+
//                    | NicHeader: identity, doorbells, counts |
//   1024             | NicSettings                            |
//   4096             +----------------------------------------+
//                    | port 0, queue pair 0, to the instance  |  kRingSize_bytes: ring page(s), then frame bytes
//                    | port 0, queue pair 0, from the instance|
//                    | port 0, queue pair 1, …                |
//                    | port 1, …                              |
//                    +----------------------------------------+
//
// One direction of a queue pair is a Ring with one producer and one consumer (frame_ring.h). Frame bytes lie in a circular area behind its
// descriptors; the producer alone decides where. While a ring is empty the producer starts again at its beginning, so that a
// request-response flow touches a few pages only, and an idle instance none.
//
// Who sleeps says so in a doorbell word, looks at its rings once more, and sleeps; who publishes a frame looks at the word after a full
// fence and rings if it finds a sleeper (doorbell.h). This is checked exhaustively in doorbell_model_test.cc.
//
// Trust. Peers take nothing from this memory for granted: the geometry comes from junction_run over the attachment (attachment.h), indices and
// descriptors are copied, checked, then used, and frame bytes may change while they are read. The instance trusts its peers, but not
// that they are alive.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "nic/frame.h"

namespace junction {

inline constexpr uint64_t kNicMagic = 0x3143494e544e434aULL;  // "JCNTNIC1" in little endian
inline constexpr uint32_t kNicVersion = 2;
inline constexpr uint32_t kMaxNicPorts = 8;
inline constexpr uint32_t kMaxQueuePairs = 64;
inline constexpr uint32_t kUplinkPort = 0;
inline constexpr uint32_t kMaxStaticNeighbours = 64;

inline constexpr uint32_t kRingSlots = 256;               // a power of two
inline constexpr uint32_t kRingData_bytes = 1024 * 1024;  // 15 of the largest frames: a batch that pays for its wake-up
inline constexpr uint32_t kRingHead_bytes = 8192;         // the Ring itself, in whole pages
inline constexpr uint32_t kRingSize_bytes = kRingHead_bytes + kRingData_bytes;

/// One frame in a ring. Written by the producer before it publishes `Ring::tail`.
struct FrameDescriptor {
  uint32_t offset;  // of its first byte in the ring's data; the frame does not wrap
  uint32_t length_bytes;
  uint16_t flags;  // kFrame*
  uint16_t segment_bytes;
  uint16_t checksum_start;
  uint16_t checksum_offset;
};

/// Head and tail count frames since the beginning and wrap at 2^32; slot = count % kRingSlots.
struct Ring {
  // producer's line
  alignas(64) std::atomic<uint32_t> tail;  // release; pairs with the consumer's acquire in RingConsumer::Peek
  uint32_t reserved0;
  std::atomic<uint64_t> frames;  // relaxed, statistics
  std::atomic<uint64_t> bytes;
  std::atomic<uint64_t> full;  // times that a frame found no room
  uint8_t reserved1[32];
  // consumer's line
  alignas(64) std::atomic<uint32_t> head;  // release; pairs with the producer's acquire in RingProducer::Reserve
  uint8_t reserved2[60];
  // producer
  alignas(64) FrameDescriptor slots[kRingSlots];
};

/// What a doorbell word says of its owner.
inline constexpr uint32_t kAwake = 0;    // looks at its rings by itself
inline constexpr uint32_t kInFutex = 1;  // sleeps in FUTEX_WAIT on the word: store kAwake, FUTEX_WAKE
inline constexpr uint32_t kInPoller =
    2;  // sleeps in epoll or poll: store kAwake, write 8 bytes (1) to its pipe or eventfd

/// The parts of a port that are common to its queue pairs.
struct NicPort {
  // written by the peer (sleeps), by the instance (rings)
  alignas(64) std::atomic<uint32_t> peer_doorbell;  // kAwake or kInPoller
  // written by junction_run's monitor: bumped each time that a peer comes or goes. Odd = a peer is there. The instance compares it with
  // what it saw last: another peer knows nothing of the connections of the one before.
  std::atomic<uint32_t> generation;
  std::atomic<uint64_t> peer_rings;  // times that the instance rang; relaxed
  uint8_t reserved[48];
};

struct NicHeader {
  // identity: written once by junction_run before anybody else sees it
  uint64_t magic;
  uint32_t version;
  uint32_t size_bytes;
  uint32_t port_count;        // 1 to kMaxNicPorts
  uint32_t queue_pair_count;  // 1 to kMaxQueuePairs, of each port
  uint8_t reserved0[40];

  // the instance's line
  alignas(64) std::atomic<uint32_t> instance_doorbell;  // kAwake, kInFutex, kInPoller
  std::atomic<uint32_t>
      active_queue_pairs;  // peers steer flows to queue pairs below it (rss.h); written by the instance, 0 counts as 1
  std::atomic<uint64_t> instance_rings;  // times that a peer rang; relaxed
  // 1 + the host CPU from which a peer that polls sent last, and on which the instance took frames in last; 0 = none yet. Relaxed: hints not to poll
  // for the other one where that keeps it from running.
  std::atomic<uint32_t> peer_cpu;
  std::atomic<uint32_t> instance_cpu;
  uint8_t reserved1[40];

  NicPort ports[kMaxNicPorts];
};

/// Addresses of the instance and who answers at the ports' other ends. Network byte order; zeros = none. Written once by junction_run
/// (and by a clone's, for the clone); read by the instance only: peers get theirs over the attachment.
struct NicSettings {
  MacAddress instance_mac;
  uint8_t peer_mac[kMaxNicPorts][6];
  uint16_t uplink_mtu_bytes;  // of IP packets; links have 65535
  uint8_t ip4[4];             // the instance's, on all ports
  uint8_t gateway4
      [4];  // the default route, over the uplink; neighbours of the uplink's network are looked up by ARP and ND
  uint8_t link_peer4[kMaxNicPorts][4];  // who is at the other end of a link (index 0 unused): a /32 route
  uint8_t ip6[16];
  uint8_t gateway6[16];
  uint8_t link_peer6[kMaxNicPorts][16];
  uint8_t prefix4_bits;
  uint8_t prefix6_bits;
  uint16_t static_neighbour_count;  // Junction's static_arp
  struct {
    uint8_t ip4[4];
    MacAddress mac;
  } static_neighbours[kMaxStaticNeighbours];
};

inline constexpr uint32_t kNicHeader_bytes = 4096;
inline constexpr uint32_t kNicSettingsOffset = 1024;

static_assert(sizeof(FrameDescriptor) == 16);
static_assert(sizeof(Ring) == 128 + 16 * kRingSlots && sizeof(Ring) <= kRingHead_bytes);
static_assert(offsetof(Ring, head) == 64 && offsetof(Ring, slots) == 128);
static_assert(sizeof(NicPort) == 64);
static_assert(offsetof(NicHeader, instance_doorbell) == 64 && offsetof(NicHeader, ports) == 128);
static_assert(sizeof(NicHeader) <= kNicSettingsOffset);
static_assert(kNicSettingsOffset + sizeof(NicSettings) <= kNicHeader_bytes);
static_assert(kRingData_bytes >= 3 * kMaxFrame_bytes);
static_assert((kRingSlots & (kRingSlots - 1)) == 0);

/// Shape of a NIC: from junction_run, never from the shared memory (but for the instance itself, which may).
struct NicGeometry {
  uint32_t port_count = 0;
  uint32_t queue_pair_count = 0;

  bool is_valid() const {
    return port_count >= 1 && port_count <= kMaxNicPorts && queue_pair_count >= 1 && queue_pair_count <= kMaxQueuePairs;
  }
  uint32_t size_bytes() const { return kNicHeader_bytes + port_count * queue_pair_count * 2 * kRingSize_bytes; }
  /// Offset of a ring.
  uint32_t ring_offset(uint32_t port, uint32_t queue_pair, bool is_to_instance) const {
    return kNicHeader_bytes + ((port * queue_pair_count + queue_pair) * 2 + (is_to_instance ? 0 : 1)) * kRingSize_bytes;
  }
};

/// A mapped NIC.
struct NicView {
  uint8_t* base = nullptr;
  NicGeometry geometry;

  NicHeader& header() const { return *reinterpret_cast<NicHeader*>(base); }
  NicSettings& settings() const { return *reinterpret_cast<NicSettings*>(base + kNicSettingsOffset); }
  Ring& ring(uint32_t port, uint32_t queue_pair, bool is_to_instance) const {
    return *reinterpret_cast<Ring*>(base + geometry.ring_offset(port, queue_pair, is_to_instance));
  }
};

}  // namespace junction
