// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>
#include <string>

#include "link/link_client.h"
#include "link/test/fake_instance.h"

namespace junction::link {
namespace {

constexpr uint16_t kPort = 8080;

std::unique_ptr<LinkClient> OpenClient(FakeInstance& instance, uint64_t spin_ns = 0) {
  // The port of a client before is free once the instance's thread has seen its end.
  for (;;) {
    auto client = LinkClient::Open(instance.link_path(), spin_ns);
    if (client) {
      return std::move(*client);
    }
    if (client.error().code != EBUSY) {
      ADD_FAILURE() << client.error().message;
      return nullptr;
    }
  }
}

LinkConnection* Connect(LinkClient& client, uint16_t port = kPort) {
  auto connection = client.Connect(port);
  if (!connection) {
    ADD_FAILURE() << connection.error().message;
    return nullptr;
  }
  return *connection;
}

std::string ReadExactly(LinkClient& client, LinkConnection& connection, size_t size) {
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < size) {
    const int64_t got = client.ReadSome(connection, bytes.data() + done, size - done);
    if (got <= 0) {
      ADD_FAILURE() << "ends after " << done << " of " << size << ": " << got;
      return "";
    }
    done += static_cast<size_t>(got);
  }
  return bytes;
}

std::string Pattern(size_t size, uint32_t seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

void ExpectEcho(LinkClient& client, LinkConnection& connection, const std::string& bytes) {
  ASSERT_TRUE(client.Write(connection, bytes));
  EXPECT_TRUE(ReadExactly(client, connection, bytes.size()) == bytes);
}

TEST(LinkTest, CarriesBytesByIpv6) {
  FakeInstance instance({.queue_pairs = 2, .has_ip6_only = true});
  instance.ServeEcho(kPort);
  auto client = OpenClient(instance);
  ASSERT_NE(client, nullptr);
  EXPECT_FALSE(client->link().RemoteOf(kPort).address.is_v4());
  LinkConnection* const connection = Connect(*client);
  ASSERT_NE(connection, nullptr);
  ExpectEcho(*client, *connection, "hello");
  ExpectEcho(*client, *connection, Pattern(300'000, 6));
}

TEST(LinkTest, CarriesBytesBothWays) {
  for (const uint32_t queue_pairs : {1, 4}) {
    FakeInstance instance({.queue_pairs = queue_pairs});
    instance.ServeEcho(kPort);
    const auto client = OpenClient(instance);
    LinkConnection* const connection = Connect(*client);
    for (const size_t size : {1, 600, 4080, 4081, 30'000}) {
      ExpectEcho(*client, *connection, Pattern(size, static_cast<uint32_t>(size)));
    }
  }
}

TEST(LinkTest, CarriesManyConnectionsOverSeveralQueuePairs) {
  FakeInstance instance({.queue_pairs = 4});
  instance.ServeEcho(kPort);
  const auto client = OpenClient(instance);
  std::vector<LinkConnection*> connections;
  for (int i = 0; i < 200; ++i) {
    connections.push_back(Connect(*client));
  }
  for (uint32_t i = 0; i < connections.size(); ++i) {
    ASSERT_TRUE(client->Write(*connections[i], Pattern(1000, i)));
  }
  for (uint32_t i = 0; i < connections.size(); ++i) {
    EXPECT_TRUE(ReadExactly(*client, *connections[i], 1000) == Pattern(1000, i)) << i;
  }
  EXPECT_EQ(instance.accepted(), 200u);
}

TEST(LinkTest, CarriesBulkThroughFullRings) {
  FakeInstance instance({});
  instance.ServeEcho(kPort);
  const auto client = OpenClient(instance);
  LinkConnection* const connection = Connect(*client);
  const std::string bytes = Pattern(20'000'000, 1);
  size_t sent = 0;
  size_t received = 0;
  char buffer[65536];
  while (received < bytes.size()) {
    // Never waits with everything unsent in its own hands: the echo holds only so much.
    int error = 0;
    const net::Span room = net::WriteSpan(*connection->socket, error);
    const size_t size = std::min<size_t>(room.size_bytes, bytes.size() - sent);
    if (size > 0) {
      ASSERT_TRUE(client->Write(*connection, std::string_view(bytes).substr(sent, size)));
      sent += size;
    }
    const int64_t got = client->Read(*connection, buffer, sizeof(buffer));
    if (got == -EAGAIN) {
      if (size == 0) {
        ASSERT_TRUE(client->Wait(10'000));
      }
      continue;
    }
    ASSERT_GT(got, 0);
    ASSERT_TRUE(bytes.compare(received, static_cast<size_t>(got), buffer, static_cast<size_t>(got)) == 0) << received;
    received += static_cast<size_t>(got);
  }
}

TEST(LinkTest, TellsThatNobodyListens) {
  FakeInstance instance({});
  const auto client = OpenClient(instance);
  const auto connection = client->Connect(kPort);
  ASSERT_FALSE(connection.has_value());
  EXPECT_EQ(connection.error().code, ECONNREFUSED);
}

TEST(LinkTest, LosesNoWakeUpWhenBothSidesSleep) {
  for (const bool in_futex : {false, true}) {
    FakeInstance instance({.sleeps_in_futex = in_futex});
    instance.ServeEcho(kPort);
    const auto client = OpenClient(instance);
    LinkConnection* const connection = Connect(*client);
    const uint64_t sleeps_before = client->sleeps();
    const std::string bytes = Pattern(100, 7);
    for (int i = 0; i < 50'000; ++i) {
      // A lost wake-up ends in the patience of ReadSome, or shows as a retransmission.
      ExpectEcho(*client, *connection, bytes);
      ASSERT_FALSE(HasFailure()) << "round " << i;
    }
    const net::StackCounters& counters = net::CountersOf(client->stack().stack());
    EXPECT_EQ(counters.tcp_timeouts, 0u);
    EXPECT_GT(client->sleeps() - sleeps_before, 1000u) << "it was no test of sleeping";
  }
}

TEST(LinkTest, ResetsConnectionsWhenTheInstanceIsKilled) {
  FakeInstance instance({});
  instance.ServeEcho(kPort);
  const auto client = OpenClient(instance);
  LinkConnection* const connection = Connect(*client);
  ExpectEcho(*client, *connection, "hello");
  instance.Kill();
  char byte;
  EXPECT_EQ(client->ReadSome(*connection, &byte, 1), -ECONNRESET);
  EXPECT_TRUE(client->is_lost());
  EXPECT_FALSE(client->Connect(kPort).has_value());
}

TEST(LinkTest, AttachesAgainAndAgain) {
  FakeInstance instance({});
  instance.ServeEcho(kPort);
  for (int i = 0; i < 50; ++i) {
    const auto client = OpenClient(instance);
    ASSERT_NE(client, nullptr);
    LinkConnection* const connection = Connect(*client);
    ASSERT_NE(connection, nullptr);
    ExpectEcho(*client, *connection, Pattern(10'000, static_cast<uint32_t>(i)));
    ASSERT_TRUE(client->Write(*connection, "left in the ring"));
    EXPECT_EQ(net::CountersOf(client->stack().stack()).tcp_timeouts, 0u) << "a new peer's first frame was dropped";
  }
}

/// What `write` does to the memory breaks the link, and only that.
void ExpectLossBy(const std::function<void(Ring& to_us, Ring& from_us)>& write) {
  FakeInstance instance({});
  FakeInstance other({.host_byte = 3});
  instance.ServeEcho(kPort);
  other.ServeEcho(kPort);
  const auto client = OpenClient(instance);
  const auto unharmed = OpenClient(other);
  LinkConnection* const connection = Connect(*client);
  ExpectEcho(*client, *connection, "hello");
  instance.Pause();
  write(instance.view().ring(1, 0, false), instance.view().ring(1, 0, true));
  instance.RingPeer(1);
  // What comes of it depends on what was broken: it shows at the next frame, there or here.
  while (!client->is_lost() && client->Write(*connection, "x")) {
    client->Wait(0);
  }
  EXPECT_TRUE(client->is_lost());
  char byte;
  EXPECT_EQ(client->ReadSome(*connection, &byte, 1), -ECONNRESET);
  LinkConnection* const fine = Connect(*unharmed);
  ExpectEcho(*unharmed, *fine, "still here");
  instance.Resume();
}

TEST(LinkTest, BreaksOnATailThatMakesNoSense) {
  ExpectLossBy([](Ring& to_us, Ring&) { to_us.tail.store(to_us.tail.load() + 5000); });
}

TEST(LinkTest, BreaksOnAHeadThatMakesNoSense) {
  ExpectLossBy([](Ring&, Ring& from_us) { from_us.head.store(from_us.head.load() + 5000); });
}

TEST(LinkTest, BreaksOnDescriptorsThatLeaveTheRing) {
  ExpectLossBy([](Ring& to_us, Ring&) {
    const uint32_t tail = to_us.tail.load();
    to_us.slots[tail % kRingSlots] = FrameDescriptor{};
    to_us.slots[tail % kRingSlots].offset = kRingData_bytes - 10;
    to_us.slots[tail % kRingSlots].length_bytes = 60'000;
    to_us.tail.store(tail + 1);
  });
}

TEST(LinkTest, IsNotTroubledByGarbageFrames) {
  FakeInstance instance({});
  instance.ServeEcho(kPort);
  const auto client = OpenClient(instance);
  LinkConnection* const connection = Connect(*client);
  instance.Pause();
  uint32_t seed = 1;
  for (int i = 0; i < 2000; ++i) {
    seed = seed * 1664525 + 1013904223;
    std::string frame = Pattern(14 + seed % 200, seed);
    if (i % 2 == 0) {
      frame.replace(12, 2, std::string("\x08\x00\x45", 2));  // as if it were IPv4
    }
    while (!instance.SendRaw(1, frame)) {
      client->Wait(0);
    }
  }
  client->Wait(0);
  instance.Resume();
  ExpectEcho(*client, *connection, Pattern(5000, 3));
}

TEST(LinkTest, StopsListeningToAnInstanceThatOnlyRings) {
  FakeInstance instance({});
  instance.ServeEcho(kPort);
  const auto client = OpenClient(instance);
  LinkConnection* const connection = Connect(*client);
  ExpectEcho(*client, *connection, "hello");
  const uint64_t sleeps = client->sleeps();
  std::atomic<bool> ends = false;
  std::thread ringer([&] {
    while (!ends) {
      instance.RingPeer(1);
    }
  });
  while (client->stack().counters().mutes < 20) {
    client->Wait(100);
  }
  EXPECT_GE(client->stack().counters().vain_rings, 16u);
  // Silenced for up to 10 ms at a time, it woke us some 16 times for each of them.
  EXPECT_LT(client->sleeps() - sleeps, 20u * 40);
  ExpectEcho(*client, *connection, "and it still works");
  ends = true;
  ringer.join();
}

TEST(LinkTest, StopsListeningToAnIdleLinkThatFloods) {
  FakeInstance instance({});
  instance.ServeEcho(kPort);
  const auto client = OpenClient(instance);
  LinkConnection* const connection = Connect(*client);
  client->stack().Unuse(client->link());  // no request is in flight
  instance.Pause();
  const std::string frame = Pattern(60, 1);
  while (client->stack().counters().mutes == 0) {
    while (instance.SendRaw(1, frame)) {
    }
    instance.RingPeer(1);
    client->Wait(0);
  }
  instance.Resume();
  client->stack().Use(client->link());
  ExpectEcho(*client, *connection, "still there");
}

}  // namespace
}  // namespace junction::link
