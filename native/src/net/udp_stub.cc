// SPDX-License-Identifier: Apache-2.0
#include "net/ethernet.h"
#include "net/stack_state.h"
namespace junction::net {
namespace {
void NoInput(Stack&, Device&, const IpPacket&, uint64_t) {}
void NoError(Stack&, const IcmpError&, uint64_t) {}
void NoResume(Socket&, int, uint64_t) {}
void NoReset(Stack&, Device&, int, uint64_t) {}
}  // namespace
constinit const ProtocolOps kUdpOps = {NoInput, NoError, NoResume, NoReset, nullptr,
                                       nullptr, nullptr, nullptr,  nullptr, nullptr};
constinit const ProtocolOps kIcmpOps = {NoInput, NoError, NoResume, NoReset, nullptr,
                                        nullptr, nullptr, nullptr,  nullptr, nullptr};
void FragmentInput(Stack&, Device&, const IpPacket&, uint32_t, uint32_t, bool, uint64_t) {}
void DropFragments(Stack&, const Device&) {}
void StopFragments(Stack&) {}
void SendProtocolUnreachable(Stack&, Device&, const IpPacket&, uint64_t) {}
void SendPortUnreachable(Stack&, Device&, const IpPacket&, uint64_t) {}
void SendParameterProblem(Stack&, Device&, const IpPacket&, uint8_t, uint32_t, uint64_t) {}
bool IsMember(const Stack&, const Device&, const IpAddress&) { return false; }
void AskByNeighbourDiscovery(Stack&, Device&, const IpAddress&, const IpAddress&, const uint8_t*) {}
void AnnounceByNeighbourDiscovery(Stack&, Device&, const IpAddress&) {}
}  // namespace junction::net
