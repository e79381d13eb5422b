// SPDX-License-Identifier: Apache-2.0
// The real daemon with a real uplink, in network namespaces of the test's own: a "host", an "outside" behind a veth pair, and one for each instance. Needs
// root and nft; the host's own network is not touched.
#include <linux/if_packet.h>
#include <netinet/ip_icmp.h>
#include <sys/un.h>

#include <csignal>
#include <memory>

#include "base/test_files.h"
#include "scheduler/uplink/nft_command.h"
#include "scheduler/uplink/test_instance.h"
#include "scheduler/uplink/test_network.h"

namespace junction::scheduler {
namespace {

constexpr char kHostOnRange[] = "10.62.0.1";
constexpr char kHostOutside[] = "198.51.100.1";
constexpr char kOutside[] = "198.51.100.2";

class UplinkHostTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* given = getenv("JUNCTION_NFT");
    const auto nft = FindNft(given == nullptr ? "nft" : given);
    if (geteuid() != 0 || !nft) {
      GTEST_SKIP() << "needs root and nft (JUNCTION_NFT names the program)";
    }
    nft_ = *nft;
    host_ = std::make_unique<Namespace>();
    outside_ = std::make_unique<Namespace>();
    const std::string other = std::to_string(outside_->thread_id());
    ASSERT_EQ(host_->Do([&] {
      return Shell(
          "ip link add out0 type veth peer name in0 netns " + other +
          " && ip addr add 198.51.100.1/24 dev out0 && ip link set out0 up && ip route add default via 198.51.100.2"
          " && ip addr add 2001:db8::1/64 dev out0 nodad && ip -6 route add default via 2001:db8::2");
    }),
              0);
    ASSERT_EQ(outside_->Do([] {
      return Shell(
          "ip addr add 198.51.100.2/24 dev in0 && ip link set in0 up && ip addr add 2001:db8::2/64 dev in0 nodad");
    }),
              0);
    dir_.Write("resolv.conf", "nameserver 127.0.0.53\n");
  }

  void TearDown() override {
    if (client_.valid() && testing::Test::HasFailure()) {
      std::fprintf(stderr, "stats: %s\n", Stats().c_str());
      host_->Do([this] { return Shell(nft_ + " list ruleset; ip addr; ip neigh"); });
    }
    Kill(SIGKILL);
  }

  void Start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {JUNCTION_SCHEDULER,
                                      "--run_dir",
                                      run_dir_,
                                      "--idle_states",
                                      "none",
                                      "--uplink_device",
                                      "jn-test",
                                      "--uplink_range6",
                                      "fd62::/64",
                                      "--nft",
                                      nft_,
                                      "--resolv_conf",
                                      dir_.File("resolv.conf")};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> argv;
    for (std::string& word : words) {
      argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    ASSERT_EQ(host_->Do([&] { return posix_spawn(&pid_, JUNCTION_SCHEDULER, nullptr, nullptr, argv.data(), environ); }),
              0);
    ConnectToDaemon();
  }

