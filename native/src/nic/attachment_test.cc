// SPDX-License-Identifier: Apache-2.0
// Attachments against a LinkServer that runs in a thread, as it does in a monitor's poll loop.
#include "nic/attachment.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "base/test_files.h"
#include "nic/frame_ring.h"
#include "nic/link_server.h"
#include "nic/wake_instance.h"

namespace junction {
namespace {

void EmptyPipe(int fd) {
  char bytes[256];
  [[maybe_unused]] const ssize_t size = read(fd, bytes, sizeof(bytes));
}

constexpr uint32_t kTimeout_ms = 20'000;  // never reached unless something is broken

uint64_t Now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

NicSettings TestSettings() {
  NicSettings settings{};
  const uint8_t mac[6] = {2, 0, 10, 62, 0, 1};
  std::memcpy(settings.instance_mac, mac, sizeof(mac));
  settings.peer_mac[1][5] = 0x11;
  settings.peer_mac[2][5] = 0x22;
  settings.ip4[0] = 10;
  settings.link_peer4[1][0] = 169;
  settings.ip6[15] = 9;
  settings.link_peer6[1][15] = 1;
  return settings;
}

// A monitor: the server in a poll loop of its own thread.
class ServerThread {
 public:
  ServerThread(const std::string& path, const NicMemory& nic) {
    int fds[2];
    EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
    stop_read_.Reset(fds[0]);
    stop_write_.Reset(fds[1]);
    auto server = LinkServer::Listen(path, nic);
    EXPECT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    thread_ = std::thread([this] { Run(); });
  }
  ServerThread(const ServerThread&) = delete;
  ServerThread& operator=(const ServerThread&) = delete;
  ~ServerThread() {
    stop_write_.Reset();
    thread_.join();
  }

 private:
  void Run() {
    pollfd fds[LinkServer::kPollFds + 1];
    const std::span<pollfd, LinkServer::kPollFds> mine(fds, LinkServer::kPollFds);
    for (;;) {
      server_.FillPoll(mine);
      fds[LinkServer::kPollFds] = {.fd = stop_read_.get(), .events = POLLIN, .revents = 0};
      poll(fds, std::size(fds), server_.Timeout_ms(Now_ms()));
      if (fds[LinkServer::kPollFds].revents != 0) {
        server_.RemoveName();
        server_ = LinkServer();
        return;
      }
      server_.Serve(mine, Now_ms());
    }
  }

  UniqueFd stop_read_;
  UniqueFd stop_write_;
  LinkServer server_;
  std::thread thread_;
};

class Attachment : public testing::Test {
 protected:
  void Start(uint32_t ports = 3, uint32_t queue_pairs = 2) {
    signal(SIGPIPE, SIG_IGN);
    auto made = NicMemory::Make({.port_count = ports, .queue_pair_count = queue_pairs}, TestSettings());
    ASSERT_TRUE(made) << made.error().message;
    nic_ = std::move(*made);
    server_.emplace(path_, nic_);
  }

  UniqueFd ConnectPlainly() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }

  // Waits in the way of an instance: for the event pipe, with the doorbell set.
  void AwaitGeneration(uint32_t port, uint32_t wanted) {
    NicHeader& header = nic_.header();
    for (;;) {
      PrepareToSleep(header.instance_doorbell, kInPoller);
      if (header.ports[port].generation.load() == wanted) {
        StayAwake(header.instance_doorbell);
        return;
      }
      pollfd event = {.fd = nic_.descriptors().instance_event, .events = POLLIN, .revents = 0};
      ASSERT_EQ(poll(&event, 1, kTimeout_ms), 1) << "the instance was not woken";
      EmptyPipe(event.fd);
      StayAwake(header.instance_doorbell);
    }
  }

