// SPDX-License-Identifier: Apache-2.0
// The ingress by itself, routes from the command line: for tests and for profiling without Node.js.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ingress/ingress.h"

namespace junction::ingress {
namespace {

constexpr const char kUsage[] =
    "usage: junction_ingress [options] [NAME.NAMESPACE=HOST:PORT[@LINKS],...]...\n"
    "  --listen HOST:PORT      where to listen (127.0.0.1:0); the port is printed\n"
    "  --api PATH              unix socket of the API (/nonexistent)\n"
    "  --workers N             threads (1)\n"
    "  --spin-us N             longest spin before a sleep (0)\n"
    "  --timeout-ms N          of each route (60000)\n"
    "  --max-inflight N        of each replica, 0 = no limit (0)\n"
    "  --doorbell PATH         the scheduler's doorbell page\n"
    "  --metrics               print counts at the end\n"
    "LINKS: the links.sock of the replica's instance, to reach it over shared memory.\n"
    "A route without replicas (NAME.NAMESPACE=) is one that starts from zero. SIGTERM and SIGINT drain and end it.\n";

struct CommandLine {
  IngressOptions options;
  std::vector<RouteSpec> routes;
  bool prints_metrics = false;
};

[[noreturn]] void Fail(const std::string& message) {
  std::fprintf(stderr, "junction_ingress: %s\n%s", message.c_str(), kUsage);
  std::exit(2);
}

uint32_t ReadNumber(const std::string& name, const std::string& text) {
  char* end = nullptr;
  const unsigned long value = std::strtoul(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value > UINT32_MAX) {
    Fail(name + " wants a number, not '" + text + "'");
  }
  return static_cast<uint32_t>(value);
}

void SplitAddress(const std::string& text, std::string& host, uint16_t& port) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) {
    Fail("'" + text + "' is not HOST:PORT");
  }
  host = text.substr(0, colon);
  port = static_cast<uint16_t>(ReadNumber("port", text.substr(colon + 1)));
}

RouteSpec ReadRoute(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    Fail("'" + text + "' is not a route");
  }
  RouteSpec route;
  route.function_name = text.substr(0, equals);
  std::string rest = text.substr(equals + 1);
  route.starts_from_zero = rest.empty();
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    RouteSpec::ReplicaSpec replica;
    replica.id = rest.substr(0, comma);
    const size_t at = replica.id.find('@');
    replica.link_path = at == std::string::npos ? "" : replica.id.substr(at + 1);
    SplitAddress(replica.id.substr(0, at), replica.host, replica.port);
    route.replicas.push_back(replica);
    rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
  }
  return route;
}

CommandLine ReadCommandLine(int argc, char** argv) {
  CommandLine line;
  line.options.api_socket_path = "/nonexistent";
  uint32_t timeout_ms = 0;
  uint32_t max_inflight = 0;
  const std::map<std::string, uint32_t*> numbers = {{"--workers", &line.options.workers},
                                                    {"--spin-us", &line.options.spin_us},
                                                    {"--timeout-ms", &timeout_ms},
                                                    {"--max-inflight", &max_inflight}};
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--help") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    }
    if (name == "--metrics") {
      line.prints_metrics = true;
      continue;
    }
    if (!name.starts_with("--")) {
      line.routes.push_back(ReadRoute(name));
      continue;
    }
    if (++i == argc) {
      Fail(name + " wants a value");
    }
    const std::string value = argv[i];
    if (const auto number = numbers.find(name); number != numbers.end()) {
      *number->second = ReadNumber(name, value);
    } else if (name == "--listen") {
      SplitAddress(value, line.options.host, line.options.port);
    } else if (name == "--api") {
      line.options.api_socket_path = value;
    } else if (name == "--doorbell") {
      line.options.scheduler_doorbell_path = value;
    } else {
      Fail("unknown option " + name);
    }
  }
  if (line.options.workers < 1 || line.options.workers > 64) {
    Fail("--workers must be 1 to 64");
  }
  for (RouteSpec& route : line.routes) {
    route.timeout_ms = timeout_ms;
    route.max_inflight = max_inflight;
  }
  return line;
}

class PrintedEvents : public IngressEvents {
 public:
  void OnColdStart(const std::string& function_name) override {
    std::printf("cold start of %s\n", function_name.c_str());
    std::fflush(stdout);
  }
  void OnReplicaIdle(const std::string&) override {}
  void OnError(const std::string& message) override { std::fprintf(stderr, "junction_ingress: %s\n", message.c_str()); }
};

void PrintMetrics(const MetricsValues& values) {
  std::printf("connections %lu, to replicas %lu, retries %lu\n", values.connections_accepted,
              values.replica_connections_opened, values.replica_retries);
  std::printf("spin hits %lu, misses %lu, skips %lu, %lu us; doorbell rings %lu\n", values.spin_hits,
              values.spin_misses, values.spin_skips, values.spun_ns / 1000, values.doorbell_rings);
  std::printf("links %lu, lost %lu, not to be had %lu; connections by address instead %lu\n", values.links,
              values.link_losses, values.link_attach_failures, values.link_fallbacks);
  std::printf("frames in %lu, out %lu; instances woken %lu, rings in vain %lu, mutes %lu\n", values.link_frames_in,
              values.link_frames_out, values.link_rings, values.link_vain_rings, values.link_mutes);
  for (const FunctionValues& function : values.functions) {
    for (const auto& [code, histogram] : function.by_code) {
      std::printf("%s %u: %lu, mean %.1f us\n", function.function_name.c_str(), code, histogram.count,
                  static_cast<double>(histogram.sum_ns) / 1000 / static_cast<double>(histogram.count));
    }
  }
}

int Main(int argc, char** argv) {
  const CommandLine line = ReadCommandLine(argc, argv);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // the pipe that wakes an instance may have lost its reader

  PrintedEvents events;
  auto ingress = Ingress::Open(line.options, events);
  if (!ingress) {
    Fail(ingress.error().message);
  }
  const auto applied = (*ingress)->ApplyRoutes({.snapshot = true, .version = 1, .upserts = line.routes, .removes = {}});
  if (!applied) {
    Fail(applied.error().message);
  }
  (*ingress)->Serve();
  std::printf("listening on %s port %u\n", line.options.host.c_str(), (*ingress)->port());
  std::fflush(stdout);

  int signal = 0;
  sigwait(&signals, &signal);
  std::promise<uint64_t> drained;
  constexpr uint64_t kDrain_ms = 5'000;
  (*ingress)->Drain(kDrain_ms, [&drained](uint64_t abandoned) { drained.set_value(abandoned); });
  const uint64_t abandoned = drained.get_future().get();
  (*ingress)->Stop();
  if (line.prints_metrics) {
    PrintMetrics((*ingress)->ReadMetrics());
  }
  return abandoned == 0 ? 0 : 1;
}

}  // namespace
}  // namespace junction::ingress

int main(int argc, char** argv) { return junction::ingress::Main(argc, argv); }