  int Kill(int number) {
    client_.Reset();
    if (pid_ <= 0) {
      return -1;
    }
    kill(pid_, number);
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

  void ConnectToDaemon() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (run_dir_ + "/scheduler.sock").copy(address.sun_path, sizeof(address.sun_path) - 1);
    for (int waited_ms = 0; waited_ms < kPatience_ms; ++waited_ms) {
      client_.Reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (connect(client_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
        return;
      }
      poll(nullptr, 0, 1);
    }
    FAIL() << "no daemon";
  }

  void Say(const std::string& line) const {
    EXPECT_EQ(send(client_.get(), (line + "\n").data(), line.size() + 1, MSG_NOSIGNAL),
              static_cast<ssize_t>(line.size() + 1));
  }

  std::string Stats() const {
    Say(R"({"op":"stats"})");
    std::string line;
    pollfd state = {.fd = client_.get(), .events = POLLIN, .revents = 0};
    for (char c = 0; poll(&state, 1, kPatience_ms) == 1 && read(client_.get(), &c, 1) == 1 && c != '\n';) {
      line += c;
    }
    return line;
  }

  static bool Has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

  void Await(const std::string& part) const {
    for (int waited_ms = 0; waited_ms < kPatience_ms; ++waited_ms) {
      if (Has(Stats(), part)) {
        return;
      }
      poll(nullptr, 0, 1);
    }
    FAIL() << "never: " << part << " in " << Stats();
  }

  // Registers it and waits until it is attached.
  std::unique_ptr<TestInstance> Add(const std::string& id, const std::string& number, const std::string& more = "") {
    auto instance = std::make_unique<TestInstance>(id, dir_.path(), "10.62.0." + number, "fd62::" + number);
    Say(R"({"op":"add",)" + instance->Registration(more) + "}");
    AwaitAttached(id);
    return instance;
  }

  void AwaitAttached(const std::string& id) const {
    for (int waited_ms = 0; waited_ms < kPatience_ms; ++waited_ms) {
      const std::string stats = Stats();
      const size_t at = stats.find(R"({"id":")" + id + "\"");
      if (at != std::string::npos && Has(stats.substr(at, stats.find(R"({"id":)", at + 1) - at), "\"attached\":true")) {
        return;
      }
      poll(nullptr, 0, 1);
    }
    FAIL() << "never attached: " << Stats();
  }

  std::string HostShellText(const std::string& command) {
    const std::string file = dir_.File("output");
    host_->Do([&] { return Shell("{ " + command + "; } >" + file + " 2>&1"); });
    return Slurp(file);
  }

  // A whole connection, both ways. `peer`: whom the listener sees.
  void ExpectConnects(Namespace& from, Namespace& to, const std::string& listen_ip, uint16_t port,
                      const std::string& dial_ip, const std::string& peer) {
    const UniqueFd listener = Bound(to, listen_ip, port);
    const Connecting dialled = Connect(from, dial_ip, port);
    ASSERT_EQ(dialled.error, 0) << dial_ip << ": " << std::strerror(dialled.error);
    const Accepted accepted = Accept(listener);
    EXPECT_EQ(accepted.peer, peer);
    ExpectPasses(dialled.fd, accepted.fd, "a request");
    ExpectPasses(accepted.fd, dialled.fd, "an answer");
  }

  // Refused at once, as functions are to fail fast.
  void ExpectRefused(Namespace& from, const std::string& ip, uint16_t port) {
    EXPECT_EQ(Connect(from, ip, port).error, ip.find(':') == std::string::npos ? EHOSTUNREACH : EACCES)
        << ip << " " << port;
  }

  TempDir dir_;
  std::string run_dir_ = dir_.path();  // the daemon's
  std::string nft_;
  std::unique_ptr<Namespace> host_;
  std::unique_ptr<Namespace> outside_;
  pid_t pid_ = -1;
  UniqueFd client_;
};

