// SPDX-License-Identifier: Apache-2.0
// Devices, addresses, routes, ports, loopback: the owner's calls.
#include <cerrno>

#include "net/stack_state.h"
#include "net/test/wire_fixture.h"

namespace junction::net {
namespace {

class RoutesTest : public WireFixture {
 protected:
  int Find(const IpAddress& destination, const IpAddress& source, uint32_t device = 0) {
    return FindPath(*stack_, destination, source, device, path_);
  }
  int Find(const IpAddress& destination) { return Find(destination, AnyAddress(!destination.is_v4())); }
  Path path_;
};

TEST_F(RoutesTest, TheLongestPrefixWins) {
  WireDevice second;
  ASSERT_EQ(AddDevice(*stack_, second.device), 0);
  ASSERT_EQ(AddAddress(*stack_, {second.device.index, IpAddress::V4(172, 16, 0, 1), 16}), 0);
  ASSERT_EQ(AddRoute(*stack_, {IpAddress::V4(192, 0, 2, 0), 24, IpAddress::V4(172, 16, 0, 9), second.device.index}), 0);
  EXPECT_EQ(Find(kFar4), 0);
  EXPECT_EQ(path_.device, &second.device);
  EXPECT_EQ(path_.next_hop, IpAddress::V4(172, 16, 0, 9));
  EXPECT_EQ(path_.source, IpAddress::V4(172, 16, 0, 1));
  ASSERT_EQ(AddRoute(*stack_, {kFar4, 32, IpAddress(), wire_.device.index}), 0);
  EXPECT_EQ(Find(kFar4), 0);
  EXPECT_EQ(path_.device, &wire_.device);
  EXPECT_EQ(path_.next_hop, kFar4);
  EXPECT_EQ(Find(kFar4, AnyAddress(false), second.device.index), 0);
  EXPECT_EQ(path_.device, &second.device);
  wire_.device.is_up = false;
  EXPECT_EQ(Find(kFar4), 0);
  EXPECT_EQ(path_.device, &second.device) << "a device that is down is no way";
  wire_.device.is_up = true;
  ASSERT_EQ(RemoveRoute(*stack_, {kFar4, 32, IpAddress(), wire_.device.index}), 0);
  EXPECT_EQ(RemoveRoute(*stack_, {kFar4, 32, IpAddress(), wire_.device.index}), -ESRCH);
  EXPECT_EQ(Find(IpAddress::V4(8, 8, 8, 8)), 0);
  EXPECT_EQ(path_.next_hop, kPeer4);
  RemoveDevice(*stack_, second.device, now_);
  EXPECT_EQ(Find(kFar4), 0);
  EXPECT_EQ(path_.device, &wire_.device);
}

TEST_F(RoutesTest, FindPathTellsWhyThereIsNone) {
  EXPECT_EQ(Find(kPeer4, kFar4), -EADDRNOTAVAIL);
  EXPECT_EQ(Find(kPeer4, kLoopback4), -EINVAL);
  ASSERT_EQ(RemoveRoute(*stack_, {IpAddress::V4(0, 0, 0, 0), 0, kPeer4, wire_.device.index}), 0);
  EXPECT_EQ(Find(kFar4), -ENETUNREACH);
  EXPECT_EQ(Find(kPeer4), 0) << "the address' own network stays";
  ASSERT_EQ(RemoveAddress(*stack_, {wire_.device.index, kOwn4, 24}), 0);
  EXPECT_EQ(Find(kPeer4), -ENETUNREACH);
  EXPECT_EQ(RemoveAddress(*stack_, {wire_.device.index, kOwn4, 24}), -EADDRNOTAVAIL);
  StackOptions options;
  options.has_loopback = false;
  Start(options, true);
  EXPECT_EQ(wire_.device.index, 1U);
  EXPECT_EQ(Find(kLoopback4), -ENETUNREACH);
  EXPECT_EQ(Find(kOwn4), -ENETUNREACH);
}

TEST_F(RoutesTest, SourcesHaveTheDestinationsScope) {
  EXPECT_EQ(Find(kFar6), 0);
  EXPECT_EQ(path_.source, kOwn6);
  EXPECT_EQ(Find(Ip6({0xfe, 0x80}, {9}), IpAddress(), wire_.device.index), 0);
  EXPECT_TRUE(path_.source.is_link_local());
  EXPECT_EQ(Find(Ip6({0xff, 2}, {0xfb}), IpAddress(), wire_.device.index), 0);
  EXPECT_TRUE(path_.source.is_link_local());
}

TEST_F(RoutesTest, RefusesNonsense) {
  EXPECT_EQ(AddAddress(*stack_, {99, kPeer4, 24}), -ENODEV);
  EXPECT_EQ(AddAddress(*stack_, {wire_.device.index, kPeer4, 33}), -EINVAL);
  EXPECT_EQ(AddAddress(*stack_, {wire_.device.index, IpAddress(), 0}), -EINVAL);
  EXPECT_EQ(AddAddress(*stack_, {wire_.device.index, IpAddress::V4(224, 0, 0, 1), 24}), -EINVAL);
  EXPECT_EQ(AddAddress(*stack_, {wire_.device.index, kOwn4, 24}), -EEXIST);
  EXPECT_EQ(AddRoute(*stack_, {kFar4, 24, kPeer6, wire_.device.index}), -EINVAL);
  EXPECT_EQ(AddRoute(*stack_, {kFar4, 24, kPeer4, 0}), -ENODEV);
  EXPECT_EQ(AddRoute(*stack_, {kFar4, 24, kPeer4, wire_.device.index}), 0);
  EXPECT_EQ(AddRoute(*stack_, {IpAddress::V4(192, 0, 2, 99), 24, kPeer4, wire_.device.index}), -EEXIST);
}

TEST_F(RoutesTest, ManyDevicesWithHostRoutesAreFound) {
  constexpr uint32_t kCount = 2000;
  std::vector<std::unique_ptr<WireDevice>> links;
  const auto peer = [](uint32_t i) {
    return IpAddress::V4(100, 64, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i));
  };
  for (uint32_t i = 0; i < kCount; ++i) {
    links.push_back(std::make_unique<WireDevice>());
    links.back()->device.is_point_to_point = true;
    ASSERT_EQ(AddDevice(*stack_, links.back()->device), 0);
    ASSERT_EQ(AddRoute(*stack_, {peer(i), 32, IpAddress(), links.back()->device.index}), 0);
  }
  for (uint32_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(Find(peer(i)), 0);
    ASSERT_EQ(path_.device, &links[i]->device);
    ASSERT_EQ(path_.source, kOwn4) << "a link without an address uses the host's";
  }
  for (uint32_t i = 0; i < kCount; ++i) {
    RemoveDevice(*stack_, links[i]->device, now_);
  }
  EXPECT_EQ(Find(peer(5)), 0);
  EXPECT_EQ(path_.device, &wire_.device);
}

TEST_F(RoutesTest, ListsGoOnWhereTheyStopped) {
  DeviceAddress all[8];
  const uint32_t count = ListAddresses(*stack_, 0, all, 8);
  for (uint32_t i = 0; i < count; ++i) {
    DeviceAddress one;
    ASSERT_EQ(ListAddresses(*stack_, i, &one, 1), 1U);
    EXPECT_EQ(one.address, all[i].address);
  }
  DeviceAddress none;
  EXPECT_EQ(ListAddresses(*stack_, count, &none, 1), 0U);
  Route routes[8];
  EXPECT_EQ(ListRoutes(*stack_, 0, routes, 8), 5U);  // link-local, both networks, both defaults
  EXPECT_EQ(ListRoutes(*stack_, 5, routes, 8), 0U);
}

TEST_F(RoutesTest, AStackFailsCleanlyAtEveryAllocation) {
  HeapEnvironment heap;
  for (heap.limit_bytes = 0;; heap.limit_bytes += 64) {
    Stack* const stack = NewStack(heap.environment(), {});
    if (stack != nullptr) {
      FreeStack(stack);
      break;
    }
    ASSERT_EQ(heap.held_bytes, 0U);
  }
  EXPECT_EQ(heap.held_bytes, 0U);
}

TEST_F(RoutesTest, AnIdleStackIsSmallAndWakesNobody) {
  EXPECT_EQ(NextDeadline_ns(*stack_), ~0ULL);
  EXPECT_LT(heap_.held_bytes, 16 * 1024U);
}

TEST_F(RoutesTest, TrimGivesBackWhatLoopbackUsed) {
  const uint64_t before = heap_.held_bytes;
  UdpSocket* const server = BoundUdp({kLoopback4, 53}, false);
  UdpSocket* const client = NewUdpSocket(*stack_, false);
  const Endpoint to = {kLoopback4, 53};
  ASSERT_EQ(SendTo(*client, &to, Pattern(3000)), 0);
  EXPECT_GT(heap_.held_bytes, before + 256 * 1024);
  CloseUdp(*client);
  CloseUdp(*server);
  Trim(*stack_);
  EXPECT_LT(heap_.held_bytes, before + 4096);
}

TEST_F(RoutesTest, AFullLoopbackMakesSendersWaitUntilFlush) {
  UdpSocket* const server = BoundUdp({kLoopback4, 53}, false);
  SetUdpBuffers(*server, 8 << 20, 8 << 20);
  UdpSocket* const client = BoundUdp({kLoopback4, 54}, false);
  const Endpoint to = {kLoopback4, 53};
  uint32_t sent = 0;
  Span span;
  while (BeginUdp(*client, &to, nullptr, 60000, span, now_) == 0) {
    std::memset(span.data, static_cast<int>(sent), 60000);
    ASSERT_EQ(SendUdp(*client, now_), 0);
    ++sent;
  }
  EXPECT_EQ(sent, 4U);
  EXPECT_EQ(NextDeadline_ns(*stack_), 0U) << "there is something to flush";
  Flush(*stack_, now_);
  Bytes payload;
  for (uint32_t i = 0; i < sent; ++i) {
    ASSERT_TRUE(ReadFrom(*server, payload));
    EXPECT_EQ(payload, Bytes(60000, static_cast<uint8_t>(i)));
  }
  EXPECT_EQ(BeginUdp(*client, &to, nullptr, 60000, span, now_), 0);
}

TEST_F(RoutesTest, LoopbackKeepsFramesApartWhateverTheirSizes) {
  UdpSocket* const server = BoundUdp({kLoopback4, 53}, false);
  SetUdpBuffers(*server, 16 << 20, 8 << 20);
  UdpSocket* const client = BoundUdp({kLoopback4, 54}, false);
  const Endpoint to = {kLoopback4, 53};
  std::mt19937 random(5);
  std::deque<Bytes> expected;
  for (int round = 0; round < 4000; ++round) {
    const Bytes payload(random() % (random() % 4 == 0 ? 65000 : 300), static_cast<uint8_t>(random()));
    Span span;
    if (BeginUdp(*client, &to, nullptr, static_cast<uint32_t>(payload.size()), span, now_) == 0) {
      std::copy(payload.begin(), payload.end(), span.data);
      ASSERT_EQ(SendUdp(*client, now_), 0);
      expected.push_back(payload);
    }
    if (random() % 7 == 0) {
      DeliverLoopback(*stack_, 1 + random() % 5, now_);
    }
    Bytes got;
    while (ReadFrom(*server, got)) {
      ASSERT_FALSE(expected.empty());
      ASSERT_EQ(got, expected.front());
      expected.pop_front();
    }
  }
}

TEST_F(RoutesTest, ACloneDrawsOtherPortsAndIds) {
  HeapEnvironment heap;
  Stack* const one = NewStack(heap.environment(), {});
  const Secret before = one->signing_secret;
  const Secret tables = one->secret;
  RenewSecrets(*one);
  EXPECT_NE(std::memcmp(&before, &one->signing_secret, sizeof(Secret)), 0);
  EXPECT_EQ(std::memcmp(&tables, &one->secret, sizeof(Secret)), 0) << "what is in the tables must stay findable";
  FreeStack(one);
}

class PortsTest : public RoutesTest {
 protected:
  Socket Make(bool is_v6 = false) {
    Socket socket;
    socket.stack = stack_;
    socket.is_v6 = is_v6;
    return socket;
  }
  int Bind(Socket& socket, const Endpoint& local, bool is_listening = false) {
    return BindPort(*stack_, kProtocolTcp, socket, local, is_listening);
  }
  void Release(Socket& socket) { ReleasePort(*stack_, kProtocolTcp, socket); }
  static bool NeverTaken(Stack&, const Endpoint&, const Endpoint&) { return false; }
};

TEST_F(PortsTest, ReuseAddressSharesAPortWithoutListenerOnly) {
  Socket one = Make(), two = Make();
  one.reuses_address = two.reuses_address = true;
  EXPECT_EQ(Bind(one, {kOwn4, 80}), 0);
  EXPECT_EQ(Bind(two, {kOwn4, 80}), 0);
  EXPECT_EQ(Bind(one, {kOwn4, 80}, true), 0);  // listen(2)
  EXPECT_EQ(Bind(two, {kOwn4, 80}, true), -EADDRINUSE);
  Socket three = Make();
  three.reuses_address = true;
  EXPECT_EQ(Bind(three, {AnyAddress(false), 80}), -EADDRINUSE);
  Release(one);
  EXPECT_EQ(Bind(two, {kOwn4, 80}, true), 0);
  Release(two);
}

TEST_F(PortsTest, AServerRestartsWhileItsOldConnectionsLinger) {
  Socket listener = Make(), connection = Make();
  listener.reuses_address = connection.reuses_address = true;
  ASSERT_EQ(Bind(listener, {AnyAddress(false), 80}, true), 0);
  connection.local = {kOwn4, 80};
  ASSERT_EQ(SharePort(*stack_, kProtocolTcp, connection), 0);
  Release(listener);
  Socket strict = Make();
  EXPECT_EQ(Bind(strict, {AnyAddress(false), 80}), -EADDRINUSE);
  Socket next = Make();
  next.reuses_address = true;
  EXPECT_EQ(Bind(next, {AnyAddress(false), 80}), 0);
  EXPECT_EQ(Bind(next, {AnyAddress(false), 80}, true), 0);
  Release(next);
  Release(connection);
  EXPECT_EQ(Bind(strict, {AnyAddress(false), 80}), 0);
  Release(strict);
}

TEST_F(PortsTest, ConnectionsDrawPortsThatMakeThemUnique) {
  StackOptions options;
  options.ephemeral_low = 40000;
  options.ephemeral_high = 40003;
  Start(options, false);
  std::vector<Socket> sockets(4);
  for (Socket& socket : sockets) {
    ASSERT_EQ(BindForConnect(*stack_, kProtocolTcp, socket, kOwn4, {kFar4, 80}, NeverTaken), 0);
  }
  Socket more;
  EXPECT_EQ(BindForConnect(*stack_, kProtocolTcp, more, kOwn4, {kFar4, 81}, NeverTaken), 0)
      << "a port may serve other destinations";
  Release(more);
  EXPECT_EQ(BindForConnect(*stack_, kProtocolTcp, more, kOwn4, {kFar4, 80},
                           [](Stack&, const Endpoint&, const Endpoint&) { return true; }),
            -EADDRNOTAVAIL);
  for (Socket& socket : sockets) {
    Release(socket);
  }
  Socket named = Make();
  ASSERT_EQ(Bind(named, {kOwn4, 40001}), 0);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(BindForConnect(*stack_, kProtocolTcp, more, kOwn4, {kFar4, 80}, NeverTaken), 0);
    EXPECT_NE(more.local.port, 40001) << "bound by name: not for connections";
    Release(more);
  }
  Release(named);
}

TEST_F(PortsTest, DevicesKeepPortsApart) {
  Socket one = Make(), two = Make();
  one.device_index = 1;
  two.device_index = 2;
  EXPECT_EQ(Bind(one, {AnyAddress(false), 80}, true), 0);
  EXPECT_EQ(Bind(two, {AnyAddress(false), 80}, true), 0);
  Release(one);
  Release(two);
}

}  // namespace
}  // namespace junction::net
