// SPDX-License-Identifier: Apache-2.0
// The NIC inside of real instances: a guest server (net_probe) behind a link whose other end is a stack of this program. Needs root.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

#include "base/control_block.h"
#include "base/parse_number.h"
#include "base/test_files.h"
#include "run/instance_fixture.h"
#include "run/test_link_peer.h"

namespace junction {
namespace {

constexpr uint16_t kPort = 8080;

class NetInstance {
 public:
  NetInstance(const std::string& dir, const Args& before, const Args& program) : dir_(dir) {
    EXPECT_TRUE(std::filesystem::create_directory(dir)) << dir;
    Args args = before;
    args.insert(args.end(), {"--instance_dir", dir, "--control", dir + "/control", "--links", "2"});
    if (!program.empty()) {
      args.push_back("--");
      args.insert(args.end(), program.begin(), program.end());
    }
    instance_ = std::make_unique<Instance>(args, Args{});
  }

  std::string links_path() const { return dir_ + "/links.sock"; }
  std::string Log() const { return Slurp(dir_ + "/log"); }
  pid_t HostPid() const { return ParseNumber<pid_t>(Field(Slurp(dir_ + "/status.json"), "pid")).value_or(0); }
  Instance& instance() { return *instance_; }
  // By pread, as the guest could shrink it.
  uint64_t Counted(std::atomic<uint64_t> ControlIdle::* counter) const {
    const UniqueFd fd(open((dir_ + "/control").c_str(), O_RDONLY | O_CLOEXEC));
    static ControlBlock block;
    EXPECT_EQ(pread(fd.get(), static_cast<void*>(&block), sizeof(block), 0), static_cast<ssize_t>(sizeof(block)));
    return (block.idle.*counter).load();
  }
  int Stop() {
    instance_->Signal(SIGTERM);
    return instance_->Finish();
  }

 private:
  std::string dir_;
  std::unique_ptr<Instance> instance_;
};

class InstanceNetTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    ASSERT_EQ(geteuid(), 0) << "these tests make sandboxes: run them as root";
    signal(SIGPIPE, SIG_IGN);
    std::filesystem::create_directories(dir_.File("rootfs/bin"));
    std::filesystem::copy_file(JUNCTION_NET_PROBE, dir_.File("rootfs/bin/probe"));
    ASSERT_EQ(chmod(dir_.path().c_str(), 0755), 0);
  }

  std::string Config(int cores, const std::string& more = "") {
    return dir_.Write("config", "runtime_kthreads " + std::to_string(cores) +
                                    "\nhost_addr 10.9.8.7\nhost_netmask 255.255.255.0\nhost_gateway 10.9.8.1\n" + more);
  }

  std::unique_ptr<NetInstance> Start(const Args& program, int cores = 1, const std::string& more = "") {
    auto instance = std::make_unique<NetInstance>(
        dir_.File("instance"), Args{JUNCTION_RUN, Config(cores, more), "--chroot_path", dir_.File("rootfs")}, program);
    return instance;
  }

  // The first exchange waits for the guest to listen: until then it is refused.
  static bool IsUp(LinkPeer& peer) {
    for (int tries = 0; tries < kPatience_ms; ++tries) {
      if (ExchangeDatagram(peer, peer.Instance(kPort), "up?") == "up?") {
        return true;
      }
      poll(nullptr, 0, 1);
    }
    return false;
  }

  static bool IsUpTcp(LinkPeer& peer) {
    for (int tries = 0; tries < kPatience_ms; ++tries) {
      PeerConnection connection(peer);
      if (connection.Connect(peer.Instance(kPort)) == 0) {
        return true;
      }
      poll(nullptr, 0, 1);
    }
    return false;
  }

  TempDir dir_;
};

// Core limits.
INSTANTIATE_TEST_SUITE_P(Cores, InstanceNetTest, testing::Values(1, 2));