// An ICMP echo from one namespace; true if it is answered.
bool Pings(Namespace& from, const std::string& ip) {
  return from.Do([&] {
    const UniqueFd fd(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
    icmphdr request{};
    request.type = ICMP_ECHO;
    request.un.echo.id = htons(77);
    uint32_t sum = 0;
    for (size_t i = 0; i < sizeof(request) / 2; ++i) {
      uint16_t word = 0;
      std::memcpy(&word, reinterpret_cast<const char*>(&request) + i * 2, 2);
      sum += word;
    }
    request.checksum = static_cast<uint16_t>(~((sum & 0xffff) + (sum >> 16)));
    const SocketAddress to(ip, 0);
    if (sendto(fd.get(), &request, sizeof(request), 0, to.get(), to.size) != sizeof(request)) {
      return false;
    }
    pollfd state = {.fd = fd.get(), .events = POLLIN, .revents = 0};
    for (uint8_t bytes[256]; poll(&state, 1, kPatience_ms) == 1;) {
      if (recv(fd.get(), bytes, sizeof(bytes), 0) >= 28 && bytes[20] == ICMP_ECHOREPLY) {
        return true;
      }
    }
    return false;
  });
}

TEST_F(UplinkHostTest, HostReachesInstance) {
  Start();
  const auto a = Add("a", "5");
  EXPECT_TRUE(Pings(*host_, "10.62.0.5"));
  ExpectConnects(*host_, a->space(), "10.62.0.5", 8080, "10.62.0.5", kHostOnRange);
  ExpectConnects(*host_, a->space(), "fd62::5", 8080, "fd62::5", "fd62::1");
}

TEST_F(UplinkHostTest, InstanceReachesTheOutsideBehindTheHostsAddress) {
  Start();
  const auto a = Add("a", "5");
  EXPECT_TRUE(Pings(a->space(), kOutside));
  ExpectConnects(a->space(), *outside_, kOutside, 80, kOutside, kHostOutside);
  ExpectConnects(a->space(), *outside_, "2001:db8::2", 80, "2001:db8::2", "2001:db8::1");
}

TEST_F(UplinkHostTest, BulkPassesIntactBothWays) {
  Start();
  const auto a = Add("a", "5");
  const UniqueFd listener = Bound(a->space(), "10.62.0.5", 8080);
  const Connecting dialled = Connect(*host_, "10.62.0.5", 8080);
  ASSERT_EQ(dialled.error, 0);
  const Accepted accepted = Accept(listener);
  constexpr size_t kBulk_bytes = 30'000'000;
  ExpectBulk(dialled.fd, accepted.fd, kBulk_bytes);
  ExpectBulk(accepted.fd, dialled.fd, kBulk_bytes);
}

TEST_F(UplinkHostTest, InstanceDoesNotReachTheHostLinkLocalOrOtherInstances) {
  Start();
  const auto a = Add("a", "5");
  const auto b = Add("b", "6");
  const UniqueFd service = Bound(*host_, "0.0.0.0", 6379);
  const UniqueFd service6 = Bound(*host_, "::1", 6379);
  const UniqueFd other = Bound(b->space(), "10.62.0.6", 8080);
  ExpectRefused(a->space(), kHostOnRange, 6379);
  ExpectRefused(a->space(), kHostOutside, 6379);
  ExpectRefused(a->space(), "169.254.169.254", 80);
  ExpectRefused(a->space(), "fd62::1", 6379);
  ExpectRefused(a->space(), "2001:db8::1", 6379);
  // Nobody says where the other one is, so there is no route to it.
  EXPECT_EQ(Connect(a->space(), "10.62.0.6", 8080).error, EHOSTUNREACH);
  EXPECT_TRUE(Has(Stats(), "\"forbidden\""));
  // Round by the host it is no better.
  a->space().Do([] { return Shell("ip route add 10.62.0.6/32 via 10.62.0.1"); });
  ExpectRefused(a->space(), "10.62.0.6", 8080);
}

TEST_F(UplinkHostTest, OutsideDoesNotReachInstances) {
  Start();
  const auto a = Add("a", "5");
  const UniqueFd listener = Bound(a->space(), "10.62.0.5", 8080);
  outside_->Do([] { return Shell("ip route add 10.62.0.0/16 via 198.51.100.1"); });
  const int error = outside_->Do([] {
    const SocketAddress address("10.62.0.5", 8080);
    const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int retries = 1;
    setsockopt(fd.get(), IPPROTO_TCP, 7 /* TCP_SYNCNT */, &retries, sizeof(retries));
    connect(fd.get(), address.get(), address.size);
    pollfd state = {.fd = fd.get(), .events = POLLOUT, .revents = 0};
    poll(&state, 1, kPatience_ms);
    int code = 0;
    socklen_t size = sizeof(code);
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &code, &size);
    return code;
  });
  EXPECT_EQ(error, ETIMEDOUT);
}

