// SPDX-License-Identifier: Apache-2.0
#include "run/test_link_peer.h"

#include <poll.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "nic/doorbell.h"
#include "nic/rss.h"

namespace junction {
namespace {

constexpr int kAttachPause_ms = 1;
constexpr uint32_t kAttachPatience_ms = 30'000;
constexpr uint64_t kMillisecond_ns = 1'000'000;

void* HeapAllocate(void* /*context*/, size_t size_bytes) {
  return std::aligned_alloc(16, (size_bytes + 15) & ~size_t{15});
}
void HeapFree(void* /*context*/, void* memory, size_t /*size_bytes*/) { std::free(memory); }
uint64_t HostRandom(void* /*context*/) {
  uint64_t value = 0;
  [[maybe_unused]] const ssize_t size = getrandom(&value, sizeof(value), 0);
  return value;
}

}  // namespace

const net::DeviceOps LinkPeer::kOps = {&LinkPeer::Reserve, &LinkPeer::Commit, &LinkPeer::FlushDevice};

uint64_t LinkPeer::Now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// The previous holder's lease may not have ended yet, or the instance not have begun.
Result<NicAttachment> WaitForPort(const std::string& links_path, AttachKind kind) {
  auto attachment = NicAttachment::Open(links_path, kind, kAttachPatience_ms);
  for (uint32_t waited_ms = 0; !attachment && waited_ms < kAttachPatience_ms; waited_ms += kAttachPause_ms) {
    poll(nullptr, 0, kAttachPause_ms);
    attachment = NicAttachment::Open(links_path, kind, kAttachPatience_ms);
  }
  return attachment;
}

std::unique_ptr<LinkPeer> LinkPeer::Attach(const std::string& links_path, AttachKind kind) {
  auto attachment = WaitForPort(links_path, kind);
  return attachment ? std::unique_ptr<LinkPeer>(new LinkPeer(std::move(*attachment), links_path, kind)) : nullptr;
}

bool LinkPeer::AttachAgain() {
  attachment_ = NicAttachment();
  auto attachment = WaitForPort(links_path_, kind_);
  if (!attachment) {
    return false;
  }
  attachment_ = std::move(*attachment);
  TakeRings();
  return true;
}

void LinkPeer::TakeRings() {
  const AttachAnswer& answer = attachment_.answer();
  const NicView& nic = attachment_.view();
  producer_->Attach(nic.ring(answer.port, 0, true));
  consumers_ = std::make_unique<RingConsumer[]>(answer.queue_pair_count);
  for (uint32_t i = 0; i < answer.queue_pair_count; ++i) {
    consumers_[i].Attach(nic.ring(answer.port, i, false), true);
  }
}

LinkPeer::LinkPeer(NicAttachment attachment, std::string links_path, AttachKind kind)
    : attachment_(std::move(attachment)), links_path_(std::move(links_path)), kind_(kind) {
  TakeRings();
  const AttachAnswer& answer = attachment_.answer();
  stack_ = net::NewStack({&HeapAllocate, &HeapFree, &HostRandom}, {});
  port_.owner = this;
  net::Device& device = port_.device;
  device.ops = &kOps;
  std::memcpy(device.mac, answer.peer_mac, sizeof(device.mac));
  std::memcpy(device.peer_mac, answer.instance_mac, sizeof(device.peer_mac));
  device.mtu_bytes = kind == AttachKind::kLink ? 65535 : 1500;
  device.has_blank_checksums = true;
  device.trusts_checksums = true;
  device.is_point_to_point = kind == AttachKind::kLink;
  if (kind == AttachKind::kUplink) {
    constexpr MacAddress kGatewayMac = {0x02, 0, 0, 0, 0, 1};
    std::memcpy(device.mac, kGatewayMac, sizeof(device.mac));
  }
  std::strcpy(device.name, "peer0");
  net::AddDevice(*stack_, device);
  EnterAddresses();
}

void LinkPeer::EnterAddresses() {
  const AttachAnswer& answer = attachment_.answer();
  const net::Device& device = port_.device;
  if (kind_ == AttachKind::kUplink) {  // the gateway: the first address of the instance's network of 24 bits
    uint8_t gateway[4];
    std::memcpy(gateway, answer.instance_ip4, sizeof(gateway));
    gateway[3] = 1;
    net::AddAddress(*stack_, {device.index, net::IpAddress::V4(gateway), 24});
    return;
  }
  const net::IpAddress any4 = net::IpAddress::V4(0, 0, 0, 0);
  net::AddAddress(*stack_, {device.index, net::IpAddress::V4(answer.peer_ip4), 32});
  net::AddRoute(*stack_, {net::IpAddress::V4(answer.instance_ip4), 32, any4, device.index});
  net::AddAddress(*stack_, {device.index, net::IpAddress::V6(answer.peer_ip6), 128});
  net::AddRoute(*stack_, {net::IpAddress::V6(answer.instance_ip6), 128, net::IpAddress(), device.index});
}

LinkPeer::~LinkPeer() { net::FreeStack(stack_); }

net::Endpoint LinkPeer::Instance6(uint16_t port) const {
  return {net::IpAddress::V6(attachment_.answer().instance_ip6), port};
}

uint8_t* LinkPeer::Reserve(net::Device& device, uint32_t length_bytes) {
  return reinterpret_cast<Port&>(device).owner->producer_->Reserve(length_bytes);
}

void LinkPeer::Commit(net::Device& device, uint32_t length_bytes, const FrameMeta& meta) {
  reinterpret_cast<Port&>(device).owner->producer_->Commit(length_bytes, meta);
}

void LinkPeer::FlushDevice(net::Device& device) {
  LinkPeer& self = *reinterpret_cast<Port&>(device).owner;
  if (self.producer_->Publish()) {
    self.attachment_.RingInstance();
  }
}

bool LinkPeer::Step() {
  bool has_frames = false;
  for (uint32_t i = 0; i < attachment_.answer().queue_pair_count; ++i) {
    FrameView frame;
    while (consumers_[i].Peek(frame)) {
      net::Input(*stack_, port_.device, frame, Now_ns());
      consumers_[i].Pop();
      has_frames = true;
    }
    consumers_[i].Release();
  }
  net::RunTimers(*stack_, Now_ns());
  if (!port_.device.waiting.empty()) {
    net::DeviceHasRoom(*stack_, port_.device, Now_ns());
  }
  Flush();
  return has_frames;
}

void LinkPeer::Sleep() {
  std::atomic<uint32_t>& doorbell = attachment_.view().header().ports[attachment_.answer().port].peer_doorbell;
  PrepareToSleep(doorbell, kInPoller);
  bool has_frames = !port_.device.waiting.empty();
  for (uint32_t i = 0; i < attachment_.answer().queue_pair_count; ++i) {
    has_frames = has_frames || consumers_[i].HasFrames();
  }
  if (!has_frames) {
    const uint64_t deadline_ns = net::NextDeadline_ns(*stack_);
    const uint64_t now_ns = Now_ns();
    const uint64_t left_ns = deadline_ns == kNever ? patience_ns : deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    pollfd waits[] = {{attachment_.peer_event_fd(), POLLIN, 0}, {attachment_.lease_fd(), POLLIN, 0}};
    poll(waits, 2, static_cast<int>(left_ns / kMillisecond_ns) + 1);
    attachment_.DrainEvents();
  }
  StayAwake(doorbell);
}

int PeerConnection::Connect(const net::Endpoint& to) {
  socket_ = net::NewTcpSocket(peer_.stack(), !to.address.is_v4());
  const int begun = net::ConnectTcp(*socket_, to, LinkPeer::Now_ns());
  if (begun != -EINPROGRESS) {
    return begun;
  }
  peer_.Flush();
  peer_.Until([this]() { return (net::PollTcp(*socket_) & (POLLOUT | POLLERR | POLLHUP)) != 0; });
  return net::TakeError(net::SocketOf(*socket_));
}

bool PeerConnection::Send(const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const net::Span room = net::WriteSpan(*socket_, error);
    if (room.size_bytes == 0) {
      if (error != -EAGAIN || !peer_.Until([this]() {
            return net::WriteRoom_bytes(*socket_) != 0 || (net::PollTcp(*socket_) & (POLLERR | POLLHUP)) != 0;
          })) {
        return false;
      }
      continue;
    }
    const auto part = static_cast<uint32_t>(std::min<size_t>(room.size_bytes, bytes.size() - sent));
    std::memcpy(room.data, bytes.data() + sent, part);
    net::CommitWrite(*socket_, part, false, LinkPeer::Now_ns());
    sent += part;
    peer_.Flush();
  }
  return true;
}

