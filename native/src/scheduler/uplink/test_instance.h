// SPDX-License-Identifier: Apache-2.0
// A stand-in for an instance: the instance's end of its NIC, with Linux's own network stack behind it. A thread carries frames between port 0 and a
// TAP in a namespace of its own, offloads and all.
#pragma once

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "nic/frame_ring.h"
#include "nic/link_server.h"
#include "nic/nic_memory.h"
#include "nic/wake_instance.h"
#include "scheduler/uplink/addresses.h"
#include "scheduler/uplink/test_network.h"
#include "scheduler/uplink/vnet_header.h"

namespace junction::scheduler {

class TestInstance {
 public:
  TestInstance(std::string id, const std::string& folder, const std::string& ip4, const std::string& ip6)
      : id_(std::move(id)),
        links_path_(folder + "/" + id_ + ".sock"),
        ip4_(ip4),
        ip6_(ip6),
        mac_(MacOf(*ParseIp4(ip4))) {
    NicSettings settings{};
    std::memcpy(settings.instance_mac, mac_.data(), 6);
    std::memcpy(settings.ip4, ParseIp4(ip4)->data(), 4);
    auto nic = NicMemory::Make({.port_count = 1, .queue_pair_count = 2}, settings);
    EXPECT_TRUE(nic.has_value());
    nic_ = std::move(*nic);
    auto server = LinkServer::Listen(links_path_, nic_);
    EXPECT_TRUE(server.has_value());
    server_ = std::move(*server);
    void* base = mmap(nullptr, nic_.geometry().size_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, nic_.memory_fd(), 0);
    EXPECT_NE(base, MAP_FAILED);
    view_ = {.base = static_cast<uint8_t*>(base), .geometry = nic_.geometry()};
    out_.Attach(view_.ring(kUplinkPort, 0, false));
    in_.Attach(view_.ring(kUplinkPort, 0, true), false);
    space_.Do([this] { OpenTap(); });
    thread_ = std::thread([this] { Carry(); });
  }
  TestInstance(const TestInstance&) = delete;
  TestInstance& operator=(const TestInstance&) = delete;
  ~TestInstance() {
    End();
    munmap(view_.base, nic_.geometry().size_bytes());
  }

  /// Ends as an instance that is killed.
  void End() {
    if (thread_.joinable()) {
      is_stopping_.store(true);
      const char byte = 0;
      EXPECT_EQ(write(nic_.instance_waker(), &byte, 1), 1);
      thread_.join();
      server_.RemoveName();
      server_ = LinkServer();
    }
  }

  std::string Registration(const std::string& more = "") const {
    return R"("id":")" + id_ + R"(","control":"/none","pid":1,"coreLimit":1,"linksPath":")" + links_path_ +
           R"(","ip":")" + ip4_ + R"(","ip6":")" + ip6_ + "\"" + more;
  }

  Namespace& space() { return space_; }
  const std::string& ip4() const { return ip4_; }
  const std::string& ip6() const { return ip6_; }
  const Mac& mac() const { return mac_; }
  NicView& view() { return view_; }

  /// Takes nothing from its ring while set.
  std::atomic<bool> is_deaf = false;

