// SPDX-License-Identifier: Apache-2.0
#include "bench/http_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>

namespace junction::bench {
namespace {

constexpr std::string_view kScheme = "http://";

}  // namespace

Result<Target> ParseUrl(std::string_view url) {
  if (!url.starts_with(kScheme)) {
    return PlainError("URL must start with http://: " + std::string(url));
  }
  url.remove_prefix(kScheme.size());
  const size_t slash = url.find('/');
  const std::string_view authority = url.substr(0, slash);
  Target target;
  target.host = authority;
  target.path = slash == std::string_view::npos ? "/" : std::string(url.substr(slash));
  const size_t colon = authority.find(':');
  const std::string address(authority.substr(0, colon));
  uint16_t port = 80;
  if (colon != std::string_view::npos) {
    const std::string_view digits = authority.substr(colon + 1);
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (failure != std::errc() || end != digits.data() + digits.size() || port == 0) {
      return PlainError("bad port in URL: " + std::string(digits));
    }
  }
  target.port = port;
  in_addr parsed{};
  if (inet_pton(AF_INET, address.c_str(), &parsed) != 1) {
    return PlainError("the URL's host must be an IPv4 address: " + address);
  }
  target.address = parsed.s_addr;
  return target;
}

std::string RenderRequest(const Target& target, std::string_view body) {
  std::string request = "POST " + target.path + " HTTP/1.1\r\nHost: " + target.host +
                        "\r\nContent-Type: application/octet-stream\r\nContent-Length: " + std::to_string(body.size()) +
                        "\r\n\r\n";
  request += body;
  return request;
}

Result<UniqueFd> Connect(const Target& target, bool nonblocking) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) {
    return ErrnoError("socket");
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(target.port);
  address.sin_addr.s_addr = target.address;
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoError("connect to " + target.host);
  }
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  // Made non-blocking only now, so that the load starts with every connection open.
  if (nonblocking && fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) {
    return ErrnoError("fcntl O_NONBLOCK");
  }
  return fd;
}

AnswerReader::State AnswerReader::Feed(std::string_view bytes) {
  buffer_ += bytes;
  if (!head_done_) {
    const size_t end = buffer_.find("\r\n\r\n");
    if (end == std::string::npos) {
      return buffer_.size() > 65536 ? State::kMalformed : State::kIncomplete;
    }
    if (!ParseHead()) {
      return State::kMalformed;
    }
    head_done_ = true;
    buffer_.erase(0, end + 4);
  }
  if (chunked_) {
    return ReadChunked();
  }
  body_ += buffer_;
  buffer_.clear();
  if (body_.size() < content_length_) {
    return State::kIncomplete;
  }
  return body_.size() == content_length_ ? State::kComplete : State::kMalformed;
}

bool AnswerReader::ParseHead() {
  std::string_view head(buffer_);
  head = head.substr(0, head.find("\r\n\r\n") + 2);
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 14) {
    return false;
  }
  if (std::from_chars(head.data() + 9, head.data() + 12, status_).ec != std::errc()) {
    return false;
  }
  bool has_length = false;
  head.remove_prefix(head.find("\r\n") + 2);
  while (!head.empty()) {
    const size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return false;
    }
    const std::string name(line.substr(0, colon));
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    if (strcasecmp(name.c_str(), "content-length") == 0) {
      has_length = std::from_chars(value.data(), value.data() + value.size(), content_length_).ec == std::errc();
    } else if (strcasecmp(name.c_str(), "transfer-encoding") == 0) {
      chunked_ = value == "chunked";
    }
  }
  return has_length || chunked_;
}

AnswerReader::State AnswerReader::ReadChunked() {
  while (true) {
    const size_t line_end = buffer_.find("\r\n");
    if (line_end == std::string::npos) {
      return State::kIncomplete;
    }
    size_t size = 0;
    if (std::from_chars(buffer_.data(), buffer_.data() + line_end, size, 16).ec != std::errc()) {
      return State::kMalformed;
    }
    const size_t needed = line_end + 2 + size + 2;
    if (buffer_.size() < needed) {
      return State::kIncomplete;
    }
    body_.append(buffer_, line_end + 2, size);
    buffer_.erase(0, needed);
    if (size == 0) {
      return buffer_.empty() ? State::kComplete : State::kMalformed;
    }
  }
}

}  // namespace junction::bench
