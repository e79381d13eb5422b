// SPDX-License-Identifier: Apache-2.0
// Two stacks on virtual time with a bad network between them: transfers both ways over several connections, from SYN to the last timer.
#pragma once

#include <string>

#include "net/test/fault_injector.h"

namespace junction::net {

struct SimulationOptions {
  std::string name;
  uint64_t seed = 1;
  FaultOptions faults;  // of both directions
  bool is_v6 = false;
  uint32_t mtu_bytes = 1500;
  uint32_t connections = 1;
  uint32_t forth_bytes = 1024 * 1024;
  uint32_t back_bytes = 512 * 1024;
};

struct SimulationResult {
  std::string failure;        // empty = all held
  uint64_t completed_us = 0;  // until both sides had all bytes and ends of file
  uint64_t retransmits = 0;   // of both sides
  uint64_t timeouts = 0;
  uint64_t frames = 0;  // that were sent, both ways
};

/// What must hold: bytes intact, an end of file each way, completion in bounded time with bounded retransmissions, and afterwards no
/// connection, no block in use, no timer and no byte of memory.
SimulationResult Simulate(const SimulationOptions& options);

}  // namespace junction::net
