// SPDX-License-Identifier: Apache-2.0
// Tests of what the monitor reads from Linux and writes for junctiond.
#include <arpa/inet.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <csignal>
#include <thread>

#include "base/test_files.h"
#include "run/instance_nic.h"
#include "run/listen_watcher.h"
#include "run/listener_owner.h"
#include "run/notifier.h"
#include "run/oom_count.h"
#include "run/sandbox_files.h"
#include "run/status_file.h"

namespace junction {
namespace {

TEST(StatusFile, RecordsARunningInstance) {
  const InstanceStatus status = {.pid = 10,
                                 .monitor_pid = 9,
                                 .start_time_ticks = 100,
                                 .monitor_start_time_ticks = 99,
                                 .started_at_ns = 1795461875257243746,
                                 .owner = {.uid_base = 1000000, .host_uid = 1000005, .host_gid = 1000006},
                                 .exit = {}};
  EXPECT_EQ(
      StatusJson(status),
      R"({"state":"running","pid":10,"monitorPid":9,"startTimeTicks":"100","monitorStartTimeTicks":"99","startedAtNs":"1795461875257243746","uidBase":1000000,"hostUid":1000005,"hostGid":1000006})"
      "\n");
}

TEST(StatusFile, SaysWhereANicsPeersAttach) {
  EXPECT_NE(StatusJson({.links_path = "/i/links.sock"}).find(R"("linksPath":"/i/links.sock"})"), std::string::npos);
  EXPECT_EQ(StatusJson({}).find("linksPath"), std::string::npos);
}

TEST(InstanceNic, HasTheConfigurationsAddresses) {
  const auto config = ParseJunctionConfig(
      "host_addr 10.62.0.2\nhost_netmask 255.255.0.0\nhost_gateway 10.62.0.1\nhost_mtu 9000\nhost_addr6 fd00::2\n"
      "host_gateway6 fe80::1\nstatic_arp 10.62.0.9 02:00:00:00:00:09\n");
  ASSERT_TRUE(config.has_value());
  const NicSettings settings = NicSettingsOf(*config, 2);
  const auto bytes = [](const auto& array) { return std::vector<int>(std::begin(array), std::end(array)); };
  EXPECT_EQ(bytes(settings.instance_mac), (std::vector<int>{2, 0x6a, 10, 62, 0, 2}));
  EXPECT_EQ(bytes(settings.ip4), (std::vector<int>{10, 62, 0, 2}));
  EXPECT_EQ(bytes(settings.gateway4), (std::vector<int>{10, 62, 0, 1}));
  EXPECT_EQ(settings.prefix4_bits, 16);
  EXPECT_EQ(settings.prefix6_bits, 64);
  EXPECT_EQ(settings.uplink_mtu_bytes, 9000);
  EXPECT_EQ(settings.ip6[0], 0xfd);
  EXPECT_EQ(settings.gateway6[0], 0xfe);
  EXPECT_EQ(bytes(settings.peer_mac[0]), std::vector<int>(6)) << "the uplink's neighbours are looked up";
  EXPECT_EQ(bytes(settings.peer_mac[2]), (std::vector<int>{2, 0x6a, 0x75, 0x6e, 0, 2}));
  EXPECT_EQ(bytes(settings.link_peer4[1]), (std::vector<int>{169, 254, 254, 1}));
  EXPECT_EQ(bytes(settings.link_peer6[2]),
            (std::vector<int>{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x6a, 0x75, 0, 2}));
  EXPECT_EQ(bytes(settings.link_peer4[3]), std::vector<int>(4)) << "there are two links";
  EXPECT_EQ(settings.static_neighbour_count, 1);
  EXPECT_EQ(settings.static_neighbours[0].mac[5], 9);
}

TEST(InstanceNic, NeedsAnAddress) {
  const TempDir dir;
  RunOptions options;
  JunctionConfig config;
  EXPECT_FALSE(MakeInstanceNic(config, options)->links.has_value()) << "none was asked for";
  options.links = 1;
  options.links_path = dir.File("links.sock");
  EXPECT_FALSE(MakeInstanceNic(config, options).has_value());
  config.host_addr = 0x0a3e0002;
  config.kthreads = 200;
  const auto nic = MakeInstanceNic(config, options);
  ASSERT_TRUE(nic.has_value()) << nic.error().message;
  EXPECT_EQ(nic->descriptors().geometry.port_count, 2);
  EXPECT_EQ(nic->descriptors().geometry.queue_pair_count, kMaxQueuePairs);
}

TEST(StatusFile, ReplacesTheOldOneAsAWhole) {
  const TempDir dir;
  InstanceStatus status = {.pid = 10};
  ASSERT_TRUE(WriteStatusFile(dir.path(), status).has_value());
  status.exit =
      GuestExit{.exit_code = 137, .signal = 9, .is_oom_killed = true, .exited_at_ns = 7, .error = "say \"why\""};
  ASSERT_TRUE(WriteStatusFile(dir.path(), status).has_value());
  const std::string text = Slurp(dir.File("status.json"));
  EXPECT_NE(text.find(R"("exitedAtNs":"7","exitCode":137,"signal":9,"oomKilled":true,"error":"say \"why\""})"),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(dir.File("status.json.new")));
  EXPECT_FALSE(WriteStatusFile("/nonexistent", status).has_value());
}

TEST(StartTimeTicks, AreThoseOfProc) {
  const auto ticks = StartTimeTicks(getpid());
  ASSERT_TRUE(ticks.has_value());
  EXPECT_NE(Slurp("/proc/self/stat").find(" " + std::to_string(*ticks) + " "), std::string::npos);
  EXPECT_FALSE(StartTimeTicks(0x7ffffffe).has_value());
}

TEST(OomCount, ReadsBothKindsOfCgroups) {
  EXPECT_EQ(ParseOomKills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), 3);
  EXPECT_EQ(ParseOomKills("low 0\noom 2\noom_kill 2\noom_group_kill 0\n"), 2);
  EXPECT_EQ(ParseOomKills("oom_kill"), 0);
  EXPECT_EQ(ParseOomKills("oom_kill x\n"), 0);
  const TempDir dir;
  dir.Write("memory.events", "oom_kill 1\n");
  EXPECT_EQ(OomCount({"/nonexistent", dir.path()}).Read(), 1);
  EXPECT_EQ(OomCount({}).Read(), 0);
}

TEST(ComparePorts, TellsOpenedFromClosed) {
  const PortSnapshot a = {
      .guest_port = 80, .host_port = 1000, .protocol = IPPROTO_TCP, .is_listening = true, .inode = 1};
  const PortSnapshot b = {
      .guest_port = 81, .host_port = 1001, .protocol = IPPROTO_TCP, .is_listening = true, .inode = 2};
  PortSnapshot a_again = a;
  a_again.inode = 3;
  const auto changes = ComparePorts({a, b}, {a_again, b});
  ASSERT_EQ(changes.opened.size(), 1);
  EXPECT_EQ(changes.opened[0].inode, 3);
  ASSERT_EQ(changes.closed.size(), 1);
  EXPECT_EQ(changes.closed[0].inode, 1);
  EXPECT_TRUE(ComparePorts({a}, {a}).opened.empty());
}

// A TCP socket on an ephemeral port of 127.0.0.1.
class LoopbackSocket {
 public:
  LoopbackSocket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
  }
  int fd() const { return fd_.get(); }
  uint16_t port() const { return port_; }

