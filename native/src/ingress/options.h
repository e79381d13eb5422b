// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace junction::ingress {

/// How an ingress listens and what it allows. The meaning of each field is that of IngressOptions in
/// libs/native-binding, where users of it look; ranges are checked there.
struct IngressOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  std::string api_socket_path;
  std::string default_namespace = "openfaas-fn";
  std::string scheduler_doorbell_path;  // empty = none
  std::string event_queue_path;         // empty = none
  uint32_t workers = 1;
  uint32_t spin_us = 0;
  uint32_t max_connections = 10'000;
  uint32_t header_limit_bytes = 1024 * 1024;
  uint32_t header_timeout_ms = 30'000;
  uint32_t idle_timeout_ms = 120'000;
  uint32_t stall_timeout_ms = 60'000;
  uint32_t connect_timeout_ms = 2'000;
  uint32_t default_timeout_ms = 60'000;
  uint32_t queue_timeout_ms = 10'000;
  uint32_t max_queued_per_function = 1'024;
  uint32_t max_held_per_function = 256;
  uint32_t max_held_total = 2'048;
};

}  // namespace junction::ingress
