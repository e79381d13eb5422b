// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/http_client.h"
#include "bench/loads.h"
#include "bench/report.h"

namespace junction::bench {

std::string BulkOrder(const BulkOptions& options) {
  return (options.is_upload ? "up " : "down ") + std::to_string(options.size_bytes) + "\n";
}

void PrintBulk(const BulkOptions& options, uint64_t duration_ns) {
  std::printf("{\"bytes\":%llu,\"duration_ns\":%llu,\"gbit_per_s\":%.2f",
              static_cast<unsigned long long>(options.size_bytes), static_cast<unsigned long long>(duration_ns),
              static_cast<double>(options.size_bytes) * 8 / static_cast<double>(duration_ns));
}

Result<void> RunBulk(const BulkOptions& options) {
  const auto target = ParseUrl(options.url);
  if (!target) {
    return std::unexpected(target.error());
  }
  const auto connection = Connect(*target, false);
  if (!connection) {
    return std::unexpected(connection.error());
  }
  std::vector<char> buffer(256 * 1024, 'x');
  const uint64_t begin_ns = Now_ns();
  const std::string order = BulkOrder(options);
  if (send(connection->get(), order.data(), order.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(order.size())) {
    return ErrnoError("send");
  }
  for (uint64_t left = options.is_upload ? options.size_bytes : 0; left > 0;) {
    const ssize_t sent = send(connection->get(), buffer.data(), std::min<uint64_t>(left, buffer.size()), MSG_NOSIGNAL);
    if (sent <= 0) {
      return ErrnoError("send");
    }
    left -= static_cast<uint64_t>(sent);
  }
  for (uint64_t left = options.is_upload ? 1 : options.size_bytes; left > 0;) {
    const ssize_t got = recv(connection->get(), buffer.data(), std::min<uint64_t>(left, buffer.size()), 0);
    if (got <= 0) {
      return ErrnoError("bulk answer", got == 0 ? ECONNRESET : errno);
    }
    left -= static_cast<uint64_t>(got);
  }
  PrintBulk(options, Now_ns() - begin_ns);
  std::printf("}\n");
  return {};
}

}  // namespace junction::bench