 private:
  UniqueFd fd_;
  uint16_t port_ = 0;
};

TEST(ListenerOwner, NamesTheUserOfAListeningSocketOnly) {
  const auto owner = ListenerOwner::Open();
  ASSERT_TRUE(owner.has_value());
  const LoopbackSocket socket;
  EXPECT_EQ(owner->UidOf(socket.port()), std::nullopt);
  ASSERT_EQ(listen(socket.fd(), 1), 0);
  EXPECT_EQ(owner->UidOf(socket.port()), geteuid());
}

TEST(Notifier, SendsALineAConnection) {
  const TempDir dir;
  const UniqueFd server(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = dir.File("events.sock");
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const Notifier notifier(path);
  EXPECT_FALSE(notifier.Send("{}"));  // nobody listens
  ASSERT_EQ(listen(server.get(), 4), 0);
  EXPECT_TRUE(notifier.Send("{\"event\":1}"));
  const UniqueFd connection(accept(server.get(), nullptr, nullptr));
  char text[64];
  EXPECT_EQ(std::string_view(text, static_cast<size_t>(recv(connection.get(), text, sizeof(text), MSG_WAITALL))),
            "{\"event\":1}\n");
}

TEST(Notifier, MissesWhoIsNotThere) {
  EXPECT_FALSE(Notifier("/nonexistent/socket").Send("{}"));
  EXPECT_FALSE(Notifier(std::string(200, 'x')).Send("{}"));
  EXPECT_FALSE(Notifier("").Send("{}"));
  EXPECT_FALSE(Notifier("").is_wanted());
}

// With a NIC a port is the instance's own: there is no host socket that could be looked at, nor one that could be another's.
TEST(ListenWatcher, BelievesAnInstanceWithANicOfItsOwnPorts) {
  const TempDir dir;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = dir.File("notify.sock");
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const UniqueFd server(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(server.get(), 4), 0);
  const auto control = CreateControlFile(dir.File("control"), {});
  ASSERT_TRUE(control.has_value());
  const auto claim = [&](size_t slot, uint16_t guest_port, uint16_t host_port) {
    ControlPort& port = control->block->ports[slot];
    port.host_port = host_port;
    port.protocol = IPPROTO_TCP;
    port.listening = 1;
    port.guest_port = guest_port;
  };
  claim(0, 80, 6379);  // not a port of its own
  claim(1, 8080, 8080);
  const Notifier notifier(path);
  ListenWatcher watcher("i", *control, {}, std::nullopt, notifier);
  std::thread thread([&] { watcher.Run(); });
  const UniqueFd connection(accept(server.get(), nullptr, nullptr));
  char text[512];
  const ssize_t size = read(connection.get(), text, sizeof(text));
  const std::string event(text, static_cast<size_t>(std::max<ssize_t>(size, 0)));
  EXPECT_NE(event.find(R"("event":"listening")"), std::string::npos) << event;
  EXPECT_NE(event.find(R"("guestPort":8080,"hostPort":8080)"), std::string::npos) << event;
  // It ends when there is no block any more.
  ASSERT_EQ(ftruncate(control->fd.get(), 8), 0);
  ASSERT_EQ(ftruncate(control->fd.get(), sizeof(ControlBlock)), 0);
  control->block->listen_seq.fetch_add(1);
  syscall(SYS_futex, &control->block->listen_seq, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  thread.join();
}

TEST(SandboxFiles, RenderCpusAndHosts) {
  EXPECT_EQ(CpuList(1), "0");
  EXPECT_EQ(CpuList(4), "0-3");
  RootPlan plan;
  plan.hostname = "aes";
  plan.hosts = {{.name = "gateway", .address = "127.0.0.1"}};
  EXPECT_EQ(HostsFile(plan),
            "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.0.1 aes\n127.0.0.1 gateway\n");
}

}  // namespace
}  // namespace junction
