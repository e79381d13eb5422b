// SPDX-License-Identifier: Apache-2.0
// Our TCP against Linux' over TAP and veth, through a bad network. Needs root: makes a network namespace of its own and touches nothing
// else. JUNCTION_INTEROP_MB: how much each bulk transfer under faults carries each way (CI: 2; the full run: 100).
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "net/interop/interop_world.h"

namespace junction::net {
namespace {

bool has_namespace = false;

struct Case {
  const char* name;
  WireKind kind;
  bool is_v6;
  uint32_t mtu_bytes;
  FaultOptions faults;
  uint64_t megabytes;  // each way
};

uint64_t FaultyMegabytes() {
  const char* const text = std::getenv("JUNCTION_INTEROP_MB");
  return text == nullptr ? 2 : std::strtoull(text, nullptr, 10);
}

std::string Output(const std::string& command) {
  std::string text;
  std::FILE* const pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) {
    return "cannot run " + command;
  }
  char piece[4096];
  while (const size_t size = std::fread(piece, 1, sizeof piece, pipe)) {
    text.append(piece, size);
  }
  const int status = pclose(pipe);
  return status == 0 ? text : text + "exit status " + std::to_string(status);
}

// tshark must find nothing wrong with what both sides sent. Payloads are plain data to it:
// our bytes look like many a protocol of a port.
// ICMP errors about packets that the injector damaged quote them as they came.
bool HasTshark() { return std::system("command -v tshark >/dev/null") == 0; }  // apt-packages-test.txt brings it

std::string Complaints(const std::string& path, bool has_damage) {
  return Output("tshark -n -r " + path +
                " -d tcp.port==1-65535,data -o tcp.try_heuristic_first:FALSE"
                " -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -Y '(_ws.malformed "
                "or _ws.expert.severity == 8388608 or "
                "tcp.checksum.status == 0 or ip.checksum.status == 0 or icmpv6.checksum.status == 0)" +
                (has_damage ? " and not icmp.type == 3 and not icmpv6.type == 1 and not icmpv6.type == 4" : "") +
                "' 2>/dev/null");
}

class InteropTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_namespace) {
      GTEST_SKIP() << "needs root, for a network namespace";
    }
  }
  void Start(const char* name, WireKind kind, uint32_t mtu_bytes, const FaultOptions& faults, bool is_v6) {
    path_ = std::filesystem::temp_directory_path() /
            ("junction-interop-" + std::to_string(getpid()) + "-" + name + ".pcap");
    ASSERT_TRUE(world_.pcap.Open(path_));
    ASSERT_EQ(world_.Start(kind, mtu_bytes, faults, 4711, is_v6), "");
  }
  void TearDown() override {
    if (!path_.empty()) {
      EXPECT_TRUE(world_.pcap.Close());
      EXPECT_GT(world_.pcap.frames, 0U);
      if (HasTshark()) {
        EXPECT_EQ(Complaints(path_, world_.in->corrupted + world_.out->corrupted != 0), "")
            << "tshark finds this wrong in " << path_;
      }
      if (!HasFailure()) {
        std::filesystem::remove(path_);
      }
    }
  }
  const StackCounters& counters() { return CountersOf(*world_.stack); }

  std::string path_;
  InteropWorld world_;
};

class BulkTest : public InteropTest, public testing::WithParamInterface<Case> {};

TEST_P(BulkTest, BytesArriveIntactBothWays) {
  const Case& c = GetParam();
  Start(c.name, c.kind, c.mtu_bytes, c.faults, c.is_v6);
  const uint64_t bytes = (c.megabytes != 0 ? c.megabytes : FaultyMegabytes()) * 1024 * 1024;
  for (const bool linux_opens : {true, false}) {
    InteropEnd own{.write_bytes = bytes / 2};
    InteropEnd theirs{.write_bytes = bytes / 2};
    ASSERT_EQ(world_.Connect(linux_opens, own, theirs), "");
    EXPECT_TRUE(world_.RunUntil([&] {
      return (own.has_ended && theirs.has_ended) || own.error != 0 || theirs.error != 0;
    })) << "no progress: we got "
        << own.got << ", Linux " << theirs.got << " of " << bytes / 2;
    EXPECT_EQ(own.error, 0);
    EXPECT_EQ(theirs.error, 0);
    EXPECT_EQ(own.got, bytes / 2);
    EXPECT_EQ(theirs.got, bytes / 2);
    world_.Close(own, false);
    world_.Close(theirs, false);
    world_.ends.clear();
  }
  EXPECT_EQ(counters().tcp_malformed != 0, world_.in->corrupted != 0 && c.kind == WireKind::kTapPlain);
}

