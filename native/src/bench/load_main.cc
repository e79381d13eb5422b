// SPDX-License-Identifier: Apache-2.0
// junction_load: the measuring client of `./junction bench`. Each verb prints one JSON object on stdout.
#include <getopt.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "bench/loads.h"

namespace {

using junction::Result;

constexpr char kUsage[] =
    "usage: junction_load VERB [options]\n"
    "  sequential  --url U --body FILE [--expect FILE] [--count N] [--warmup N] [--gap-us N] [LINK]\n"
    "  throughput  --url U --body FILE [--expect FILE] [--connections N] [--duration-ms N] [--warmup-ms N] [LINK]\n"
    "  bulk        --url U [--bytes N] [--download] [LINK]     the other end is bulk_server\n"
    "  start       --url U --body FILE [--expect FILE] [--control FILE] [LINK] -- command [args]\n"
    "  ping-pong\n"
    "LINK: --link PATH [--spin-us N]: over a shared-memory link of the instance whose links.sock is PATH, to the URL's "
    "port there\n(start: port 8080 if the URL's is 1, and from the control file only the time of the request for a "
    "clone).\n"
    "Every verb prints one JSON object. Exit status: 0 measured, 1 failed, 2 wrong usage.\n";

struct Arguments {
  std::string url;
  std::string body;
  std::string expected;
  std::string control;
  unsigned long count = 1000;
  unsigned long warmup = 50;
  unsigned long gap_us = 0;
  unsigned long connections = 1;
  unsigned long duration_ms = 2000;
  unsigned long warmup_ms = 300;
  std::string link;
  unsigned long spin_us = 0;
  unsigned long bytes = 1'000'000'000;
  bool is_download = false;
  std::vector<std::string> command;
};

bool ReadFile(const char* path, std::string& content) {
  std::ifstream file(path, std::ios::binary);
  content.assign(std::istreambuf_iterator<char>(file), {});
  if (!file) {
    std::fprintf(stderr, "junction_load: cannot read %s\n", path);
  }
  return static_cast<bool>(file);
}

bool ParseNumber(const char* text, unsigned long& value) {
  char* end = nullptr;
  value = std::strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0') {
    std::fprintf(stderr, "junction_load: not a number: %s\n", text);
    return false;
  }
  return true;
}

bool Parse(int argc, char** argv, Arguments& arguments) {
  static const option kOptions[] = {{"url", required_argument, nullptr, 'u'},
                                    {"body", required_argument, nullptr, 'b'},
                                    {"expect", required_argument, nullptr, 'e'},
                                    {"control", required_argument, nullptr, 'c'},
                                    {"count", required_argument, nullptr, 'n'},
                                    {"warmup", required_argument, nullptr, 'w'},
                                    {"gap-us", required_argument, nullptr, 'g'},
                                    {"connections", required_argument, nullptr, 'C'},
                                    {"duration-ms", required_argument, nullptr, 'd'},
                                    {"warmup-ms", required_argument, nullptr, 'W'},
                                    {"link", required_argument, nullptr, 'l'},
                                    {"spin-us", required_argument, nullptr, 's'},
                                    {"bytes", required_argument, nullptr, 'B'},
                                    {"download", no_argument, nullptr, 'D'},
                                    {nullptr, 0, nullptr, 0}};
  int choice = 0;
  while ((choice = getopt_long(argc, argv, "+", kOptions, nullptr)) != -1) {
    bool good = true;
    switch (choice) {
      case 'u':
        arguments.url = optarg;
        break;
      case 'b':
        good = ReadFile(optarg, arguments.body);
        break;
      case 'e':
        good = ReadFile(optarg, arguments.expected);
        break;
      case 'c':
        arguments.control = optarg;
        break;
      case 'n':
        good = ParseNumber(optarg, arguments.count);
        break;
      case 'w':
        good = ParseNumber(optarg, arguments.warmup);
        break;
      case 'g':
        good = ParseNumber(optarg, arguments.gap_us);
        break;
      case 'C':
        good = ParseNumber(optarg, arguments.connections);
        break;
      case 'd':
        good = ParseNumber(optarg, arguments.duration_ms);
        break;
      case 'W':
        good = ParseNumber(optarg, arguments.warmup_ms);
        break;
      case 'l':
        arguments.link = optarg;
        break;
      case 's':
        good = ParseNumber(optarg, arguments.spin_us);
        break;
      case 'B':
        good = ParseNumber(optarg, arguments.bytes);
        break;
      case 'D':
        arguments.is_download = true;
        break;
      default:
        good = false;
    }
    if (!good) {
      return false;
    }
  }
  arguments.command.assign(argv + optind, argv + argc);
  return true;
}

Result<void> Run(const std::string& verb, const Arguments& arguments) {
  using namespace junction::bench;
  if (verb == "sequential") {
    const SequentialOptions options{.url = arguments.url,
                                    .body = arguments.body,
                                    .expected = arguments.expected,
                                    .count = arguments.count,
                                    .warmup = arguments.warmup,
                                    .gap_us = static_cast<uint32_t>(arguments.gap_us),
                                    .link = arguments.link,
                                    .spin_us = static_cast<uint32_t>(arguments.spin_us)};
    return options.link.empty() ? RunSequential(options) : RunSequentialOverLink(options);
  }
  if (verb == "throughput") {
    const ThroughputOptions options{.url = arguments.url,
                                    .body = arguments.body,
                                    .expected = arguments.expected,
                                    .connections = arguments.connections,
                                    .duration_ms = static_cast<uint32_t>(arguments.duration_ms),
                                    .warmup_ms = static_cast<uint32_t>(arguments.warmup_ms),
                                    .link = arguments.link,
                                    .spin_us = static_cast<uint32_t>(arguments.spin_us)};
    return options.link.empty() ? RunThroughput(options) : RunThroughputOverLink(options);
  }
  if (verb == "bulk") {
    const BulkOptions options{.url = arguments.url,
                              .size_bytes = arguments.bytes,
                              .is_upload = !arguments.is_download,
                              .link = arguments.link,
                              .spin_us = static_cast<uint32_t>(arguments.spin_us)};
    return options.link.empty() ? RunBulk(options) : RunBulkOverLink(options);
  }
  if (verb == "start") {
    return RunStart({.command = arguments.command,
                     .control_path = arguments.control,
                     .url = arguments.url,
                     .body = arguments.body,
                     .expected = arguments.expected,
                     .link = arguments.link,
                     .spin_us = static_cast<uint32_t>(arguments.spin_us)});
  }
  return RunPingPong();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "--help" || verb == "-h") {
    std::fputs(kUsage, stdout);
    return 0;
  }
  const bool known =
      verb == "sequential" || verb == "throughput" || verb == "bulk" || verb == "start" || verb == "ping-pong";
  Arguments arguments;
  if (!known || !Parse(argc - 1, argv + 1, arguments) || (verb == "start" && arguments.command.empty())) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (const auto outcome = Run(verb, arguments); !outcome) {
    std::fprintf(stderr, "junction_load %s: %s\n", verb.c_str(), outcome.error().message.c_str());
    return 1;
  }
  return 0;
}
