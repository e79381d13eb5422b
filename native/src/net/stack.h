// SPDX-License-Identifier: Apache-2.0
// One TCP/IP stack: its devices, addresses, routes, neighbours, sockets and timers. No globals, no locks, no clock, no host call: its one
// owner passes time and frames in. An instance has one under its kernel lock; each ingress worker one for its links; tests as many as they
// like. Built twice: for the host, and for the inside of guests (general registers, no C library, memory in the arena).
//
//   frames in:   Input (each frame) … Flush
//   time:        RunTimers at NextDeadline_ns … Flush
//   sockets:     calls of tcp_socket.h, udp_socket.h, raw_socket.h … Flush
//
// Layers: stack.cc (owner's calls) > ethernet, arp, neighbours > ipv4, ipv6, fragments, routes > icmp, udp, tcp/ > sockets.
#pragma once

#include <cstdint>

#include "base/list.h"
#include "base/timer.h"
#include "net/address.h"
#include "net/block_pool.h"
#include "net/device.h"
#include "net/memory.h"
#include "net/socket.h"
#include "nic/frame_ring.h"

namespace junction::net {

struct StackOptions {
  uint32_t pool_limit_bytes = 64 * 1024 * 1024;
  uint16_t ephemeral_low = 32768;  // net.ipv4.ip_local_port_range
  uint16_t ephemeral_high = 60999;
  bool answers_echo = true;
  bool has_loopback = true;  // makes device 1, "lo"
};

/// An address of the stack's own on a device.
struct DeviceAddress {
  uint32_t device_index = 0;
  IpAddress address;
  uint8_t prefix_bits = 0;  // of the family: 0-32 or 0-128
};

struct Route {
  IpAddress network;
  uint8_t prefix_bits = 0;
  IpAddress gateway;  // any = the destination is a neighbour
  uint32_t device_index = 0;
};

/// null if the environment has no memory. The environment is copied; what its context points to outlives the stack.
Stack* NewStack(const Environment& environment, const StackOptions& options);
/// Sockets that are left end without a packet (their memory goes too), devices are let go.
void FreeStack(Stack* stack);

/// 0, -ENOSPC (too many). The device stays the owner's and outlives the stack, or RemoveDevice.
int AddDevice(Stack& stack, Device& device);
/// Aborts its connections with ENETDOWN, drops its addresses, routes and neighbours.
void RemoveDevice(Stack& stack, Device& device, uint64_t now_ns);
/// Another peer is at the other end: aborts (ECONNRESET) what went over the device, without a word to the peer.
void ResetDevice(Stack& stack, Device& device, uint64_t now_ns);
Device* FindDevice(Stack& stack, uint32_t index);
/// Next device behind `device` (null = the first).
Device* NextDevice(Stack& stack, const Device* device);

int AddAddress(Stack& stack, const DeviceAddress& address);
int RemoveAddress(Stack& stack, const DeviceAddress& address);
int AddRoute(Stack& stack, const Route& route);
int RemoveRoute(Stack& stack, const Route& route);
/// Fills up to `room` entries from `from` on; how many there were (for netlink, SIOCGIFCONF, /proc/net/route).
uint32_t ListAddresses(const Stack& stack, uint32_t from, DeviceAddress* out, uint32_t room);
uint32_t ListRoutes(const Stack& stack, uint32_t from, Route* out, uint32_t room);
/// Never looked up, never expires.
int AddStaticNeighbour(Stack& stack, uint32_t device_index, const IpAddress& address, const MacAddress& mac);

/// One frame from outside; hostile: its bytes may change while they are read. Loops are bounded by its length.
void Input(Stack& stack, Device& device, const FrameView& frame, uint64_t now_ns);
/// The device has room again: sockets that found none go on.
void DeviceHasRoom(Stack& stack, Device& device, uint64_t now_ns);
void RunTimers(Stack& stack, uint64_t now_ns);
/// kNever if nothing is due ever: an idle stack, even with idle connections (no keep-alive), wakes nobody.
uint64_t NextDeadline_ns(const Stack& stack);
/// Ends a batch: pending acknowledgements that are due go out, loopback frames are delivered (`now_ns`), devices with new frames flushed.
void Flush(Stack& stack, uint64_t now_ns);
/// The owner is idle: memory that is not in use goes back to the environment.
void Trim(Stack& stack);
/// New secrets (ISN, ports, cookies, flow hash): a clone calls it before its first packet.
void RenewSecrets(Stack& stack);
/// Whether any connection exists but listeners (a template for clones must have none).
bool HasConnections(const Stack& stack);

/// Counters as in /proc/net/snmp and netstat (names there).
struct StackCounters {
  uint64_t ip_in, ip_out, ip_malformed, fragments_in, fragments_out, reassembled, reassembly_failed;
  uint64_t ip_bad_address, ip_no_protocol, ip_no_route, ip_no_room, arp_in, arp_out, arp_conflicts, neighbour_failures;
  uint64_t icmp_malformed, icmp_limited, icmp_in, icmp_out, udp_in, udp_out, udp_no_port, udp_full, udp_malformed;
  uint64_t tcp_in, tcp_out, tcp_active_opens, tcp_passive_opens, tcp_attempt_fails, tcp_resets_in, tcp_resets_out,
      tcp_malformed;
  uint64_t tcp_retransmits, tcp_fast_retransmits, tcp_timeouts, tcp_tail_probes, tcp_listen_overflows, tcp_cookies_sent,
      tcp_cookies_good, tcp_cookies_bad, tcp_challenge_acks, tcp_out_of_order, tcp_delayed_acks, tcp_zero_window_probes;
};
const StackCounters& CountersOf(const Stack& stack);

}  // namespace junction::net
