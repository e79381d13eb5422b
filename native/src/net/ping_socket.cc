// SPDX-License-Identifier: Apache-2.0
// Read first: icmp(7), "ping sockets". What ping sockets don't share with UDP.
#include "net/raw_socket.h"
#include "net/udp_state.h"

namespace junction::net {

void PingInput(Stack& stack, Device& device, const IpPacket& packet, const uint8_t* header) {
  const bool is_v4 = packet.source.is_v4();
  const PortTable& table = is_v4 ? stack.icmp_ports : stack.icmp6_ports;
  const Endpoint local = {packet.destination, LoadBig16(header + 4)};
  UdpSocket* const udp = FindUdpReceiver(stack, table, device.index, local, {packet.source, 0});
  if (udp != nullptr) {
    QueueDatagram(*udp, device, packet, header, packet.size_bytes, true, packet.needs_checksum, 0);
  }
}

void PingError(Stack& stack, const IcmpError& error, uint64_t now_ns) {
  const bool is_v4 = error.source.is_v4();
  // Echo requests are all that we send by ourselves and expect errors about.
  if (error.transport[0] != (is_v4 ? 8 : 128)) {
    return;
  }
  const PortTable& table = is_v4 ? stack.icmp_ports : stack.icmp6_ports;
  UdpSocket* const udp =
      FindUdpReceiver(stack, table, 0, {error.source, LoadBig16(error.transport + 4)}, {error.destination, 0});
  if (udp != nullptr) {
    TellUdpError(*udp, error, now_ns);
  }
}

}  // namespace junction::net