constexpr FaultOptions kClean = {};
constexpr FaultOptions kLossy = {.loss = 50'000, .delay_ns = 1'000'000};
constexpr FaultOptions kDisorder = {.duplicate = 20'000, .reorder = 50'000, .delay_ns = 1'000'000};
constexpr FaultOptions kCorrupt = {.corrupt = 20'000, .delay_ns = 500'000};
constexpr FaultOptions kAll = {
    .loss = 50'000, .duplicate = 20'000, .reorder = 50'000, .corrupt = 10'000, .delay_ns = 2'000'000};

INSTANTIATE_TEST_SUITE_P(Wires, BulkTest,
                         testing::Values(Case{"offload4", WireKind::kTapOffload, false, 1500, kClean, 100},
                                         Case{"offload6", WireKind::kTapOffload, true, 1500, kClean, 100},
                                         Case{"offload_large_mtu", WireKind::kTapOffload, false, 65000, kClean, 20},
                                         Case{"offload_lossy", WireKind::kTapOffload, false, 1500, kLossy, 0},
                                         Case{"plain4", WireKind::kTapPlain, false, 1500, kClean, 20},
                                         Case{"plain6", WireKind::kTapPlain, true, 1500, kClean, 20},
                                         Case{"lossy4", WireKind::kTapPlain, false, 1500, kLossy, 0},
                                         Case{"lossy6", WireKind::kTapPlain, true, 1500, kLossy, 0},
                                         Case{"disorder4", WireKind::kTapPlain, false, 1500, kDisorder, 0},
                                         Case{"disorder6", WireKind::kTapPlain, true, 1500, kDisorder, 0},
                                         Case{"corrupt4", WireKind::kTapPlain, false, 1500, kCorrupt, 0},
                                         Case{"corrupt6", WireKind::kTapPlain, true, 1500, kCorrupt, 0},
                                         Case{"all4", WireKind::kTapPlain, false, 1500, kAll, 0},
                                         Case{"all6", WireKind::kTapPlain, true, 1500, kAll, 0},
                                         Case{"mtu576", WireKind::kTapPlain, false, 576, kLossy, 0},
                                         Case{"mtu1280", WireKind::kTapPlain, true, 1280, kAll, 0},
                                         Case{"veth4", WireKind::kPacket, false, 1500, kClean, 20},
                                         Case{"veth6", WireKind::kPacket, true, 1500, kLossy, 0}),
                         [](const auto& test) { return test.param.name; });

TEST(JudgeTest, TsharkSeesABadChecksumAndACutHeader) {
  if (!HasTshark()) {
    GTEST_SKIP() << "tshark is not installed";
  }
  const std::string path =
      std::filesystem::temp_directory_path() / ("junction-interop-" + std::to_string(getpid()) + "-judge.pcap");
  for (const int fault : {0, 1, 2}) {
    Bytes tcp = {0x1f, 0x90, 0x9c, 0x40, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0};
    FixSum(tcp, 16, PseudoSum(kOwn4, kPeer4, kProtocolTcp, 20));
    tcp[17] ^= fault == 1 ? 1 : 0;
    tcp[12] = fault == 2 ? 0x10 : tcp[12];  // a header of 4 bytes
    Bytes frame = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
    Append(frame, IpBytes(kProtocolTcp, kOwn4, kPeer4, tcp));
    PcapWriter pcap;
    ASSERT_TRUE(pcap.Open(path));
    pcap.Write(frame.data(), static_cast<uint32_t>(frame.size()), {}, 1'000'000'000);
    ASSERT_TRUE(pcap.Close());
    EXPECT_EQ(Complaints(path, false).empty(), fault == 0) << fault;
  }
  std::filesystem::remove(path);
}

TEST_F(InteropTest, ManyConnections) {
  Start("many", WireKind::kTapPlain, 1500,
        {.loss = 10'000, .duplicate = 10'000, .reorder = 30'000, .delay_ns = 1'000'000}, false);
  std::vector<InteropEnd> all(400);
  for (size_t i = 0; i < all.size(); i += 2) {
    all[i].write_bytes = 3000 + i;
    all[i + 1].write_bytes = 5000 + i;
    ASSERT_EQ(world_.Connect(i % 4 == 0, all[i], all[i + 1]), "");
  }
  EXPECT_TRUE(world_.RunUntil(
      [&] { return std::ranges::all_of(all, [](const InteropEnd& end) { return end.has_ended || end.error != 0; }); }));
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].error, 0);
    EXPECT_EQ(all[i].got, all[i ^ 1].write_bytes);
  }
}

TEST_F(InteropTest, HalfClose) {
  Start("half", WireKind::kTapPlain, 1500, kClean, false);
  for (const bool we_close : {true, false}) {
    InteropEnd own, theirs;
    ASSERT_EQ(world_.Connect(we_close, own, theirs), "");
    InteropEnd& first = we_close ? own : theirs;
    InteropEnd& second = we_close ? theirs : own;
    first.write_bytes = 1000;  // and its FIN
    ASSERT_TRUE(world_.RunUntil([&] { return second.has_ended; }));
    EXPECT_FALSE(first.has_ended);
    second.write_bytes = 300'000;  // the other way is still open
    ASSERT_TRUE(world_.RunUntil([&] { return first.has_ended; }));
    EXPECT_EQ(first.got, 300'000U);
    EXPECT_EQ(second.got, 1000U);
    world_.Close(own, false);
    world_.Close(theirs, false);
    world_.ends.clear();
  }
}

TEST_F(InteropTest, SimultaneousClose) {
  Start("simultaneous", WireKind::kTapPlain, 1500, {.delay_ns = 5'000'000}, false);
  InteropEnd own, theirs;
  ASSERT_EQ(world_.Connect(true, own, theirs), "");
  shutdown(theirs.descriptor, SHUT_WR);  // its FIN is under way
  ASSERT_EQ(ShutdownTcp(*own.tcp, 2, world_.now_ns), 0);
  ASSERT_TRUE(world_.RunUntil([&] { return own.has_ended && theirs.has_ended; }));
  world_.Close(own, false);
  EXPECT_TRUE(world_.RunUntil([&] { return !HasConnections(*world_.stack); }));  // CLOSING went on to TIME-WAIT
}

TEST_F(InteropTest, Resets) {
  Start("resets", WireKind::kTapPlain, 1500, kClean, false);
  for (const bool we_reset : {true, false}) {
    InteropEnd own, theirs;
    ASSERT_EQ(world_.Connect(true, own, theirs), "");
    InteropEnd& other = we_reset ? theirs : own;
    world_.Close(we_reset ? own : theirs, true);
    ASSERT_TRUE(world_.RunUntil([&] { return other.error != 0 || other.has_ended; }));
    EXPECT_EQ(other.error, -ECONNRESET);
    world_.Close(other, false);
    world_.ends.clear();
  }
}

TEST_F(InteropTest, ZeroWindowOfBothSides) {
  Start("window", WireKind::kTapPlain, 1500, kClean, true);
  for (const bool we_stop : {true, false}) {
    InteropEnd own, theirs;
    ASSERT_EQ(world_.Connect(true, own, theirs), "");
    InteropEnd& reader = we_stop ? own : theirs;
    InteropEnd& writer = we_stop ? theirs : own;
    reader.reads = false;
    writer.write_bytes = 20 * 1024 * 1024;
    // Until the window is shut and has been probed: the writer's buffers are full, and a second has passed by its timers.
    const uint64_t probes = counters().tcp_zero_window_probes;
    uint64_t stuck_since_ns = 0;
    uint64_t stuck_at = 0;
    ASSERT_TRUE(world_.RunUntil([&] {
      if (writer.written != stuck_at) {
        stuck_at = writer.written;
        stuck_since_ns = world_.now_ns;
      }
      return we_stop ? stuck_at != 0 && world_.now_ns - stuck_since_ns > 1'000'000'000
                     : counters().tcp_zero_window_probes >= probes + 2;
    }));
    EXPECT_LT(writer.written, writer.write_bytes);
    reader.reads = true;
    ASSERT_TRUE(world_.RunUntil([&] { return reader.has_ended; }));
    EXPECT_EQ(reader.got, writer.write_bytes);
    world_.Close(own, false);
    world_.Close(theirs, false);
    world_.ends.clear();
  }
}

}  // namespace
}  // namespace junction::net

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // Before any thread: all that follows lives in the namespace, and goes with the process.
  junction::net::has_namespace = unshare(CLONE_NEWNET) == 0 && std::system("ip link set lo up") == 0;
  return RUN_ALL_TESTS();
}