TEST_P(InstanceNetTest, EchoesDatagramsWithBothEndsAsleepInBetween) {
  const auto instance = Start({"/bin/probe", "serve"}, GetParam());
  const auto peer = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(peer);
  ASSERT_TRUE(IsUp(*peer)) << instance->Log();
  for (int i = 0; i < 2000; ++i) {
    const std::string bytes = "datagram " + std::to_string(i);
    ASSERT_EQ(ExchangeDatagram(*peer, peer->Instance(kPort), bytes), bytes);
  }
  const std::string large(9000, 'x');
  EXPECT_EQ(ExchangeDatagram(*peer, peer->Instance(kPort), large), large);
  EXPECT_EQ(instance->Stop(), 128 + SIGTERM);
}

TEST_P(InstanceNetTest, EchoesDatagramsToAPeerThatSpins) {
  const auto instance = Start({"/bin/probe", "serve"}, GetParam());
  const auto peer = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(peer);
  ASSERT_TRUE(IsUp(*peer)) << instance->Log();
  peer->spins = true;
  for (int i = 0; i < 2000; ++i) {
    const std::string bytes = "datagram " + std::to_string(i);
    ASSERT_EQ(ExchangeDatagram(*peer, peer->Instance(kPort), bytes), bytes);
  }
}

TEST_P(InstanceNetTest, AnswersWhileGuestCodeComputesOnAllCores) {
  const auto instance = Start({"/bin/probe", "busy", "3"}, GetParam());
  const auto peer = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(peer);
  ASSERT_TRUE(IsUp(*peer)) << instance->Log();
  for (int i = 0; i < 50; ++i) {
    const std::string bytes = "datagram " + std::to_string(i);
    ASSERT_EQ(ExchangeDatagram(*peer, peer->Instance(kPort), bytes), bytes);
  }
}

TEST_P(InstanceNetTest, AWorkerProcessServesWhileItsParentWaits) {
  const auto instance = Start({"/bin/probe", "prefork"}, GetParam());
  const auto peer = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(peer);
  ASSERT_TRUE(IsUp(*peer)) << instance->Log();
  for (int i = 0; i < 500; ++i) {
    const std::string bytes = "datagram " + std::to_string(i);
    ASSERT_EQ(ExchangeDatagram(*peer, peer->Instance(kPort), bytes), bytes);
  }
}

TEST_P(InstanceNetTest, AnIdleInstanceMakesNoHostWaits) {
  const auto instance = Start({"/bin/probe", "serve"}, GetParam());
  const auto peer = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(peer);
  ASSERT_TRUE(IsUp(*peer)) << instance->Log();
  // Memory is given back and late ticks are over when a long while brought nothing new.
  uint64_t parks = 0;
  for (int quiet_s = 0, waited_s = 0; quiet_s < 4 && waited_s < 30; ++waited_s) {
    const uint64_t before = parks;
    parks = instance->Counted(&ControlIdle::parks);
    quiet_s = parks == before ? quiet_s + 1 : 0;
    ASSERT_LT(waited_s, 29) << "it parks again and again";
    poll(nullptr, 0, 1000);
  }
  EXPECT_EQ(ExchangeDatagram(*peer, peer->Instance(kPort), "still there"), "still there");
}

TEST_P(InstanceNetTest, ANewPeerTakesThePortOver) {
  const auto instance = Start({"/bin/probe", "serve"}, GetParam());
  for (int i = 0; i < 5; ++i) {
    const auto peer = LinkPeer::Attach(instance->links_path());
    ASSERT_TRUE(peer);
    ASSERT_TRUE(IsUp(*peer)) << instance->Log();
    EXPECT_EQ(ExchangeDatagram(*peer, peer->Instance(kPort), "again"), "again");
  }
}

TEST_P(InstanceNetTest, TwoLinksAreServedSideBySide) {
  const auto instance = Start({"/bin/probe", "serve"}, GetParam());
  const auto one = LinkPeer::Attach(instance->links_path());
  const auto two = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(one && two);
  ASSERT_NE(one->attachment().answer().port, two->attachment().answer().port);
  ASSERT_TRUE(IsUp(*one)) << instance->Log();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(ExchangeDatagram(*one, one->Instance(kPort), "one"), "one");
    ASSERT_EQ(ExchangeDatagram(*two, two->Instance(kPort), "two"), "two");
  }
}