TEST_F(UplinkHostTest, AllowListsOpenHostServicesAndOtherInstances) {
  Start();
  const auto b = Add("b", "6");
  const auto a = Add(
      "a", "5",
      R"(,"allow":[{"to":"10.62.0.6","port":8080},{"to":"10.62.0.1/32","port":6379},{"to":"10.62.0.0/16","port":6379}])");
  ExpectConnects(a->space(), *host_, "0.0.0.0", 6379, kHostOnRange, "10.62.0.5");
  ExpectRefused(a->space(), kHostOnRange, 6380);
  ExpectConnects(a->space(), b->space(), "10.62.0.6", 8080, "10.62.0.6", "10.62.0.5");
  // One way only, and to that port only: who is not allowed is dropped.
  const UniqueFd back = Bound(a->space(), "10.62.0.5", 8080);
  const UniqueFd probe = Bound(b->space(), "10.62.0.6", 5000, SOCK_DGRAM);
  b->space().Do([&] {
    const SocketAddress to("10.62.0.5", 8080);
    EXPECT_EQ(sendto(probe.get(), "x", 1, 0, to.get(), to.size), 1);
  });
  Await("\"forbidden\":\"1\"");
  // Taken away again.
  Say(R"({"op":"add",)" + a->Registration() + "}");
  Await("\"attached\":true");
  for (int tries = 0; Connect(a->space(), kHostOnRange, 6379).error != EHOSTUNREACH; ++tries) {
    ASSERT_LT(tries, kPatience_ms) << "the table changes soon after the answer";
  }
}

TEST_F(UplinkHostTest, SpoofedFramesAreDropped) {
  Start();
  const auto a = Add("a", "5");
  const UniqueFd service = Bound(*host_, "10.62.0.1", 9000, SOCK_DGRAM);
  ASSERT_TRUE(Pings(*host_, "10.62.0.5"));  // its neighbour is known
  a->space().Do([] {
    EXPECT_EQ(Shell("ip addr add 10.62.0.77/32 dev guest"), 0);
    const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const SocketAddress own("10.62.0.77", 4000);
    const SocketAddress to(kOutside, 9000);
    EXPECT_EQ(bind(fd.get(), own.get(), own.size), 0);
    EXPECT_EQ(sendto(fd.get(), "spoof", 5, 0, to.get(), to.size), 5);
  });
  Await("\"spoofed\":\"1\"");
  a->space().Do([] {
    EXPECT_EQ(Shell("ip link set guest address 02:6a:0a:3e:00:99"), 0);
    const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const SocketAddress to(kOutside, 9000);
    EXPECT_EQ(sendto(fd.get(), "spoof", 5, 0, to.get(), to.size), 5);
  });
  Await("\"spoofed\":\"2\"");
}

TEST_F(UplinkHostTest, NamesAreResolvedByALoopbackResolverAndTheGatewayIsReached) {
  Start({"--gateway_port", "8080"});
  const auto a = Add("a", "5");
  const UniqueFd resolver = Bound(*host_, "127.0.0.53", 53, SOCK_DGRAM);
  const UniqueFd other = Bound(*host_, "127.0.0.1", 8081);
  const UniqueFd stub = a->space().Do([] {
    const SocketAddress to(kHostOnRange, 53);
    UniqueFd fd = Socket(to, SOCK_DGRAM);
    EXPECT_EQ(connect(fd.get(), to.get(), to.size), 0);
    EXPECT_EQ(send(fd.get(), "who", 3, 0), 3);
    return fd;
  });
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  char text[16] = "";
  ASSERT_EQ(recvfrom(resolver.get(), text, sizeof(text), 0, reinterpret_cast<sockaddr*>(&peer), &size), 3);
  ASSERT_EQ(sendto(resolver.get(), "he", 2, 0, reinterpret_cast<sockaddr*>(&peer), size), 2);
  EXPECT_EQ(recv(stub.get(), text, sizeof(text), 0), 2);  // connected: it takes answers of that address only
  ExpectConnects(a->space(), *host_, "127.0.0.1", 8080, kHostOnRange, "10.62.0.5");
  ExpectRefused(a->space(), kHostOnRange, 8081);
}