  TempDir dir_;
  std::string path_ = dir_.File("links.sock");
  NicMemory nic_;
  std::optional<ServerThread> server_;
};

TEST_F(Attachment, GivesWhatWasAskedFor) {
  Start();
  auto link = NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms);
  ASSERT_TRUE(link) << link.error().message;
  EXPECT_EQ(link->answer().port, 1U);
  EXPECT_EQ(link->answer().instance_mac[2], 10);
  EXPECT_EQ(link->answer().peer_mac[5], 0x11);
  EXPECT_EQ(link->answer().instance_ip4[0], 10);
  EXPECT_EQ(link->answer().peer_ip4[0], 169);
  EXPECT_EQ(link->answer().instance_ip6[15], 9);
  EXPECT_EQ(link->answer().peer_ip6[15], 1);
  EXPECT_EQ(link->view().geometry.port_count, 3U);
  EXPECT_EQ(link->view().geometry.queue_pair_count, 2U);
  EXPECT_EQ(link->view().header().magic, kNicMagic);
  EXPECT_EQ(link->view().header().ports[1].generation.load(), 1U) << "odd: somebody is there";
  auto uplink = NicAttachment::Open(path_, AttachKind::kUplink, kTimeout_ms);
  ASSERT_TRUE(uplink) << uplink.error().message;
  EXPECT_EQ(uplink->answer().port, kUplinkPort);
  EXPECT_EQ(uplink->answer().peer_mac[5], 0) << "found by ARP";
}

TEST_F(Attachment, TheSocketIsItsOwnersOnly) {
  Start();
  struct stat info{};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  server_.reset();
  EXPECT_EQ(stat(path_.c_str(), &info), -1);
  EXPECT_EQ(NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms).error().code, ENOENT);
}

TEST_F(Attachment, TellsThatThereIsNoInstanceAnyMore) {
  Start();
  const std::string left = dir_.File("left.sock");
  ASSERT_EQ(link(path_.c_str(), left.c_str()), 0);
  server_.reset();
  EXPECT_EQ(NicAttachment::Open(left, AttachKind::kLink, kTimeout_ms).error().code, ECONNREFUSED);
}

TEST_F(Attachment, EachPortIsOnePeersAlone) {
  Start();
  auto first = NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms);
  auto second = NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms);
  auto uplink = NicAttachment::Open(path_, AttachKind::kUplink, kTimeout_ms);
  ASSERT_TRUE(first && second && uplink);
  EXPECT_EQ(second->answer().port, 2U);
  EXPECT_EQ(NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms).error().code, EBUSY);
  EXPECT_EQ(NicAttachment::Open(path_, AttachKind::kUplink, kTimeout_ms).error().code, EBUSY);
  *first = NicAttachment();
  AwaitGeneration(1, 2);
  auto again = NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->answer().port, 1U);
  AwaitGeneration(1, 3);
}

TEST_F(Attachment, ANicWithoutLinksHasAnUplinkOnly) {
  Start(1);
  EXPECT_EQ(NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms).error().code, EBUSY);
  EXPECT_TRUE(NicAttachment::Open(path_, AttachKind::kUplink, kTimeout_ms));
}

TEST_F(Attachment, AKilledHoldersLeaseEnds) {
  int ready[2];
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
  const UniqueFd ready_read(ready[0]);
  UniqueFd ready_write(ready[1]);
  // Forked before there is a second thread; it finds the socket once that is there.
  const pid_t holder = fork();
  ASSERT_GE(holder, 0);
  if (holder == 0) {
    for (;;) {
      auto link = NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms);
      if (link) {
        [[maybe_unused]] const ssize_t written = write(ready_write.get(), "", 1);
        pause();
      }
      usleep(1000);  // until the server listens
    }
  }
  ready_write.Reset();
  Start();
  char byte;
  ASSERT_EQ(read(ready_read.get(), &byte, 1), 1);
  EXPECT_EQ(nic_.header().ports[1].generation.load(), 1U);
  ASSERT_EQ(kill(holder, SIGKILL), 0);
  AwaitGeneration(1, 2);
  ASSERT_EQ(waitpid(holder, nullptr, 0), holder);
}