TEST_P(InstanceNetTest, GarbageInARingTakesItsPortDownUntilTheNextPeer) {
  const auto instance = Start({"/bin/probe", "serve"}, GetParam());
  const auto other = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(other);
  ASSERT_TRUE(IsUp(*other)) << instance->Log();
  {
    const auto hostile = LinkPeer::Attach(instance->links_path());
    ASSERT_TRUE(hostile);
    const NicAttachment& attachment = hostile->attachment();
    Ring& ring = attachment.view().ring(attachment.answer().port, 0, true);
    ring.slots[ring.tail.load() % kRingSlots] = {.offset = 0xffffff00,
                                                 .length_bytes = 0x7fffffff,
                                                 .flags = 0xffff,
                                                 .segment_bytes = 1,
                                                 .checksum_start = 65535,
                                                 .checksum_offset = 65535};
    ring.tail.store(ring.tail.load() + 1);
    attachment.RingInstance();
    for (int waited_ms = 0; instance->Counted(&ControlIdle::broken_rings) == 0; ++waited_ms) {
      ASSERT_LT(waited_ms, kPatience_ms);
      poll(nullptr, 0, 1);
    }
    EXPECT_EQ(ExchangeDatagram(*other, other->Instance(kPort), "others go on"), "others go on");
  }
  const auto next = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(next);
  ASSERT_TRUE(IsUp(*next)) << instance->Log();
  EXPECT_TRUE(Has(instance->Log(), "broke the rules of its ring")) << instance->Log();
}

TEST_P(InstanceNetTest, EchoesOverTcp) {
  const auto instance = Start({"/bin/probe", "serve"}, GetParam());
  const auto peer = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(peer);
  ASSERT_TRUE(IsUp(*peer)) << instance->Log();
  PeerConnection connection(*peer);
  ASSERT_EQ(connection.Connect(peer->Instance(kPort)), 0);
  for (int i = 0; i < 5000; ++i) {
    const std::string bytes = "request " + std::to_string(i);
    ASSERT_EQ(connection.Exchange(bytes), bytes);
  }
  const std::string large(50'000, 'y');
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(connection.Exchange(large), large);
  }
}

TEST_P(InstanceNetTest, EachForkedProcessServesAConnection) {
  const auto instance = Start({"/bin/probe", "fork"}, GetParam());
  const auto peer = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(peer);
  ASSERT_TRUE(IsUpTcp(*peer)) << instance->Log();
  for (int round = 0; round < 10; ++round) {
    PeerConnection one(*peer);
    PeerConnection two(*peer);
    ASSERT_EQ(one.Connect(peer->Instance(kPort)), 0);
    ASSERT_EQ(two.Connect(peer->Instance(kPort)), 0);
    const std::string first = one.Exchange("?pid                ");
    const std::string second = two.Exchange("?pid                ");
    EXPECT_NE(first, second);
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ(one.Exchange("one"), "one");
      ASSERT_EQ(two.Exchange("two"), "two");
    }
  }
}

