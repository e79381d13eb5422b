// SPDX-License-Identifier: Apache-2.0
// A dynamic C++ program: threads, exceptions (also across threads), locks, streams, files.
#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

void PassTheBall() {
  std::mutex lock;
  std::condition_variable changed;
  int turn = 0;
  std::vector<std::thread> threads;
  for (int id = 0; id < 4; ++id) {
    threads.emplace_back([&, id] {
      for (int round = 0; round < 500; ++round) {
        std::unique_lock guard(lock);
        changed.wait(guard, [&] { return turn % 4 == id; });
        ++turn;
        changed.notify_all();
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  std::cout << "turns " << turn << '\n';
}

void Throw() {
  auto future = std::async(std::launch::async, []() -> int { throw std::runtime_error("from another thread"); });
  try {
    future.get();
  } catch (const std::exception& error) {
    std::cout << "caught " << error.what() << '\n';
  }
}

void UseFiles(const std::string& folder) {
  const std::string path = folder + "/cpp-file";
  {
    std::ofstream file(path);
    for (int i = 0; i < 10000; ++i) {
      file << i << '\n';
    }
  }
  std::ifstream file(path);
  long sum = 0;
  for (int value = 0; file >> value;) {
    sum += value;
  }
  std::cout << "sum " << sum << " size " << std::filesystem::file_size(path) << '\n';
  std::filesystem::remove(path);
  std::cout << "exists " << std::filesystem::exists(path) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    return 2;
  }
  PassTheBall();
  Throw();
  UseFiles(argv[1]);
  std::cerr << "to standard error\n";
  return 4;
}