 private:
  void OpenTap() {
    tap_.Reset(open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    ifreq request{};
    std::strcpy(request.ifr_name, "guest");
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    ASSERT_EQ(ioctl(tap_.get(), TUNSETIFF, &request), 0);
    ASSERT_EQ(ioctl(tap_.get(), TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6), 0);
    ASSERT_EQ(
        Shell("echo 0 > /proc/sys/net/ipv6/conf/guest/accept_dad && ip link set guest address " + Text(mac_) +
              " up && ip addr add " + ip4_ + "/16 dev guest && ip route add default via 10.62.0.1 && ip addr add " +
              ip6_ + "/64 dev guest nodad && ip -6 route add default via fd62::1"),
        0);
  }

  void Carry() {
    while (!is_stopping_.load()) {
      bool is_busy = false;
      for (int i = 0; i < 64 && SendOne(); ++i) {
        is_busy = true;
      }
      if (out_.Publish()) {
        WakeSleeper(view_.header().ports[kUplinkPort].peer_doorbell, nic_.descriptors().peer_events[kUplinkPort]);
      }
      for (int i = 0; i < 64 && !is_deaf.load() && ReceiveOne(); ++i) {
        is_busy = true;
      }
      in_.Release();
      WaitAndServe(is_busy);
    }
  }

  void WaitAndServe(bool is_busy) {
    pollfd fds[LinkServer::kPollFds + 2];
    const std::span<pollfd, LinkServer::kPollFds> server_fds(fds, LinkServer::kPollFds);
    server_.FillPoll(server_fds);
    fds[LinkServer::kPollFds] = {.fd = nic_.descriptors().instance_event, .events = POLLIN, .revents = 0};
    fds[LinkServer::kPollFds + 1] = {.fd = tap_.get(), .events = POLLIN, .revents = 0};
    int timeout_ms = 0;
    if (!is_busy) {
      PrepareToSleep(view_.header().instance_doorbell, kInPoller);
      timeout_ms = in_.HasFrames() && !is_deaf.load() ? 0 : server_.Timeout_ms(Now_ms());
    }
    poll(fds, std::size(fds), timeout_ms);
    StayAwake(view_.header().instance_doorbell);
    if (fds[LinkServer::kPollFds].revents != 0) {
      char wakes[256];
      [[maybe_unused]] const ssize_t got = read(nic_.descriptors().instance_event, wakes, sizeof(wakes));
    }
    server_.Serve(server_fds, Now_ms());
  }

  static uint64_t Now_ms() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
  }

  // From the namespace into the ring. Without room the frame stays in the TAP.
  bool SendOne() {
    uint8_t* const place = out_.Reserve(kMaxFrame_bytes);
    if (place == nullptr) {
      return false;
    }
    VnetHeader vnet;
    const iovec parts[2] = {{&vnet, sizeof(vnet)}, {place, kMaxFrame_bytes}};
    const ssize_t size = readv(tap_.get(), parts, 2);
    if (size <= static_cast<ssize_t>(sizeof(vnet))) {
      return false;
    }
    out_.Commit(static_cast<uint32_t>(size) - sizeof(vnet), MetaFromVnet(vnet));
    return true;
  }

  // From the ring into the namespace.
  bool ReceiveOne() {
    FrameView frame;
    if (!in_.Peek(frame)) {
      return false;
    }
    std::vector<uint8_t> bytes(frame.data, frame.data + frame.length_bytes);
    const std::span<uint8_t> head(bytes.data(), std::min<size_t>(bytes.size(), kHeaderCopy_bytes));
    // The switch vouches for what it passes on: nothing may be wrong with it.
    const FrameHeaders headers = ParseFrame(head, frame.length_bytes);
    const auto vnet = VnetFromMeta(frame.meta, head, headers, 65535);
    EXPECT_TRUE(vnet.has_value()) << "flags " << frame.meta.flags << " start " << frame.meta.checksum_start;
    if (vnet) {
      const iovec parts[2] = {{const_cast<VnetHeader*>(&*vnet), sizeof(*vnet)}, {bytes.data(), bytes.size()}};
      EXPECT_GT(writev(tap_.get(), parts, 2), 0) << std::strerror(errno);
    }
    in_.Pop();
    return true;
  }

  std::string id_;
  std::string links_path_;
  std::string ip4_;
  std::string ip6_;
  Mac mac_;
  NicMemory nic_;
  LinkServer server_;
  NicView view_;
  RingProducer out_;
  RingConsumer in_;
  Namespace space_;
  UniqueFd tap_;
  std::atomic<bool> is_stopping_ = false;
  std::thread thread_;
};

}  // namespace junction::scheduler
