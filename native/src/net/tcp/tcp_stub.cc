// SPDX-License-Identifier: Apache-2.0
// Stands in for TCP until it is there: every segment is ignored.
#include "net/ip.h"

namespace junction::net {
namespace {

void NoInput(Stack&, Device&, const IpPacket&, uint64_t) {}
void NoError(Stack&, const IcmpError&, uint64_t) {}
void NoResume(Socket&, int, uint64_t) {}
void NoReset(Stack&, Device&, int, uint64_t) {}

}  // namespace

constinit const ProtocolOps kTcpOps = {NoInput, NoError, NoResume, NoReset, nullptr,
                                       nullptr, nullptr, nullptr,  nullptr, nullptr};

}  // namespace junction::net
