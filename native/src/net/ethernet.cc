// SPDX-License-Identifier: Apache-2.0
// Hot path: no allocation, no host call.
#include "net/ethernet.h"

#include <cstring>

#include "net/stack_state.h"

namespace junction::net {
namespace {

bool IsSameMac(const uint8_t* a, const uint8_t* b) { return std::memcmp(a, b, 6) == 0; }

}  // namespace

void WriteEthernetHeader(uint8_t* frame, const MacAddress& destination, const MacAddress& source, uint16_t type) {
  std::memcpy(frame, destination, 6);
  std::memcpy(frame + 6, source, 6);
  StoreBig16(frame + 12, type);
}

void GroupMac(const IpAddress& group, MacAddress& out) {
  if (group.is_v4()) {
    const uint8_t* const ip = group.v4();
    const MacAddress mac = {0x01, 0x00, 0x5e, static_cast<uint8_t>(ip[1] & 0x7f), ip[2], ip[3]};
    std::memcpy(out, mac, 6);
  } else {
    out[0] = out[1] = 0x33;
    std::memcpy(out + 2, group.bytes + 12, 4);
  }
}

void EthernetInput(Stack& stack, Device& device, const FrameView& frame, uint64_t now_ns) {
  ++device.frames_in;
  device.bytes_in += frame.length_bytes;
  if (frame.length_bytes < kEthernetHeader_bytes || !device.is_up) {
    ++device.dropped_in;
    return;
  }
  uint8_t header[kEthernetHeader_bytes];
  std::memcpy(header, frame.data, sizeof(header));
  LinkFrame link;
  link.payload = frame.data + kEthernetHeader_bytes;
  link.size_bytes = frame.length_bytes - kEthernetHeader_bytes;
  std::memcpy(link.source, header + 6, 6);
  link.is_group = (header[0] & 1) != 0;
  link.meta = frame.meta;
  if (!device.is_loopback && ((!link.is_group && !IsSameMac(header, device.mac)) || (header[6] & 1) != 0)) {
    ++device.dropped_in;  // somebody else's, or a sender that is a group
    return;
  }
  switch (LoadBig16(header + 12)) {
    case kTypeIp4:
      Ip4Input(stack, device, link, now_ns);
      return;
    case kTypeIp6:
      Ip6Input(stack, device, link, now_ns);
      return;
    case kTypeArp:
      ArpInput(stack, device, link);
      return;
    default:
      ++device.dropped_in;
  }
}

}  // namespace junction::net
