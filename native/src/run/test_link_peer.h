// SPDX-License-Identifier: Apache-2.0
// For tests: the other end of a link (or of the uplink), with a network stack of the host's build. One thread.
#pragma once

#include <memory>
#include <string>

#include "net/stack.h"
#include "net/tcp_socket.h"
#include "net/udp_socket.h"
#include "nic/attachment.h"

namespace junction {

class LinkPeer {
 public:
  static constexpr uint64_t kPatience_ns = 30'000'000'000;

  /// Waits until the port can be had; null after the usual patience.
  static std::unique_ptr<LinkPeer> Attach(const std::string& links_path, AttachKind kind = AttachKind::kLink);
  /// Gives the port back and takes it again, with the same stack: what a restarted scheduler daemon does with the uplink. False: it took too
  /// long.
  bool AttachAgain();
  ~LinkPeer();
  LinkPeer(const LinkPeer&) = delete;
  LinkPeer& operator=(const LinkPeer&) = delete;

  /// Takes in frames and runs timers until `is_done` holds; sleeps in between as a real peer does, or spins. False if that took too long.
  template <typename Condition>
  bool Until(Condition is_done) {
    const uint64_t latest_ns = Now_ns() + patience_ns;
    while (!is_done()) {
      if (Now_ns() > latest_ns) {
        return false;
      }
      if (!Step() && !spins) {
        Sleep();
      }
    }
    return true;
  }
  /// One round; true if frames came.
  bool Step();
  void Flush() { net::Flush(*stack_, Now_ns()); }

  net::Stack& stack() { return *stack_; }
  const NicAttachment& attachment() const { return attachment_; }
  net::Endpoint Instance(uint16_t port) const { return {net::IpAddress::V4(attachment_.answer().instance_ip4), port}; }
  net::Endpoint Instance6(uint16_t port) const;
  static uint64_t Now_ns();

  bool spins = false;
  uint64_t patience_ns = kPatience_ns;  // shorter where an answer may be lost and the test tries again

 private:
  struct Port {
    net::Device device;  // must be first
    LinkPeer* owner;
  };

  LinkPeer(NicAttachment attachment, std::string links_path, AttachKind kind);
  void TakeRings();
  void EnterAddresses();
  void Sleep();
  static uint8_t* Reserve(net::Device& device, uint32_t length_bytes);
  static void Commit(net::Device& device, uint32_t length_bytes, const FrameMeta& meta);
  static void FlushDevice(net::Device& device);
  static const net::DeviceOps kOps;

  NicAttachment attachment_;
  std::string links_path_;
  AttachKind kind_;
  Port port_{};
  std::unique_ptr<RingProducer> producer_ = std::make_unique<RingProducer>();
  std::unique_ptr<RingConsumer[]> consumers_;
  net::Stack* stack_ = nullptr;
};

/// A TCP connection of a peer's stack, with calls that wait.
class PeerConnection {
 public:
  explicit PeerConnection(LinkPeer& peer) : peer_(peer) {}
  ~PeerConnection() { Close(); }
  PeerConnection(const PeerConnection&) = delete;
  PeerConnection& operator=(const PeerConnection&) = delete;

  /// 0 or -errno.
  int Connect(const net::Endpoint& to);
  /// False if the connection ended first.
  bool Send(const std::string& bytes);
  /// Reads `size` bytes; fewer if the connection ended: `error` then (0 = in order).
  std::string Receive(size_t size);
  std::string Exchange(const std::string& bytes) { return Send(bytes) ? Receive(bytes.size()) : ""; }
  void Close();
  /// Waits until the other side has ended it: 0 in order, else -errno.
  int WaitForEnd();

  int error = 0;

 private:
  LinkPeer& peer_;
  net::TcpSocket* socket_ = nullptr;
};

/// One datagram there and back; empty if none came.
std::string ExchangeDatagram(LinkPeer& peer, const net::Endpoint& to, const std::string& bytes);

}  // namespace junction
