// SPDX-License-Identifier: Apache-2.0
#include "run/junction_config.h"

#include <gtest/gtest.h>

namespace junction {
namespace {

std::vector<ConfigFault> Faults(std::string_view text) {
  auto config = ParseJunctionConfig(text);
  return config ? std::vector<ConfigFault>{} : config.error();
}

TEST(JunctionConfig, ReadsAllKeys) {
  const auto config = ParseJunctionConfig(
      "# an instance\n"
      "host_addr 192.168.1.3\n"
      "host_netmask 255.255.255.0   # a comment behind\n"
      "host_gateway\t192.168.1.1\r\n"
      "host_mtu 9000\n"
      "runtime_kthreads 4\n"
      "runtime_spinning_kthreads 1\n"
      "runtime_guaranteed_kthreads 2\n"
      "runtime_priority lc\n"
      "runtime_ht_punish_us 3\n"
      "runtime_qdelay_us 11\n"
      "runtime_quantum_us 50\n"
      "\n"
      "static_arp 192.168.1.1 52:54:00:12:34:56\n"
      "static_arp 192.168.1.2 52:54:00:12:34:57\n"
      "log_level 5");
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->host_addr, 0xc0a80103);
  EXPECT_EQ(config->host_netmask, 0xffffff00);
  EXPECT_EQ(config->host_gateway, 0xc0a80101);
  EXPECT_EQ(config->host_mtu_bytes, 9000);
  EXPECT_EQ(config->kthreads, 4);
  EXPECT_EQ(config->spinning_kthreads, 1);
  EXPECT_EQ(config->guaranteed_kthreads, 2);
  EXPECT_EQ(config->priority, RuntimePriority::kLatencyCritical);
  EXPECT_EQ(config->ht_punish_us, 3);
  EXPECT_EQ(config->qdelay_us, 11);
  EXPECT_EQ(config->quantum_us, 50);
  EXPECT_EQ(config->log_level, 5);
  ASSERT_EQ(config->static_arp.size(), 2);
  EXPECT_EQ(config->static_arp[1].address, 0xc0a80102);
  EXPECT_EQ(config->static_arp[1].mac, (MacBytes{0x52, 0x54, 0x00, 0x12, 0x34, 0x57}));
}

TEST(JunctionConfig, ReadsOurOwnKeys) {
  const auto config = ParseJunctionConfig(
      "host_addr 10.62.0.2\nhost_addr6 fd00::2\nhost_prefix6 120\nhost_gateway6 fd00::1\nhost_mac 02:00:00:00:00:09\n");
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->host_addr6[0], 0xfd);
  EXPECT_EQ(config->host_addr6[15], 2);
  EXPECT_EQ(config->host_gateway6[15], 1);
  EXPECT_EQ(config->host_prefix6_bits, 120);
  EXPECT_EQ(config->host_mac[5], 9);
  EXPECT_EQ(ParseJunctionConfig("")->host_prefix6_bits, 64);
  EXPECT_TRUE(ParseJunctionConfig("host_addr6 fd00::2\nhost_gateway6 fe80::1\n").has_value());
}

TEST(JunctionConfig, RefusesBadOnesOfThem) {
  EXPECT_EQ(Faults("host_addr6 10.0.0.1\n").size(), 1);
  EXPECT_EQ(Faults("host_addr6 fd00::1::2\n").size(), 1);
  EXPECT_EQ(Faults("host_addr6 fd00::1\nhost_prefix6 0\n").size(), 1);
  EXPECT_EQ(Faults("host_addr6 fd00::1\nhost_prefix6 129\n").size(), 1);
  EXPECT_EQ(Faults("host_mac 01:00:5e:00:00:01\n").size(), 1) << "a group's";
  EXPECT_EQ(Faults("host_mac 00:00:00:00:00:00\n").size(), 1);
  EXPECT_EQ(Faults("host_gateway6 fd00::1\n").size(), 1) << "without an address";
  EXPECT_EQ(Faults("host_addr6 fd00::2\nhost_gateway6 fd00:0:0:1::1\n").size(), 1);
}

