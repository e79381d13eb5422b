// SPDX-License-Identifier: Apache-2.0
#include "ingress/test/ingress_fixture.h"

#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#ifdef JUNCTION_TEST_OVER_LINKS
#include <map>

#include "link/test/fake_instance.h"
#endif

namespace junction::ingress {
namespace {

constexpr auto kLimit = std::chrono::seconds(30);

// The same tests are built twice: with replicas on the host, and with each in an instance of its own that is reached over a link and leads
// every connection on to the replica on the host.
#ifdef JUNCTION_TEST_OVER_LINKS
std::map<uint16_t, std::unique_ptr<link::FakeInstance>>& Instances() {
  static std::map<uint16_t, std::unique_ptr<link::FakeInstance>> instances;
  return instances;
}

std::string LinkPathOf(uint16_t port) {
  std::unique_ptr<link::FakeInstance>& instance = Instances()[port];
  if (instance == nullptr) {
    const auto number = static_cast<uint8_t>(Instances().size() + 1);
    // Fewer links than some tests have workers, so that those go by the address.
    instance = std::make_unique<link::FakeInstance>(
        link::FakeInstance::Options{.links = 2, .queue_pairs = 1U + number % 2, .host_byte = number});
    if (!IsUnused(port)) {
      instance->Bridge(port);
    }
  }
  return instance->link_path();
}

void EndInstances() { Instances().clear(); }
#else
std::string LinkPathOf(uint16_t) { return ""; }
void EndInstances() {}
#endif

}  // namespace

void RecordedEvents::Add(std::vector<std::string>& list, const std::string& text) {
  const std::lock_guard lock(mutex_);
  list.push_back(text);
  changed_.notify_all();
}

std::vector<std::string> RecordedEvents::Wait(std::vector<std::string>& list, size_t count) {
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(changed_.wait_for(lock, kLimit, [&] { return list.size() >= count; }))
      << list.size() << " of " << count << " came";
  return list;
}

IngressTest::IngressTest() {
  std::string folder = testing::TempDir() + "junction-ingress-XXXXXX";
  EXPECT_NE(mkdtemp(folder.data()), nullptr);
  folder_ = folder;
  options_.api_socket_path = folder_ + "/api.sock";
}

IngressTest::~IngressTest() {
  ingress_.reset();
  EndInstances();
  std::filesystem::remove_all(folder_);
}

void IngressTest::Start() {
  Open();
  ingress_->Serve();
}

void IngressTest::Open() {
  auto ingress = Ingress::Open(options_, events_);
  ASSERT_TRUE(ingress.has_value()) << ingress.error().message;
  ingress_ = std::move(*ingress);
}

RouteSpec IngressTest::Route(const std::string& name, const std::vector<uint16_t>& ports,
                             const std::function<void(RouteSpec&)>& change) {
  RouteSpec route;
  route.function_name = name;
  for (const uint16_t port : ports) {
    route.replicas.push_back({.id = "r" + std::to_string(port),
                              .host = "127.0.0.1",
                              .port = port,
                              .link_path = LinkPathOf(port),
                              .draining = false});
  }
  route.starts_from_zero = true;
  if (change) {
    change(route);
  }
  return route;
}

void IngressTest::Apply(std::vector<RouteSpec> upserts, std::vector<std::string> removes, bool snapshot) {
  const auto applied = ingress_->ApplyRoutes(
      {.snapshot = snapshot, .version = ++version_, .upserts = std::move(upserts), .removes = std::move(removes)});
  ASSERT_TRUE(applied.has_value()) << applied.error().message;
  WaitUntil([this](const MetricsValues& metrics) { return metrics.routes_version == version_; });
}

Message IngressTest::Exchange(const std::string& request) {
  Peer client = Client();
  client.Send(request);
  return client.ReadMessage();
}

FunctionValues IngressTest::Function(const std::string& name) {
  for (const FunctionValues& function : ingress_->ReadMetrics().functions) {
    if (function.function_name == name) {
      return function;
    }
  }
  return {};
}

void IngressTest::WaitUntil(const std::function<bool(const MetricsValues&)>& condition) {
  const auto end = std::chrono::steady_clock::now() + kLimit;
  while (!condition(ingress_->ReadMetrics())) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "what the test waits for does not come true";
    std::this_thread::yield();
  }
}

std::string Ok(const std::string& body, const std::string& fields) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body;
}

}  // namespace junction::ingress