TEST_F(UplinkHostTest, ConnectionsOutliveAKilledDaemon) {
  Start({"--gateway_port", "8080"});
  const auto a = Add("a", "5");
  const UniqueFd listener = Bound(a->space(), "10.62.0.5", 8080);
  const Connecting in = Connect(*host_, "10.62.0.5", 8080);
  const Accepted in_end = Accept(listener);
  const UniqueFd outside = Bound(*outside_, kOutside, 80);
  const Connecting out = Connect(a->space(), kOutside, 80);
  ASSERT_EQ(out.error, 0);
  const Accepted out_end = Accept(outside);
  const UniqueFd gateway = Bound(*host_, "127.0.0.1", 8080);
  const Connecting call = Connect(a->space(), kHostOnRange, 8080);
  ASSERT_EQ(call.error, 0);
  const Accepted call_end = Accept(gateway);
  EXPECT_EQ(Kill(SIGKILL), 1000 + SIGKILL);
  // Sent while nobody is there: it arrives.
  ASSERT_EQ(send(in.fd.get(), "early", 5, MSG_NOSIGNAL), 5);
  ASSERT_EQ(send(out.fd.get(), "early", 5, MSG_NOSIGNAL), 5);
  Start({"--gateway_port", "8080"});
  AwaitAttached("a");
  char text[5];
  EXPECT_EQ(recv(in_end.fd.get(), text, 5, MSG_WAITALL), 5);
  EXPECT_EQ(recv(out_end.fd.get(), text, 5, MSG_WAITALL), 5);
  ExpectPasses(in_end.fd, in.fd, "still there");
  ExpectPasses(out_end.fd, out.fd, "still there");
  ExpectPasses(call.fd, call_end.fd, "still there");
  ExpectPasses(call_end.fd, call.fd, "still there");
}

TEST_F(UplinkHostTest, EverythingIsPutBackAtTheEnd) {
  const std::string sysctls =
      "cd /proc/sys/net; cat ipv4/ip_forward ipv6/conf/*/forwarding ipv6/conf/out0/accept_ra; ip link; " + nft_ +
      " list ruleset";
  const std::string before = HostShellText(sysctls);
  Start();
  EXPECT_TRUE(Has(HostShellText("cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/out0/accept_ra"), "1\n2\n"));
  EXPECT_TRUE(Has(HostShellText(nft_ + " list tables"), "junction_jn_test"));
  EXPECT_EQ(Kill(SIGTERM), 0);
  EXPECT_EQ(HostShellText(sysctls), before);
  EXPECT_FALSE(std::filesystem::exists(dir_.File("scheduler-uplink")));
  EXPECT_FALSE(std::filesystem::exists(dir_.File("scheduler-uplink-settings")));
  Start();
  EXPECT_EQ(Kill(SIGKILL), 1000 + SIGKILL);
  EXPECT_NE(HostShellText(sysctls), before);
  EXPECT_EQ(host_->Do([this] {
    return Shell(std::string(JUNCTION_SCHEDULER) + " --restore --run_dir " + dir_.path() + " --nft " + nft_);
  }),
            0);
  EXPECT_EQ(HostShellText(sysctls), before);
}

TEST_F(UplinkHostTest, TwoStacksDoNotTakeForwardingFromEachOther) {
  Start();
  const pid_t first = std::exchange(pid_, -1);
  const TempDir second_dir;
  run_dir_ = second_dir.path();
  Start({"--uplink_device", "jn-other", "--uplink_range", "10.63.0.0/16", "--uplink_range6", "fd63::/64"});
  EXPECT_TRUE(Has(Stats(), R"("device":"jn-other","up":true)"));
  kill(first, SIGTERM);
  int status = 0;
  EXPECT_EQ(waitpid(first, &status, 0), first);
  EXPECT_EQ(HostShellText("cat /proc/sys/net/ipv4/ip_forward"), "1\n");
  EXPECT_EQ(Kill(SIGTERM), 0);
  EXPECT_EQ(HostShellText("cat /proc/sys/net/ipv4/ip_forward"), "0\n");
}