TEST_F(Attachment, BothSidesWakeEachOther) {
  Start();
  auto link = NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms);
  ASSERT_TRUE(link);
  NicHeader& header = nic_.header();
  const int event = nic_.descriptors().instance_event;
  EmptyPipe(event);
  StayAwake(header.instance_doorbell);
  pollfd waits = {.fd = event, .events = POLLIN, .revents = 0};
  const uint64_t rings_before = header.instance_rings.load();
  link->RingInstance();
  EXPECT_EQ(poll(&waits, 1, 0), 0) << "it is awake";
  PrepareToSleep(header.instance_doorbell, kInPoller);
  link->RingInstance();
  link->RingInstance();
  EXPECT_EQ(poll(&waits, 1, 0), 1);
  char bytes[16];
  EXPECT_EQ(read(event, bytes, sizeof(bytes)), 8) << "one wake-up for a sleep";
  EXPECT_EQ(header.instance_rings.load(), rings_before + 1);

  waits.fd = link->peer_event_fd();
  EXPECT_EQ(poll(&waits, 1, 0), 0);
  PrepareToSleep(link->view().header().ports[1].peer_doorbell, kInPoller);
  EXPECT_TRUE(WakeSleeper(header.ports[1].peer_doorbell, nic_.descriptors().peer_events[1]));
  EXPECT_EQ(poll(&waits, 1, 0), 1);
  link->DrainEvents();
  EXPECT_EQ(poll(&waits, 1, 0), 0);
}

TEST_F(Attachment, AFutexSleeperIsWoken) {
  Start();
  auto link = NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms);
  ASSERT_TRUE(link);
  std::atomic<uint32_t>& word = nic_.header().instance_doorbell;
  PrepareToSleep(word, kInFutex);
  std::thread ringer([&] { link->RingInstance(); });
  while (word.load() == kInFutex) {
    const timespec limit = {.tv_sec = kTimeout_ms / 1000, .tv_nsec = 0};
    ASSERT_TRUE(syscall(SYS_futex, &word, FUTEX_WAIT, kInFutex, &limit, nullptr, 0) == 0 || errno != ETIMEDOUT);
  }
  ringer.join();
}

// The hostile side takes O_NONBLOCK off what it holds: of the pipe that is its own open file, of the eventfd it is the peer's too.
TEST_F(Attachment, AHostileInstanceCannotMakeItsPeerBlock) {
  Start();
  auto link = NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms);
  ASSERT_TRUE(link);
  const NicDescriptors mine = nic_.descriptors();
  ASSERT_EQ(fcntl(mine.instance_event, F_SETFL, 0), 0);
  ASSERT_EQ(fcntl(mine.peer_events[1], F_SETFL, 0), 0);
  // Far more wake-ups than the pipe holds, then more looks than there are.
  for (int i = 0; i < 100'000; ++i) {
    nic_.header().instance_doorbell.store(kInPoller);
    link->RingInstance();
  }
  ASSERT_EQ(fcntl(link->peer_event_fd(), F_GETFL) & O_NONBLOCK, 0);
  link->DrainEvents();  // nothing is there: a read would block now
  const uint64_t most = UINT64_MAX - 1;
  ASSERT_EQ(write(mine.peer_events[1], &most, sizeof(most)), static_cast<ssize_t>(sizeof(most)));
  link->DrainEvents();
  pollfd waits = {.fd = link->peer_event_fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&waits, 1, 0), 0);
}

