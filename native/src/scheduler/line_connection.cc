// SPDX-License-Identifier: Apache-2.0
#include "scheduler/line_connection.h"

#include <sys/socket.h>

#include <cerrno>

#include "scheduler/control_protocol.h"

namespace junction::scheduler {
namespace {

constexpr size_t kMaxBacklog_bytes = 2 * kMaxLine_bytes;

}  // namespace

bool LineConnection::ReadLines(const std::function<void(std::string_view)>& on_line) {
  char chunk[16 * 1024];
  const ssize_t count = recv(fd_.get(), chunk, sizeof(chunk), MSG_DONTWAIT);
  if (count <= 0) {
    return count < 0 && (errno == EAGAIN || errno == EINTR);
  }
  const size_t searched = input_.size();
  input_.append(chunk, static_cast<size_t>(count));
  size_t start = 0;
  for (size_t end = input_.find('\n', searched); end != std::string::npos; end = input_.find('\n', start)) {
    on_line(std::string_view(input_).substr(start, end - start));
    start = end + 1;
  }
  input_.erase(0, start);
  return input_.size() <= kMaxLine_bytes;
}

bool LineConnection::Send(std::string_view text) {
  output_ += text;
  return output_.size() <= kMaxBacklog_bytes && Flush();
}

bool LineConnection::Flush() {
  while (!output_.empty()) {
    const ssize_t count = send(fd_.get(), output_.data(), output_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) {
      return errno == EAGAIN || errno == EINTR;
    }
    output_.erase(0, static_cast<size_t>(count));
  }
  return true;
}

}  // namespace junction::scheduler