TEST(JunctionConfig, HasTheOriginalsDefaults) {
  const auto config = ParseJunctionConfig("");
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->host_mtu_bytes, 1500);
  EXPECT_EQ(config->kthreads, 1);
  EXPECT_EQ(config->spinning_kthreads, 0);
  EXPECT_EQ(config->priority, RuntimePriority::kBestEffort);
  EXPECT_EQ(config->qdelay_us, 10);
  EXPECT_EQ(config->quantum_us, 100);
}

TEST(JunctionConfig, ReportsAllFaultsWithTheirLines) {
  const auto faults = Faults(
      "host_addr 1.2.3\n"
      "runtime_kthreads 0\n"
      "# fine\n"
      "no_such_key 1\n"
      "runtime_priority high\n"
      "host_mtu\n"
      "log_level 1 2\n"
      "runtime_quantum_us -5\n"
      "static_arp 1.2.3.4 zz:54:00:12:34:56\n");
  ASSERT_EQ(faults.size(), 8);
  EXPECT_EQ(faults[0].line, 1);
  EXPECT_EQ(faults[0].message, "host_addr: '1.2.3' is not an IPv4 address");
  EXPECT_EQ(faults[1].line, 2);
  EXPECT_EQ(faults[1].message, "runtime_kthreads: '0' is not a number from 1 to 256");
  EXPECT_EQ(faults[2].line, 4);
  EXPECT_EQ(faults[2].message, "unknown key 'no_such_key'");
  EXPECT_EQ(faults[3].line, 5);
  EXPECT_EQ(faults[4].message, "host_mtu takes 1 value, not 0");
  EXPECT_EQ(faults[5].message, "log_level takes 1 value, not 2");
  EXPECT_EQ(faults[6].line, 8);
  EXPECT_EQ(faults[7].message, "static_arp: 'zz:54:00:12:34:56' is not a MAC address");
}

TEST(JunctionConfig, RefusesAKeyTwice) {
  const auto faults = Faults("log_level 1\nlog_level 2\n");
  ASSERT_EQ(faults.size(), 1);
  EXPECT_EQ(faults[0].line, 2);
  EXPECT_EQ(faults[0].message, "log_level stands in line 1 already");
}

TEST(JunctionConfig, ChecksKeysAgainstEachOther) {
  const auto faults = Faults(
      "runtime_guaranteed_kthreads 3\n"
      "runtime_kthreads 2\n"
      "host_addr 10.0.0.2\n"
      "host_netmask 255.255.255.0\n"
      "host_gateway 10.0.1.1\n");
  ASSERT_EQ(faults.size(), 2);
  EXPECT_EQ(faults[0].line, 1);
  EXPECT_EQ(faults[1].line, 5);
}

TEST(JunctionConfig, RefusesMasksThatAreNone) {
  EXPECT_EQ(Faults("host_netmask 255.0.255.0\n").size(), 1);
  EXPECT_EQ(Faults("host_netmask 0.0.0.0\n").size(), 1);
  EXPECT_TRUE(Faults("host_netmask 255.255.255.255\n").empty());
  EXPECT_TRUE(Faults("host_netmask 128.0.0.0\n").empty());
}

TEST(JunctionConfig, RefusesAddressesThatOnlyLookLikeOnes) {
  for (const char* text :
       {"1.2.3.4.5", "1.2.3.", ".1.2.3", "1.2.3.256", "1.2.3.0004", "1..2.3", "a.b.c.d", "1.2.3.4x"}) {
    EXPECT_EQ(Faults(std::string("host_addr ") + text + "\n").size(), 1) << text;
  }
}

TEST(JunctionConfig, RefusesBytesThatAreNoText) {
  EXPECT_EQ(Faults(std::string_view("log_level 1\n\0\n", 14)).size(), 1);
  EXPECT_EQ(Faults(std::string(kMaxConfigSize_bytes + 1, ' ')).size(), 1);
}

}  // namespace
}  // namespace junction
