// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/list.h"
#include "net/address.h"
#include "nic/frame.h"

namespace junction::net {

struct Device;

/// How a stack sends. Never blocks. All from the thread that owns the stack.
struct DeviceOps {
  /// Memory for a frame of up to `length_bytes`; null = no room now: the owner calls Stack::DeviceHasRoom later.
  uint8_t* (*reserve)(Device& device, uint32_t length_bytes);
  /// The frame at that place is complete.
  void (*commit)(Device& device, uint32_t length_bytes, const FrameMeta& meta);
  /// Ends a batch: what was committed goes out, the other side is woken.
  void (*flush)(Device& device);
};

/// One network interface of a stack: first member of the owner's own object. The owner fills in the upper part before Stack::AddDevice.
struct Device {
  const DeviceOps* ops = nullptr;
  MacAddress mac = {};
  uint16_t mtu_bytes = 1500;  // of IP packets
  uint32_t segment_max_bytes =
      0;  // TCP payload that one frame may carry to be cut later (kFrameSegmentTcp*); 0 = MTU is the limit
  bool has_blank_checksums = false;  // frames may leave with kFrameChecksumBlank
  bool trusts_checksums = false;     // what comes in with kFrameChecksumGood or kFrameChecksumBlank is not summed
  bool is_loopback = false;          // no Ethernet addresses, no neighbours
  bool is_point_to_point = false;    // `peer_mac` is at the other end, whatever the next hop: no ARP, no ND
  MacAddress peer_mac = {};
  bool is_up = true;
  char name[16] = {};  // "eth0", as the guest sees it

  // the stack's
  uint32_t index = 0;  // from 1; 1 is the loopback device if there is one
  List waiting;        // sockets with something to send that found no room
  List addresses;      // AddressEntry
  bool needs_flush = false;
  ListNode node;                          // in Stack::dirty_devices while it needs a flush
  IpAddress last_destination;             // of ours, as the last packet's, while …
  uint32_t last_destination_version = 0;  // … Stack::route_version is this
  IpAddress last_source;                  // a proper one, likewise
  uint32_t last_source_version = 0;
  uint64_t frames_in = 0;
  uint64_t bytes_in = 0;
  uint64_t frames_out = 0;
  uint64_t bytes_out = 0;
  uint64_t dropped_in = 0;   // malformed, or nobody's
  uint64_t dropped_out = 0;  // no room
};

}  // namespace junction::net