std::string PeerConnection::Receive(size_t size) {
  std::string bytes;
  const auto is_readable = [this]() { return (net::PollTcp(*socket_) & (POLLIN | POLLERR | POLLHUP)) != 0; };
  while (bytes.size() < size && peer_.Until(is_readable)) {
    const net::Span span = net::ReadSpan(*socket_, 0, error);
    if (span.size_bytes == 0) {
      if (error == -EAGAIN) {
        continue;
      }
      return bytes;
    }
    const auto part = static_cast<uint32_t>(std::min<size_t>(span.size_bytes, size - bytes.size()));
    bytes.append(reinterpret_cast<const char*>(span.data), part);
    net::ConsumeRead(*socket_, part, LinkPeer::Now_ns());
    peer_.Flush();
  }
  return bytes;
}

void PeerConnection::Close() {
  if (socket_ != nullptr) {
    net::CloseTcp(*socket_, LinkPeer::Now_ns());
    peer_.Flush();
    socket_ = nullptr;
  }
}

int PeerConnection::WaitForEnd() {
  Receive(~size_t{0});
  return error;
}

std::string ExchangeDatagram(LinkPeer& peer, const net::Endpoint& to, const std::string& bytes) {
  net::UdpSocket* const socket = net::NewUdpSocket(peer.stack(), !to.address.is_v4());
  net::Span room;
  std::string answer;
  // Connected, so that it learns if nobody listens.
  if (net::ConnectUdp(*socket, to) == 0 &&
      net::BeginUdp(*socket, nullptr, nullptr, static_cast<uint32_t>(bytes.size()), room, LinkPeer::Now_ns()) == 0) {
    std::memcpy(room.data, bytes.data(), bytes.size());
    net::SendUdp(*socket, LinkPeer::Now_ns());
    peer.Flush();
    net::Datagram datagram;
    peer.Until([&]() { return net::PeekUdp(*socket, datagram) || (net::PollUdp(*socket) & POLLERR) != 0; });
    for (net::Span span = net::ReadUdp(*socket, 0); span.size_bytes != 0;
         span = net::ReadUdp(*socket, static_cast<uint32_t>(answer.size()))) {
      answer.append(reinterpret_cast<const char*>(span.data), span.size_bytes);
    }
  }
  net::CloseUdp(*socket);
  return answer;
}

}  // namespace junction
