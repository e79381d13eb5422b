// SPDX-License-Identifier: Apache-2.0
#include "ingress/ingress.h"

#include <pthread.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include "base/check.h"
#include "ingress/worker.h"

namespace junction::ingress {
namespace {

Result<std::array<uint64_t, 4>> RandomSeed() {
  std::array<uint64_t, 4> seed;
  if (getrandom(seed.data(), sizeof(seed), 0) != static_cast<ssize_t>(sizeof(seed))) {
    return ErrnoError("getrandom");
  }
  seed[0] |= 1;  // never all zero
  return seed;
}

/// Runs `body` in a thread that takes no signals: those are the program's, not a library's, to handle.
std::thread StartThread(const std::string& name, std::function<void()> body) {
  sigset_t all;
  sigset_t old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  pthread_setname_np(thread.native_handle(), name.c_str());
  return thread;
}

}  // namespace

Ingress::Ingress(const IngressOptions& options, IngressEvents& events)
    : options_(options),
      events_(events),
      routes_(options.default_timeout_ms, events),
      keeper_(options.workers,
              [this](uint32_t worker, std::shared_ptr<Replica> replica, std::optional<NicAttachment> attachment) {
                workers_[worker]->Post(LinkCommand{.replica = std::move(replica), .attachment = std::move(attachment)});
              }) {}

Result<std::unique_ptr<Ingress>> Ingress::Open(const IngressOptions& options, IngressEvents& events) {
  std::unique_ptr<Ingress> ingress(new Ingress(options, events));
  const auto address = MakeIpAddress(options.host, options.port);
  if (!address) {
    return std::unexpected(address.error());
  }
  auto api = std::make_shared<Replica>();
  api->id = "api";
  auto api_address = MakeUnixAddress(options.api_socket_path);
  if (!api_address) {
    return std::unexpected(api_address.error());
  }
  api->address = *api_address;
  auto listener = Listen(*address);
  if (!listener) {
    Error error = std::move(listener.error());
    error.message = options.host + " port " + std::to_string(options.port) + ": " + error.message;
    return std::unexpected(std::move(error));
  }
  ingress->listener_ = std::move(*listener);
  const auto port = LocalPort(ingress->listener_.get());
  if (!port) {
    return std::unexpected(port.error());
  }
  ingress->port_ = *port;
  Siblings& siblings = *ingress;
  for (uint32_t i = 0; i < options.workers; ++i) {
    const auto seed = RandomSeed();
    if (!seed) {
      return std::unexpected(seed.error());
    }
    auto worker = std::make_unique<Worker>(ingress->options_, events, ingress->shared_, siblings, ingress->keeper_, i,
                                           *seed, ingress->listener_.get(), api);
    if (auto opened = worker->Open(); !opened) {
      return std::unexpected(opened.error());
    }
    ingress->workers_.push_back(std::move(worker));
  }
  return ingress;
}

void Ingress::Serve() {
  JUNCTION_CHECK(threads_.empty());
  for (size_t i = 0; i < workers_.size(); ++i) {
    Worker* const worker = workers_[i].get();
    threads_.push_back(StartThread("ingress-" + std::to_string(i), [worker] { worker->Run(); }));
  }
}

Ingress::~Ingress() { Stop(); }

Result<void> Ingress::ApplyRoutes(const RouteUpdate& update) {
  const std::lock_guard lock(mutex_);
  auto change = routes_.Apply(update);
  if (!change) {
    return std::unexpected(std::move(change.error()));
  }
  for (const auto& worker : workers_) {
    worker->Post(ApplyRoutesCommand{.change = *change, .version = update.version});
  }
  for (const auto& route : (*change)->upserts) {
    for (const auto& replica : route->replicas) {
      keeper_.Want(replica);
    }
  }
  return {};
}

void Ingress::FailHeld(const std::string& function_name, uint16_t status, const std::string& message) {
  const std::lock_guard lock(mutex_);
  routes_.AllowColdStart(function_name);
  for (const auto& worker : workers_) {
    worker->Post(FailHeldCommand{.function_name = function_name, .status = status, .message = message});
  }
}

void Ingress::WakeQueues(const std::shared_ptr<FunctionShared>& function) {
  for (const auto& worker : workers_) {
    worker->Post(WakeQueueCommand{function});
  }
}

std::vector<std::string> Ingress::BusyReplicas() {
  const std::lock_guard lock(mutex_);
  return routes_.BusyReplicas();
}

MetricsValues Ingress::ReadMetrics() const {
  MetricsValues values;
  values.routes_version = UINT64_MAX;
  std::unordered_map<std::string, FunctionValues> functions;
  for (const auto& worker : workers_) {
    worker->ReadMetrics(values, functions);
    values.routes_version = std::min(values.routes_version, worker->routes_version());
  }
  for (auto& [name, of_function] : functions) {
    values.functions.push_back(std::move(of_function));
  }
  std::sort(values.functions.begin(), values.functions.end(),
            [](const FunctionValues& a, const FunctionValues& b) { return a.function_name < b.function_name; });
  values.link_attach_failures = keeper_.failures();
  values.held = shared_.held.load(std::memory_order_relaxed);
  return values;
}

void Ingress::Drain(uint64_t deadline_ms, std::function<void(uint64_t abandoned)> on_done) {
  struct Progress {
    std::atomic<size_t> left;
    std::atomic<uint64_t> abandoned{0};
    std::function<void(uint64_t)> on_done;
  };
  auto progress = std::make_shared<Progress>();
  progress->left = workers_.size();
  progress->on_done = std::move(on_done);
  const std::lock_guard lock(mutex_);
  for (const auto& worker : workers_) {
    worker->Post(DrainCommand{.deadline_ms = deadline_ms, .on_done = [progress](uint64_t abandoned) {
                                progress->abandoned += abandoned;
                                if (progress->left.fetch_sub(1) == 1) {
                                  progress->on_done(progress->abandoned);
                                }
                              }});
  }
}

void Ingress::Stop() {
  keeper_.Stop();
  for (const auto& worker : workers_) {
    worker->Post(StopCommand{});
  }
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

}  // namespace junction::ingress
