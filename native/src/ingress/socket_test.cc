// SPDX-License-Identifier: Apache-2.0
#include "ingress/socket.h"

#include <gtest/gtest.h>

namespace junction::ingress {
namespace {

TEST(SocketTest, KnowsAddressesOfThisMachineAlone) {
  for (const char* const text : {"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(IsLoopback(MakeIpAddress(text, 1)->storage)) << text;
  }
  for (const char* const text : {"126.0.0.1", "128.0.0.1", "0.0.0.0", "::", "::2", "::ffff:10.0.0.1", "fe80::1"}) {
    EXPECT_FALSE(IsLoopback(MakeIpAddress(text, 1)->storage)) << text;
  }
  EXPECT_FALSE(IsLoopback(MakeUnixAddress("/run/api.sock")->storage));
}

}  // namespace
}  // namespace junction::ingress
