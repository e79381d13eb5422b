// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/proc_path.h"

#include <gtest/gtest.h>

namespace junction {
namespace {

using Kind = ProcPath::Kind;

TEST(ProcPath, KnowsTheCallersOwn) {
  EXPECT_EQ(ParseProcPath("/proc/self/exe").kind, Kind::kExe);
  EXPECT_EQ(ParseProcPath("/proc/thread-self/exe").kind, Kind::kExe);
  EXPECT_EQ(ParseProcPath("/proc/self/maps").kind, Kind::kMaps);
  EXPECT_EQ(ParseProcPath("/proc/self/fd").kind, Kind::kFds);
  EXPECT_EQ(ParseProcPath("/proc/self/fd/").kind, Kind::kFds);
  EXPECT_EQ(ParseProcPath("/dev/fd").kind, Kind::kFds);
  EXPECT_EQ(ParseProcPath("/proc/self/exe").pid, 0);
}

TEST(ProcPath, ReadsNumbers) {
  const ProcPath own = ParseProcPath("/proc/self/fd/63");
  EXPECT_EQ(own.kind, Kind::kFd);
  EXPECT_EQ(own.fd, 63);
  const ProcPath other = ParseProcPath("/proc/1234/fd/0");
  EXPECT_EQ(other.kind, Kind::kFd);
  EXPECT_EQ(other.pid, 1234);
  EXPECT_EQ(other.fd, 0);
  EXPECT_EQ(ParseProcPath("/dev/fd/7").fd, 7);
  EXPECT_EQ(ParseProcPath("/proc/2147483647/exe").pid, 2147483647);
}

TEST(ProcPath, KnowsTheNetworksFiles) {
  EXPECT_EQ(ParseProcPath("/proc/net/tcp").kind, Kind::kNet);
  EXPECT_EQ(ParseProcPath("/proc/net/tcp").net, ProcNet::kTcp);
  EXPECT_EQ(ParseProcPath("/proc/net/tcp6").net, ProcNet::kTcp6);
  EXPECT_EQ(ParseProcPath("/proc/self/net/udp6").net, ProcNet::kUdp6);
  EXPECT_EQ(ParseProcPath("/proc/12/net/arp").net, ProcNet::kArp);
  EXPECT_EQ(ParseProcPath("/proc/thread-self/net/if_inet6").net, ProcNet::kIfInet6);
  EXPECT_EQ(ParseProcPath("/proc/net/tcp/").kind, Kind::kNone);
  EXPECT_EQ(ParseProcPath("/proc/net/tcp7").kind, Kind::kNone);
  EXPECT_EQ(ParseProcPath("/proc/net/").kind, Kind::kNone);
}

TEST(ProcPath, KnowsStandardStreams) {
  EXPECT_EQ(ParseProcPath("/dev/stdin").fd, 0);
  EXPECT_EQ(ParseProcPath("/dev/stdout").fd, 1);
  const ProcPath error = ParseProcPath("/dev/stderr");
  EXPECT_EQ(error.kind, Kind::kStdio);
  EXPECT_EQ(error.fd, 2);
}

TEST(ProcPath, LeavesTheRestToTheHost) {
  for (const char* text : {"",
                           "/",
                           "/proc",
                           "/proc/",
                           "/proc/self",
                           "/proc/self/exe/",
                           "/proc/self/exe2",
                           "/proc/self/fd/x",
                           "/proc/self/fd/1/",
                           "/proc/self/fd/01",
                           "/proc/self/fd/-1",
                           "/proc/self/fd/2147483648",
                           "/proc/99999999999999999999/exe",
                           "/proc/1x/exe",
                           "/dev/fd/x",
                           "/dev/stdinx",
                           "/dev/null",
                           "proc/self/exe",
                           "/proc//self/exe",
                           "/procself/exe"}) {
    EXPECT_EQ(ParseProcPath(text).kind, Kind::kNone) << text;
  }
}

}  // namespace
}  // namespace junction
