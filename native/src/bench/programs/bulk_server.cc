// SPDX-License-Identifier: Apache-2.0
// The other end of `junction_load bulk`, on plain sockets, for the host and for an instance: reads "up N\n", then N bytes, and answers one byte; or
// reads "down N\n" and sends N bytes. One connection at a time. Usage: bulk_server PORT, or PORT=… bulk_server
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

char buffer[256 * 1024];

void Serve(int fd) {
  char order[64] = {};
  size_t length = 0;
  while (std::memchr(order, '\n', length) == nullptr) {
    if (length == sizeof(order) - 1 || read(fd, order + length, 1) != 1) {
      return;
    }
    ++length;
  }
  const bool is_upload = order[0] == 'u';
  unsigned long long left = std::strtoull(order + (is_upload ? 3 : 5), nullptr, 10);
  while (left > 0) {
    const size_t size = static_cast<size_t>(std::min<unsigned long long>(left, sizeof(buffer)));
    const ssize_t done = is_upload ? read(fd, buffer, size) : write(fd, buffer, size);
    if (done <= 0) {
      return;
    }
    left -= static_cast<unsigned long long>(done);
  }
  if (is_upload) {
    [[maybe_unused]] const ssize_t written = write(fd, "!", 1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* const port = argc > 1 ? argv[1] : std::getenv("PORT");
  if (port == nullptr) {
    std::fprintf(stderr, "bulk_server: no port\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 || listen(listener, 16) != 0) {
    std::perror("bulk_server");
    return 1;
  }
  for (;;) {
    const int fd = accept(listener, nullptr, nullptr);
    if (fd >= 0) {
      Serve(fd);
      close(fd);
    }
  }
}
