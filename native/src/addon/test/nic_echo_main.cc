// SPDX-License-Identifier: Apache-2.0
// A NIC for tests in other languages: leases its ports and sends each frame back by the queue pair it came by. Sleeps when idle, as an instance
// does. Usage: junction_nic_echo SOCKET [LINKS [QUEUE_PAIRS]]; prints "ready"; ends with its stdin.
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <vector>

#include "base/check.h"
#include "nic/doorbell.h"
#include "nic/frame_ring.h"
#include "nic/link_server.h"
#include "nic/nic_memory.h"
#include "nic/wake_instance.h"

namespace {

using namespace junction;

struct Pair {
  RingProducer to_peer;
  RingConsumer from_peer;
};

struct Port {
  std::vector<Pair> pairs;
};

uint64_t Now_ms() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

void Attach(const NicView& view, Port& port, uint32_t index) {
  for (uint32_t i = 0; i < port.pairs.size(); ++i) {
    port.pairs[i].to_peer.Attach(view.ring(index, i, false));
    port.pairs[i].from_peer.Attach(view.ring(index, i, true), true);
  }
}

bool Echo(const NicView& view, Port& port, uint32_t index, int peer_event) {
  NicPort& shared = view.header().ports[index];
  bool has_sent = false;
  for (Pair& pair : port.pairs) {
    FrameView frame;
    while (pair.from_peer.Peek(frame)) {
      if (uint8_t* const place = pair.to_peer.Reserve(frame.length_bytes)) {
        std::memcpy(place, frame.data, frame.length_bytes);
        pair.to_peer.Commit(frame.length_bytes, frame.meta);
      }
      pair.from_peer.Pop();
    }
    pair.from_peer.Release();
    has_sent |= pair.to_peer.Publish();
  }
  if (has_sent && WakeSleeper(shared.peer_doorbell, peer_event)) {
    shared.peer_rings.fetch_add(1, std::memory_order_relaxed);
  }
  return has_sent;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  const uint32_t links = argc > 2 ? static_cast<uint32_t>(std::atoi(argv[2])) : 1;
  const uint32_t queue_pairs = argc > 3 ? static_cast<uint32_t>(std::atoi(argv[3])) : 1;
  NicSettings settings{};
  const uint8_t ip4[4] = {10, 99, 0, 2};
  const uint8_t mac[6] = {2, 0, 10, 99, 0, 2};
  std::memcpy(settings.ip4, ip4, sizeof(ip4));
  std::memcpy(settings.instance_mac, mac, sizeof(mac));
  for (uint8_t i = 1; i <= links; ++i) {
    const uint8_t peer4[4] = {169, 254, 254, i};
    const uint8_t peer_mac[6] = {2, 0x6a, 0x75, 0x6e, 0, i};
    std::memcpy(settings.link_peer4[i], peer4, sizeof(peer4));
    std::memcpy(settings.peer_mac[i], peer_mac, sizeof(peer_mac));
  }
  auto nic = NicMemory::Make({.port_count = 1 + links, .queue_pair_count = queue_pairs}, settings);
  if (argc < 2 || !nic) {
    std::fprintf(stderr, "usage: junction_nic_echo SOCKET [LINKS [QUEUE_PAIRS]]\n");
    return 2;
  }
  auto server = LinkServer::Listen(argv[1], *nic);
  if (!server) {
    std::fprintf(stderr, "junction_nic_echo: %s\n", server.error().message.c_str());
    return 1;
  }
  NicView view;
  view.geometry = nic->geometry();
  view.base = static_cast<uint8_t*>(
      mmap(nullptr, view.geometry.size_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, nic->memory_fd(), 0));
  std::vector<Port> ports(1 + links);
  for (uint32_t i = 0; i < ports.size(); ++i) {
    ports[i].pairs = std::vector<Pair>(queue_pairs);
    Attach(view, ports[i], i);
  }
  const NicDescriptors descriptors = nic->descriptors();
  std::printf("ready\n");
  std::fflush(stdout);
  for (;;) {
    std::array<pollfd, LinkServer::kPollFds + 2> fds;
    server->FillPoll(std::span(fds).first<LinkServer::kPollFds>());
    fds[LinkServer::kPollFds] = {.fd = descriptors.instance_event, .events = POLLIN, .revents = 0};
    fds[LinkServer::kPollFds + 1] = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    PrepareToSleep(view.header().instance_doorbell, kInPoller);
    bool has_frames = false;
    for (const Port& port : ports) {
      for (const Pair& pair : port.pairs) {
        has_frames |= pair.from_peer.HasFrames();
      }
    }
    poll(fds.data(), fds.size(), has_frames ? 0 : server->Timeout_ms(Now_ms()));
    StayAwake(view.header().instance_doorbell);
    if (fds[LinkServer::kPollFds + 1].revents != 0) {
      return 0;
    }
    char bytes[4096];
    [[maybe_unused]] const ssize_t got = read(descriptors.instance_event, bytes, sizeof(bytes));
    server->Serve(std::span<const pollfd>(fds).first<LinkServer::kPollFds>(), Now_ms());
    for (uint32_t i = 0; i < ports.size(); ++i) {
      Echo(view, ports[i], i, descriptors.peer_events[i]);
    }
  }
}
