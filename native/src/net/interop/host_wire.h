// SPDX-License-Identifier: Apache-2.0
// Read first: Linux' Documentation/networking/tuntap, packet(7), virtio 1.1 section 5.1.6 (the header in front of frames).
// One end of a wire whose other end is Linux: a TAP device, or a veth pair with a packet socket. Needs a network namespace of its own.
#pragma once

#include <string>

#include "net/test/fault_injector.h"

namespace junction::net {

enum class WireKind : uint8_t {
  kTapOffload,  // virtio header: blank checksums and segmentation both ways
  kTapPlain,    // frames as on a wire
  kPacket,      // veth; Linux' frames come with blank checksums and unsegmented, ours are plain
};

class HostWire {
 public:
  HostWire() = default;
  HostWire(const HostWire&) = delete;
  HostWire& operator=(const HostWire&) = delete;
  ~HostWire();

  /// Makes the device and gives Linux' end `address4`/24 and `address6`/64; "" or what failed.
  std::string Open(WireKind kind, uint32_t mtu_bytes, const std::string& address4, const std::string& address6);
  /// The next frame from Linux; false if there is none now.
  bool Read(FaultyFrame& out);
  /// False: Linux did not take it (its queue is full): lost, as on any wire.
  bool Write(const FaultyFrame& frame);
  int descriptor() const { return descriptor_; }

 private:
  std::string OpenTap(bool offloads);
  std::string OpenPacket();

  WireKind kind_ = WireKind::kTapPlain;
  int descriptor_ = -1;
};

}  // namespace junction::net
