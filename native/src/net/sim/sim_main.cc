// SPDX-License-Identifier: Apache-2.0
// net_sim RESULTS: runs the grid and compares with the results in that file, exactly: who changes them has changed what the stack does.
// net_sim RESULTS --record: writes the file anew. net_sim RESULTS --rounds N [--seed S]: N random networks, for what must hold in each.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "net/sim/simulation.h"

namespace junction::net {
namespace {

std::vector<SimulationOptions> Grid() {
  std::vector<SimulationOptions> grid;
  uint64_t seed = 100;
  for (const uint32_t loss : {0U, 10'000U, 50'000U}) {
    for (const uint64_t delay_us : {500ULL, 20'000ULL}) {
      for (const uint64_t buffer_kib : {16ULL, 512ULL}) {
        for (const uint32_t disorder : {0U, 30'000U}) {
          SimulationOptions cell;
          cell.faults = {.loss = loss,
                         .duplicate = disorder / 3,
                         .reorder = disorder,
                         .corrupt = disorder / 3,
                         .delay_ns = delay_us * 1000,
                         .rate_bytes_per_s = 12'500'000,  // 100 Mbit/s
                         .buffer_bytes = buffer_kib * 1024};
          cell.is_v6 = seed % 2 == 1;
          cell.seed = seed++;
          cell.name = "loss" + std::to_string(loss / 10'000) + "%-delay" + std::to_string(delay_us) + "us-buffer" +
                      std::to_string(buffer_kib) + "K" + (disorder != 0 ? "-disorder" : "");
          grid.push_back(cell);
        }
      }
    }
  }
  const auto add = [&](const char* name, auto change) {
    SimulationOptions cell;
    cell.name = name;
    cell.seed = seed++;
    cell.faults = {.delay_ns = 5'000'000, .rate_bytes_per_s = 12'500'000, .buffer_bytes = 128 * 1024};
    change(cell);
    grid.push_back(cell);
  };
  add("fifty-connections", [](SimulationOptions& cell) {
    cell.connections = 50;
    cell.forth_bytes = cell.back_bytes = 50'000;
    cell.faults.loss = 20'000;
  });
  add("mtu-576", [](SimulationOptions& cell) {
    cell.mtu_bytes = 576;
    cell.faults.loss = 10'000;
  });
  add("mtu-9000", [](SimulationOptions& cell) { cell.mtu_bytes = 9000; });
  add("ten-megabytes", [](SimulationOptions& cell) {
    cell.forth_bytes = 10 * 1024 * 1024;
    cell.back_bytes = 1024;
    cell.faults.loss = 1'000;
  });
  add("half-of-all-late", [](SimulationOptions& cell) { cell.faults.reorder = 500'000; });
  add("fifth-of-all-lost", [](SimulationOptions& cell) {
    cell.faults.loss = 200'000;
    cell.forth_bytes = 200'000;
    cell.back_bytes = 100'000;
  });
  return grid;
}

std::string LineOf(const SimulationOptions& cell, const SimulationResult& result) {
  return cell.name + " " + std::to_string(result.completed_us) + " " + std::to_string(result.retransmits) + " " +
         std::to_string(result.timeouts) + " " + std::to_string(result.frames);
}

int RunGrid(const char* path, bool records) {
  std::vector<std::string> known;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line[0] != '#') {
      known.push_back(line);
    }
  }
  int failures = 0;
  size_t at = 0;
  std::string table =
      "# network, virtual microseconds until all was there, retransmissions, timeouts, frames (net_sim --record)\n";
  for (const SimulationOptions& cell : Grid()) {
    const SimulationResult result = Simulate(cell);
    const std::string line = LineOf(cell, result);
    table += line + "\n";
    if (!result.failure.empty()) {
      std::printf("FAILED %s (seed %lu): %s\n", cell.name.c_str(), cell.seed, result.failure.c_str());
      ++failures;
    } else if (!records && (at >= known.size() || known[at] != line)) {
      std::printf("FAILED (seed %lu) expected: %s\n                     got: %s\n", cell.seed,
                  at < known.size() ? known[at].c_str() : "nothing", line.c_str());
      ++failures;
    }
    ++at;
  }
  if (!records && at != known.size()) {
    std::printf("FAILED the table has %zu lines, the grid %zu cells\n", known.size(), at);
    ++failures;
  }
  if (records && failures == 0) {
    std::ofstream(path) << table;
  }
  std::printf("%zu networks, %d failures\n", at, failures);
  return failures == 0 ? 0 : 1;
}

int RunRounds(uint64_t rounds, uint64_t first_seed) {
  for (uint64_t seed = first_seed; seed < first_seed + rounds; ++seed) {
    uint64_t state = seed * 0x9e3779b97f4a7c15 + 12345;
    const auto draw = [&](uint64_t below) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      return (state >> 33) % below;
    };
    SimulationOptions cell;
    cell.seed = seed;
    cell.is_v6 = draw(2) == 0;
    cell.mtu_bytes = static_cast<uint32_t>(cell.is_v6 ? 1280 + draw(8000) : 576 + draw(8000));
    cell.connections = static_cast<uint32_t>(1 + draw(8));
    cell.forth_bytes = static_cast<uint32_t>(draw(600'000));
    cell.back_bytes = static_cast<uint32_t>(draw(600'000));
    cell.faults = {.loss = static_cast<uint32_t>(draw(100'000)),
                   .duplicate = static_cast<uint32_t>(draw(50'000)),
                   .reorder = static_cast<uint32_t>(draw(200'000)),
                   .corrupt = static_cast<uint32_t>(draw(30'000)),
                   .delay_ns = draw(50'000) * 1000,
                   .reorder_delay_ns = draw(20'000) * 1000,
                   .rate_bytes_per_s = 1'000'000 + draw(50'000'000),
                   .buffer_bytes = 20'000 + draw(500'000)};
    const SimulationResult result = Simulate(cell);
    if (!result.failure.empty()) {
      std::printf("FAILED with --rounds 1 --seed %lu: %s\n", seed, result.failure.c_str());
      return 1;
    }
  }
  std::printf("%lu networks, 0 failures\n", rounds);
  return 0;
}

}  // namespace
}  // namespace junction::net

int main(int argc, char** argv) {
  const char* path = nullptr;
  bool records = false;
  uint64_t rounds = 0;
  uint64_t seed = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--record") == 0) {
      records = true;
    } else if (std::strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
      rounds = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      path = argv[i];
    }
  }
  if (path == nullptr) {
    std::fprintf(stderr, "net_sim RESULTS [--record | --rounds N [--seed S]]\n");
    return 2;
  }
  return rounds != 0 ? junction::net::RunRounds(rounds, seed) : junction::net::RunGrid(path, records);
}
