// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/socket_address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace junction {
namespace {

struct Address {
  AddressBytes bytes = {};
  uint32_t size = 0;
};

Address V4(const char* text, uint16_t port) {
  Address address;
  sockaddr_in native = {};
  native.sin_family = AF_INET;
  native.sin_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET, text, &native.sin_addr), 1);
  std::memcpy(address.bytes, &native, sizeof(native));
  address.size = sizeof(native);
  return address;
}

Address V6(const char* text, uint16_t port) {
  Address address;
  sockaddr_in6 native = {};
  native.sin6_family = AF_INET6;
  native.sin6_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET6, text, &native.sin6_addr), 1);
  std::memcpy(address.bytes, &native, sizeof(native));
  address.size = sizeof(native);
  return address;
}

std::string Text(const Address& address, bool is_v6) {
  char text[INET6_ADDRSTRLEN];
  const size_t at = is_v6 ? offsetof(sockaddr_in6, sin6_addr) : offsetof(sockaddr_in, sin_addr);
  inet_ntop(is_v6 ? AF_INET6 : AF_INET, address.bytes + at, text, sizeof(text));
  return text;
}

InetAddress Parse(const Address& address) {
  InetAddress parsed;
  EXPECT_TRUE(ParseInetAddress(address.bytes, address.size, parsed));
  return parsed;
}

TEST(SocketAddress, TellsAnyLoopbackAndOthersApart) {
  EXPECT_TRUE(Parse(V4("0.0.0.0", 80)).is_any);
  EXPECT_TRUE(Parse(V4("127.0.0.1", 80)).is_loopback);
  EXPECT_TRUE(Parse(V4("127.9.9.9", 80)).is_loopback);
  EXPECT_TRUE(Parse(V6("::", 80)).is_any);
  EXPECT_TRUE(Parse(V6("::1", 80)).is_loopback);
  EXPECT_TRUE(Parse(V6("::ffff:127.0.0.1", 80)).is_loopback);
  EXPECT_TRUE(Parse(V6("::ffff:0.0.0.0", 80)).is_any);
  for (const Address& other : {V4("10.0.0.1", 80), V6("2001:db8::1", 80), V6("::2", 80), V6("::ffff:10.0.0.1", 80)}) {
    EXPECT_FALSE(Parse(other).is_any || Parse(other).is_loopback);
  }
}

TEST(SocketAddress, TellsTheHostsOwnLoopback) {
  EXPECT_TRUE(Parse(V4("127.0.0.2", 80)).is_host);
  EXPECT_TRUE(Parse(V6("::ffff:127.0.0.2", 80)).is_host);
  for (const Address& other : {V4("127.0.0.1", 80), V4("127.1.0.2", 80), V4("10.0.0.2", 80), V6("::2", 80)}) {
    EXPECT_FALSE(Parse(other).is_host);
  }
}

TEST(SocketAddress, ReadsThePort) {
  EXPECT_EQ(Parse(V4("0.0.0.0", 8080)).port, 8080);
  EXPECT_EQ(Parse(V6("::", 65535)).port, 65535);
}

TEST(SocketAddress, RefusesCutOffAddressesAndOtherFamilies) {
  InetAddress parsed;
  const Address v4 = V4("127.0.0.1", 80);
  for (uint32_t size = 0; size < v4.size; ++size) {
    EXPECT_FALSE(ParseInetAddress(v4.bytes, size, parsed)) << size;
  }
  const Address v6 = V6("::1", 80);
  for (uint32_t size = 0; size < 24; ++size) {
    EXPECT_FALSE(ParseInetAddress(v6.bytes, size, parsed)) << size;
  }
  Address unix_socket;
  unix_socket.bytes[0] = AF_UNIX;
  EXPECT_FALSE(ParseInetAddress(unix_socket.bytes, sizeof(unix_socket.bytes), parsed));
}

TEST(SocketAddress, WritesHostAndGuestAddresses) {
  Address v4 = V4("0.0.0.0", 80);
  SetHostLoopback(v4.bytes, false, 40123);
  EXPECT_EQ(Text(v4, false), "127.0.0.1");
  EXPECT_EQ(Parse(v4).port, 40123);
  SetGuestAddress(v4.bytes, false, true);
  EXPECT_EQ(Text(v4, false), "0.0.0.0");
  SetGuestAddress(v4.bytes, false, false);
  EXPECT_EQ(Text(v4, false), "127.0.0.1");

  Address v6 = V6("::", 80);
  SetHostLoopback(v6.bytes, true, 40123);
  EXPECT_EQ(Text(v6, true), "::ffff:127.0.0.1");
  SetPort(v6.bytes, true, 8080);
  EXPECT_EQ(Parse(v6).port, 8080);
  SetGuestAddress(v6.bytes, true, false);
  EXPECT_EQ(Text(v6, true), "::1");
}

}  // namespace
}  // namespace junction