TEST_P(InstanceNetTest, AKilledWorkerLeavesTheNicToItsParent) {
  const auto instance = Start({"/bin/probe", "prefork", "go-on"}, GetParam());
  const auto peer = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(peer);
  ASSERT_TRUE(IsUp(*peer)) << instance->Log();
  const std::string answer = ExchangeDatagram(*peer, peer->Instance(kPort), "?pid      ");
  const std::string children = Slurp("/proc/" + std::to_string(instance->HostPid()) + "/task/" +
                                     std::to_string(instance->HostPid()) + "/children");
  const pid_t worker = ParseNumber<pid_t>(children.substr(0, children.find(' '))).value_or(0);
  ASSERT_GT(worker, 1) << children;
  // A process that the host kills within the kernel takes the instance with it. So: when it sleeps.
  const auto sleeps = [worker]() { return Has(Slurp("/proc/" + std::to_string(worker) + "/stat"), ") S "); };
  for (int waited_ms = 0; waited_ms < kPatience_ms && !sleeps(); ++waited_ms) {
    poll(nullptr, 0, 1);
  }
  ASSERT_EQ(kill(worker, SIGKILL), 0);
  // What reaches the dead worker's socket before it is closed is lost, as datagrams may be. But each frame has to be taken in, by whoever is
  // left: one that stays in the ring would mean that nobody sleeps for the NIC.
  std::string later;
  peer->patience_ns = 100'000'000;
  for (int tries = 0; tries < 100 && later.empty(); ++tries) {
    const uint64_t before = instance->Counted(&ControlIdle::frames_in);
    later = ExchangeDatagram(*peer, peer->Instance(kPort), "?pid      ");
    for (int waited_ms = 0; instance->Counted(&ControlIdle::frames_in) == before; ++waited_ms) {
      ASSERT_LT(waited_ms, kPatience_ms) << "the frame stays in the ring";
      poll(nullptr, 0, 1);
    }
  }
  EXPECT_FALSE(later.empty());
  EXPECT_NE(later, answer);
}

TEST_P(InstanceNetTest, ConnectionsEndWithTheirPeer) {
  const auto instance = Start({"/bin/probe", "serve"}, GetParam());
  {
    const auto peer = LinkPeer::Attach(instance->links_path());
    ASSERT_TRUE(peer);
    ASSERT_TRUE(IsUp(*peer)) << instance->Log();
    PeerConnection connection(*peer);
    ASSERT_EQ(connection.Connect(peer->Instance(kPort)), 0);
    ASSERT_EQ(connection.Exchange("hello"), "hello");
  }
  const auto peer = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(peer);
  PeerConnection connection(*peer);
  ASSERT_EQ(connection.Connect(peer->Instance(kPort)), 0);
  EXPECT_EQ(connection.Exchange("hello"), "hello");
}

TEST_P(InstanceNetTest, TheUplinkLooksUpNeighboursAndItsConnectionsOutliveItsHolder) {
  const auto instance = Start({"/bin/probe", "serve"}, GetParam());
  const auto peer = LinkPeer::Attach(instance->links_path(), AttachKind::kUplink);
  ASSERT_TRUE(peer);
  ASSERT_TRUE(IsUp(*peer)) << instance->Log();
  PeerConnection connection(*peer);
  ASSERT_EQ(connection.Connect(peer->Instance(kPort)), 0);
  const std::string large(100'000, 'z');
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(connection.Send(large));
    ASSERT_TRUE(peer->AttachAgain());  // whatever is in the rings now is lost
    ASSERT_EQ(connection.Receive(large.size()), large);
  }
}

TEST_P(InstanceNetTest, AProgramThatIsExecutedGoesOnWithTheNic) {
  const auto instance = Start({"/bin/probe", "exec"}, GetParam());
  const auto peer = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(peer);
  ASSERT_TRUE(IsUp(*peer)) << instance->Log();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(ExchangeDatagram(*peer, peer->Instance(kPort), "exec"), "exec");
  }
  PeerConnection connection(*peer);
  ASSERT_EQ(connection.Connect(peer->Instance(kPort)), 0);
  EXPECT_EQ(connection.Exchange("over tcp"), "over tcp");
}

TEST_P(InstanceNetTest, ATemplateWithConnectionsIsRefused) {
  const auto from = Start({"/bin/probe", "serve"}, GetParam());
  const auto peer = LinkPeer::Attach(from->links_path());
  ASSERT_TRUE(peer);
  ASSERT_TRUE(IsUp(*peer)) << from->Log();
  PeerConnection connection(*peer);
  ASSERT_EQ(connection.Connect(peer->Instance(kPort)), 0);
  ASSERT_EQ(connection.Exchange("hello"), "hello");
  NetInstance clone(dir_.File("clone"), {JUNCTION_RUN, dir_.File("config"), "--clone-of", dir_.File("instance")}, {});
  EXPECT_EQ(clone.instance().Finish(), 125);
  EXPECT_TRUE(Has(clone.instance().errors, "connected socket")) << clone.instance().errors;
  EXPECT_EQ(connection.Exchange("and goes on"), "and goes on");
}