TEST_F(Attachment, FramesGoThroughTheMappedRings) {
  Start();
  auto link = NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms);
  ASSERT_TRUE(link);
  const NicGeometry geometry = nic_.geometry();
  void* const base = mmap(nullptr, geometry.size_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, nic_.memory_fd(), 0);
  ASSERT_NE(base, MAP_FAILED);
  const NicView instance = {.base = static_cast<uint8_t*>(base), .geometry = geometry};
  for (uint32_t pair = 0; pair < geometry.queue_pair_count; ++pair) {
    RingProducer producer;
    RingConsumer consumer;
    producer.Attach(link->view().ring(1, pair, true));
    consumer.Attach(instance.ring(1, pair, true), false);
    uint8_t* const at = producer.Reserve(100);
    ASSERT_NE(at, nullptr);
    std::memset(at, static_cast<int>(pair) + 1, 100);
    producer.Commit(100, {});
    ASSERT_TRUE(producer.Publish());
    FrameView view;
    ASSERT_TRUE(consumer.Peek(view));
    EXPECT_EQ(view.data[99], pair + 1);
  }
  munmap(base, geometry.size_bytes());
}

TEST_F(Attachment, AnotherVersionIsRefused) {
  Start();
  const UniqueFd peer = ConnectPlainly();
  AttachRequest request;
  request.version = kNicVersion + 1;
  ASSERT_EQ(send(peer.get(), &request, sizeof(request), 0), static_cast<ssize_t>(sizeof(request)));
  AttachAnswer answer;
  ASSERT_EQ(recv(peer.get(), &answer, sizeof(answer), 0), static_cast<ssize_t>(sizeof(answer)));
  EXPECT_EQ(answer.status, EPROTO);
  EXPECT_EQ(recv(peer.get(), &answer, sizeof(answer), 0), 0) << "and then it closes";
}

TEST_F(Attachment, OtherWordsAreRefused) {
  Start();
  for (const size_t size : {size_t{1}, sizeof(AttachRequest) - 1, sizeof(AttachRequest) + 1}) {
    const UniqueFd peer = ConnectPlainly();
    std::vector<char> words(size);
    const AttachRequest request;
    std::memcpy(words.data(), &request, std::min(size, sizeof(request)));
    ASSERT_EQ(send(peer.get(), words.data(), size, 0), static_cast<ssize_t>(size));
    AttachAnswer answer;
    ASSERT_EQ(recv(peer.get(), &answer, sizeof(answer), 0), static_cast<ssize_t>(sizeof(answer)));
    EXPECT_EQ(answer.status, EPROTO);
  }
  EXPECT_TRUE(NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms));
}

TEST_F(Attachment, SilentPeersHoldNobodyUp) {
  Start();
  std::vector<UniqueFd> silent;
  for (size_t i = 0; i < 3 * LinkServer::kMaxPending; ++i) {
    silent.push_back(ConnectPlainly());
  }
  EXPECT_TRUE(NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms));
  // All are let go in the end: by those that came later, or by their deadline.
  for (const UniqueFd& one : silent) {
    char byte;
    EXPECT_EQ(recv(one.get(), &byte, 1, 0), 0);
  }
}

TEST_F(Attachment, ATalkingHolderLosesItsLease) {
  Start();
  const UniqueFd peer = ConnectPlainly();
  const AttachRequest request;
  ASSERT_EQ(send(peer.get(), &request, sizeof(request), 0), static_cast<ssize_t>(sizeof(request)));
  AttachAnswer answer;
  ASSERT_EQ(recv(peer.get(), &answer, sizeof(answer), 0), static_cast<ssize_t>(sizeof(answer)));
  ASSERT_EQ(answer.status, 0);
  ASSERT_EQ(send(peer.get(), "more", 4, 0), 4);
  AwaitGeneration(1, 2);
}

TEST_F(Attachment, TheMemoryIsSealed) {
  Start();
  const int fd = nic_.memory_fd();
  EXPECT_EQ(ftruncate(fd, 0), -1);
  EXPECT_EQ(ftruncate(fd, static_cast<off_t>(nic_.geometry().size_bytes()) + 4096), -1);
  EXPECT_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
}

TEST_F(Attachment, RingsTakeNoPagesBeforeTheyAreUsed) {
  Start(kMaxNicPorts, kMaxQueuePairs);
  struct stat info{};
  ASSERT_EQ(fstat(nic_.memory_fd(), &info), 0);
  EXPECT_EQ(info.st_size, static_cast<off_t>(nic_.geometry().size_bytes()));
  EXPECT_EQ(info.st_blocks * 512, 4096);
}

