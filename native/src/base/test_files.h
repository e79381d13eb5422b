// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/read_file.h"
#include "base/unique_fd.h"

namespace junction {

/// A folder of a test's own, gone with it.
class TempDir {
 public:
  TempDir() {
    char name[] = "/tmp/junction-test-XXXXXX";
    EXPECT_NE(mkdtemp(name), nullptr);
    path_ = name;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string File(std::string_view name) const { return path_ + "/" + std::string(name); }

  /// Makes a file with its folders.
  std::string Write(std::string_view name, std::string_view content, mode_t mode = 0644) const {
    const std::string path = File(name);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    EXPECT_EQ(write(fd.get(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
    EXPECT_EQ(fchmod(fd.get(), mode), 0);
    return path;
  }

 private:
  std::string path_;
};

inline std::string Slurp(const std::string& path) { return ReadFile(path, 64 * 1024 * 1024).value_or(""); }

}  // namespace junction