TEST_F(UplinkHostTest, ARangeInUseOrAMissingProgramLeavesTheUplinkDownAndTheRestGoesOn) {
  ASSERT_EQ(host_->Do([] { return Shell("ip addr add 10.62.9.1/24 dev out0"); }), 0);
  Start();
  EXPECT_TRUE(Has(
      Stats(), R"("up":false,"reason":"the range 10.62.0.0/16 clashes with the host's route to 10.62.9.0/24 by out0")"))
      << Stats();
  EXPECT_EQ(HostShellText("ip link show jn-test; cat /proc/sys/net/ipv4/ip_forward"),
            "Device \"jn-test\" does not exist.\n0\n");
  EXPECT_EQ(Kill(SIGTERM), 0);
  Start({"--uplink_range", "10.70.0.0/16", "--nft", "/nonexistent/nft"});
  EXPECT_TRUE(Has(Stats(), "/nonexistent/nft: No such file or directory")) << Stats();
}

TEST_F(UplinkHostTest, AnEndedInstanceIsLetGoAndAnewOneAttached) {
  Start();
  auto a = Add("a", "5");
  const auto b = Add("b", "6");
  a.reset();
  Await(R"("attached":false)");
  EXPECT_TRUE(Pings(*host_, "10.62.0.6"));
  a = std::make_unique<TestInstance>("a", dir_.path(), "10.62.0.5", "fd62::5");
  Say(R"({"op":"update","id":"a","coreLimit":1})");
  AwaitAttached("a");
  EXPECT_TRUE(Pings(*host_, "10.62.0.5"));
}

TEST_F(UplinkHostTest, GarbageInItsRingsCutsOffThatInstanceOnly) {
  Start();
  const auto a = Add("a", "5");
  const auto b = Add("b", "6");
  ASSERT_TRUE(Pings(*host_, "10.62.0.5"));
  // Queue pair 1 is not used by the stand-in: it is ours to spoil.
  Ring& ring = a->view().ring(kUplinkPort, 1, false);
  ring.slots[0] = {.offset = 0xfffffff0,
                   .length_bytes = 0xffffffff,
                   .flags = 0xffff,
                   .segment_bytes = 1,
                   .checksum_start = 0xffff,
                   .checksum_offset = 0xffff};
  ring.tail.store(0x80000000);
  a->space().Do([] {  // makes it ring
    const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const SocketAddress to(kOutside, 9000);
    sendto(fd.get(), "x", 1, 0, to.get(), to.size);
  });
  Await("its rings make no sense");
  EXPECT_TRUE(Pings(*host_, "10.62.0.6"));
}

TEST_F(UplinkHostTest, ALostDeviceIsMadeAgain) {
  Start();
  const auto a = Add("a", "5");
  ASSERT_EQ(host_->Do([] { return Shell("ip link delete jn-test"); }), 0);
  for (int tries = 0; host_->Do([] { return Shell("ip addr show dev jn-test 2>&1 | grep -q 10.62.0.1"); }) != 0;
       ++tries) {
    ASSERT_LT(tries, 1000) << Stats();
  }
  Await(R"("device":"jn-test","up":true)");
  EXPECT_TRUE(Pings(*host_, "10.62.0.5"));
}

TEST_F(UplinkHostTest, ADeafInstanceLosesItsOwnFramesOnly) {
  Start();
  const auto a = Add("a", "5");
  const auto b = Add("b", "6");
  ASSERT_TRUE(Pings(*host_, "10.62.0.5"));
  a->is_deaf.store(true);
  host_->Do([] {
    EXPECT_EQ(Shell("ip neigh replace 10.62.0.5 lladdr 02:6a:0a:3e:00:05 dev jn-test nud permanent"), 0);
    const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const SocketAddress to("10.62.0.5", 9000);
    const std::vector<uint8_t> bytes(1400);
    for (int i = 0; i < 4000; ++i) {  // four times what ring and backlog hold; some are lost on the way to the TAP
      sendto(fd.get(), bytes.data(), bytes.size(), 0, to.get(), to.size);
    }
  });
  Await("\"full\":");
  EXPECT_TRUE(Pings(*host_, "10.62.0.6"));
  a->is_deaf.store(false);
  a->space().Do([] {  // wakes it
    const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const SocketAddress to(kOutside, 9000);
    sendto(fd.get(), "x", 1, 0, to.get(), to.size);
  });
  EXPECT_TRUE(Pings(*host_, "10.62.0.5"));
}

}  // namespace
}  // namespace junction::scheduler
