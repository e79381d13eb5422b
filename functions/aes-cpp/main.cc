// SPDX-License-Identifier: Apache-2.0

// aes-cpp is a function: it answers a POST with the AES-128-CTR encryption of the body, in lowercase
// hex. Environment: AES_KEY (32 hex digits), PORT (8080).
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "aes_ctr.h"
#include "http_server.h"

namespace {

std::string_view FromEnvironment(const char* name, std::string_view fallback) {
  const char* const value = std::getenv(name);
  return value != nullptr && *value != '\0' ? std::string_view(value) : fallback;
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || stop != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

Response Answer(const AesKey& key, const Request& request) {
  if (request.target == "/_/health") return {};
  if (request.method != "POST") {
    return {.status = 405, .body = "only POST is allowed\n", .extra_headers = "Allow: POST\r\n"};
  }
  return {.status = 200, .body = EncryptToHex(key, request.body), .extra_headers = ""};
}

}  // namespace

int main() {
  const auto key = ParseKey(FromEnvironment("AES_KEY", "000102030405060708090a0b0c0d0e0f"));
  if (!key) {
    std::fputs("aes-cpp: AES_KEY must be 32 hex digits (an AES-128 key)\n", stderr);
    return EXIT_FAILURE;
  }
  const auto port = ParsePort(FromEnvironment("PORT", "8080"));
  if (!port) {
    std::fputs("aes-cpp: PORT must be a port from 1 to 65535\n", stderr);
    return EXIT_FAILURE;
  }
  HttpServer server([&key](const Request& request) { return Answer(*key, request); });
  if (!server.Listen(*port)) {
    std::perror("aes-cpp: cannot listen");
    return EXIT_FAILURE;
  }
  server.RunUntilTerminated();
  return EXIT_SUCCESS;
}