// Answers one attach with a memory of the test's making.
void AnswerOnce(int listener, int memory_fd, const NicGeometry& geometry, uint32_t version) {
  const UniqueFd peer(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  AttachRequest request;
  [[maybe_unused]] const ssize_t size = recv(peer.get(), &request, sizeof(request), 0);
  AttachAnswer answer{};
  answer.version = version;
  answer.port = 1;
  answer.port_count = geometry.port_count;
  answer.queue_pair_count = geometry.queue_pair_count;
  int fds[3] = {memory_fd, memory_fd, memory_fd};
  iovec vector = {.iov_base = &answer, .iov_len = sizeof(answer)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(fds))] = {};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  cmsghdr* const part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(fds));
  std::memcpy(CMSG_DATA(part), fds, sizeof(fds));
  ASSERT_EQ(sendmsg(peer.get(), &header, MSG_NOSIGNAL), static_cast<ssize_t>(sizeof(answer)));
}

TEST_F(Attachment, AnUnsealedOrWrongMemoryIsRefused) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  const UniqueFd listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener.get(), 4), 0);
  const NicGeometry geometry = {.port_count = 2, .queue_pair_count = 1};
  constexpr int kAll = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  struct Case {
    int seals;
    off_t size;
    NicGeometry geometry;
    uint32_t version;
    bool is_good;
  };
  const auto full = static_cast<off_t>(geometry.size_bytes());
  const Case cases[] = {
      {kAll, full, geometry, kNicVersion, true},
      {0, full, geometry, kNicVersion, false},
      {F_SEAL_GROW | F_SEAL_SEAL, full, geometry, kNicVersion, false},
      {F_SEAL_SHRINK | F_SEAL_GROW, full, geometry, kNicVersion, false},
      {kAll, full - 4096, geometry, kNicVersion, false},
      {kAll, full, {.port_count = 2, .queue_pair_count = 2}, kNicVersion, false},
      {kAll, full, {.port_count = 0, .queue_pair_count = 1}, kNicVersion, false},
      {kAll, full, {.port_count = UINT32_MAX, .queue_pair_count = 1}, kNicVersion, false},
      {kAll, full, {.port_count = 1, .queue_pair_count = 1}, kNicVersion, false},  // port 1 of one
      {kAll, full, geometry, kNicVersion + 1, false},
  };
  for (const Case& one : cases) {
    const UniqueFd memory(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(ftruncate(memory.get(), one.size), 0);
    ASSERT_EQ(fcntl(memory.get(), F_ADD_SEALS, one.seals), 0);
    std::thread monitor([&] { AnswerOnce(listener.get(), memory.get(), one.geometry, one.version); });
    const auto link = NicAttachment::Open(path_, AttachKind::kLink, kTimeout_ms);
    monitor.join();
    EXPECT_EQ(link.has_value(), one.is_good) << one.seals << " " << one.size << " " << one.geometry.port_count;
    if (!link) {
      EXPECT_EQ(link.error().code, EPROTO);
    }
  }
}

TEST_F(Attachment, AMonitorThatSaysNothingIsGivenUp) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  const UniqueFd listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener.get(), 4), 0);
  EXPECT_EQ(NicAttachment::Open(path_, AttachKind::kLink, 20).error().code, ETIMEDOUT);
}

TEST(NicMemory, RefusesShapesThatAreNone) {
  for (const NicGeometry& geometry :
       {NicGeometry{0, 1}, NicGeometry{1, 0}, NicGeometry{kMaxNicPorts + 1, 1}, NicGeometry{1, kMaxQueuePairs + 1}}) {
    const auto made = NicMemory::Make(geometry, {});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, EINVAL);
  }
}

}  // namespace
}  // namespace junction