TEST_P(InstanceNetTest, ManyConnectionsAreServedInTurns) {
  const auto instance = Start({"/bin/probe", "serve"}, GetParam());
  const auto peer = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(peer);
  ASSERT_TRUE(IsUp(*peer)) << instance->Log();
  std::vector<std::unique_ptr<PeerConnection>> connections;
  for (int i = 0; i < 500; ++i) {
    connections.push_back(std::make_unique<PeerConnection>(*peer));
    ASSERT_EQ(connections.back()->Connect(peer->Instance(kPort)), 0) << i;
  }
  for (int round = 0; round < 5; ++round) {
    const std::string bytes = "round " + std::to_string(round);
    for (const auto& connection : connections) {
      ASSERT_TRUE(connection->Send(bytes));
    }
    for (const auto& connection : connections) {
      ASSERT_EQ(connection->Receive(bytes.size()), bytes);
    }
  }
}

// Datagrams have no answer by which the instance could see that its ring has room again.
TEST_P(InstanceNetTest, ASenderThatFoundNoRoomGoesOnOnceThereIsSome) {
  const auto instance = Start({"/bin/probe", "flood", "2000"}, GetParam());
  const auto peer = LinkPeer::Attach(instance->links_path());
  ASSERT_TRUE(peer);
  net::UdpSocket* const socket = net::NewUdpSocket(peer->stack(), false);
  net::SetUdpBuffers(*socket, 64 << 20, 64 << 20);
  ASSERT_EQ(net::BindUdp(*socket, {net::IpAddress::V4(0, 0, 0, 0), kPort}), 0);
  uint32_t count = 0;
  EXPECT_TRUE(peer->Until([&]() {
    for (net::Datagram datagram; net::PeekUdp(*socket, datagram); ++count) {
      net::PopUdp(*socket);
    }
    return count >= 2000;
  })) << count;
  net::CloseUdp(*socket);
  EXPECT_EQ(instance->instance().Finish(), 0) << instance->Log();
}

TEST_P(InstanceNetTest, ACloneAnswersOnItsOwnNic) {
  const auto from = Start({"/bin/probe", "serve"}, GetParam());
  {
    const auto peer = LinkPeer::Attach(from->links_path());
    ASSERT_TRUE(peer);
    ASSERT_TRUE(IsUp(*peer)) << from->Log();
  }
  const std::string config = dir_.Write("config.clone", "runtime_kthreads " + std::to_string(GetParam()) +
                                                            "\nhost_addr 10.9.8.77\nhost_netmask 255.255.255.0\n");
  NetInstance clone(dir_.File("clone"), {JUNCTION_RUN, config, "--clone-of", dir_.File("instance")}, {});
  const auto peer = LinkPeer::Attach(clone.links_path());
  ASSERT_TRUE(peer) << clone.Log();
  EXPECT_EQ(peer->attachment().answer().instance_ip4[3], 77);
  ASSERT_TRUE(IsUp(*peer)) << clone.Log();
  const auto original = LinkPeer::Attach(from->links_path());
  ASSERT_TRUE(original);
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(ExchangeDatagram(*peer, peer->Instance(kPort), "clone"), "clone");
    ASSERT_EQ(ExchangeDatagram(*original, original->Instance(kPort), "original"), "original");
  }
  PeerConnection connection(*peer);
  ASSERT_EQ(connection.Connect(peer->Instance(kPort)), 0);
  EXPECT_EQ(connection.Exchange("over tcp"), "over tcp");
}

}  // namespace
}  // namespace junction
