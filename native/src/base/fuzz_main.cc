// SPDX-License-Identifier: Apache-2.0
// Drives a fuzz target without a fuzzer: every file of a corpus folder, then mutations of them from a fixed seed. With
// clang, link the target with -fsanitize=fuzzer instead.
//   <target>_fuzz CORPUS_DIR [ROUNDS] [SEED]
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::string;
using Random = std::mt19937_64;

size_t Below(Random& random, size_t bound) { return bound == 0 ? 0 : static_cast<size_t>(random() % bound); }

// One small change: a byte set, removed, doubled, or a piece of another input put in.
Bytes Mutate(Bytes input, const Bytes& other, Random& random) {
  const size_t place = Below(random, input.size() + 1);
  switch (random() % 5) {
    case 0:
      input.insert(place, 1, static_cast<char>(random()));
      break;
    case 1:
      input.erase(place, Below(random, 8));
      break;
    case 2:
      input.insert(place, input.substr(Below(random, input.size()), Below(random, 32)));
      break;
    case 3:
      input.insert(place, other.substr(Below(random, other.size()), Below(random, 64)));
      break;
    default:
      if (place < input.size()) {
        input[place] = static_cast<char>(input[place] ^ (1 << (random() % 8)));
      }
  }
  return input;
}

void Feed(const Bytes& input) { LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size()); }

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s CORPUS_DIR [ROUNDS] [SEED]\n", argv[0]);
    return 2;
  }
  std::vector<Bytes> corpus = {""};
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream file(entry.path(), std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  const unsigned long rounds = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 20000;
  const unsigned long seed = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 1;
  std::printf("%zu inputs, %lu rounds, seed %lu\n", corpus.size(), rounds, seed);
  for (const Bytes& input : corpus) {
    Feed(input);
  }
  Random random(seed);
  for (unsigned long round = 0; round < rounds; ++round) {
    Bytes input = corpus[Below(random, corpus.size())];
    for (size_t changes = 1 + Below(random, 8); changes > 0; --changes) {
      input = Mutate(std::move(input), corpus[Below(random, corpus.size())], random);
    }
    Feed(input);
  }
  return 0;
}
