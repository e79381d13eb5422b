// SPDX-License-Identifier: Apache-2.0
#include "run/log_writer.h"

#include "base/test_files.h"

namespace junction {
namespace {

constexpr uint64_t kRoomy_bytes = 1024 * 1024;

std::string Line(std::string_view stream, std::string_view text) {
  return "{\"t\":5,\"s\":\"" + std::string(stream) + "\",\"m\":\"" + std::string(text) + "\"}\n";
}

TEST(LogWriter, WritesALineOfJsonPerLineOfOutput) {
  const TempDir dir;
  auto log = LogWriter::Open(dir.path(), kRoomy_bytes);
  ASSERT_TRUE(log.has_value());
  log->Append(OutputStream::kOut, "one\ntwo \"quoted\"\n", 5);
  log->Append(OutputStream::kErr, "bad\n", 5);
  log->Append(OutputStream::kOut, "\n", 5);
  EXPECT_EQ(Slurp(dir.File("log")),
            Line("out", "one") + Line("out", "two \\\"quoted\\\"") + Line("err", "bad") + Line("out", ""));
}

TEST(LogWriter, PutsPiecesOfALineTogetherPerStream) {
  const TempDir dir;
  auto log = LogWriter::Open(dir.path(), kRoomy_bytes);
  log->Append(OutputStream::kOut, "he", 5);
  log->Append(OutputStream::kErr, "other\n", 5);
  log->Append(OutputStream::kOut, "llo\nrest", 5);
  EXPECT_EQ(Slurp(dir.File("log")), Line("err", "other") + Line("out", "hello"));
  log->Flush(5);
  log->Flush(5);
  EXPECT_EQ(Slurp(dir.File("log")), Line("err", "other") + Line("out", "hello") + Line("out", "rest"));
}

TEST(LogWriter, CutsLinesThatAreTooLong) {
  const TempDir dir;
  auto log = LogWriter::Open(dir.path(), kRoomy_bytes);
  log->Append(OutputStream::kOut, std::string(kMaxLogLine_bytes + 3, 'x') + "\n", 5);
  EXPECT_EQ(Slurp(dir.File("log")), Line("out", std::string(kMaxLogLine_bytes, 'x')) + Line("out", "xxx"));
}

TEST(LogWriter, StaysWithinItsBoundAndKeepsTheNewest) {
  const TempDir dir;
  constexpr uint64_t kMax_bytes = 64 * 1024;
  auto log = LogWriter::Open(dir.path(), kMax_bytes);
  for (int i = 0; i < 20000; ++i) {
    log->Append(OutputStream::kOut, "line " + std::to_string(i) + "\n", 5);
  }
  const std::string now = Slurp(dir.File("log"));
  const std::string before = Slurp(dir.File("log.1"));
  EXPECT_LE(now.size(), kMax_bytes / 2);
  EXPECT_LE(before.size(), kMax_bytes / 2);
  EXPECT_GT(before.size(), kMax_bytes / 4);
  EXPECT_TRUE(now.ends_with(Line("out", "line 19999")));
  EXPECT_EQ(before.back(), '\n');
  EXPECT_EQ(before.substr(0, 7), "{\"t\":5,");
  EXPECT_EQ(log->lost_bytes(), 0);
}

TEST(LogWriter, StaysWithinItsBoundInOneBigPiece) {
  const TempDir dir;
  constexpr uint64_t kMax_bytes = 64 * 1024;
  auto log = LogWriter::Open(dir.path(), kMax_bytes);
  std::string flood;
  for (int i = 0; i < 100000; ++i) {
    flood += "\x01 flood\n";  // grows when it is escaped
  }
  log->Append(OutputStream::kErr, flood, 5);
  EXPECT_LE(Slurp(dir.File("log")).size(), kMax_bytes / 2);
  EXPECT_LE(Slurp(dir.File("log.1")).size(), kMax_bytes / 2);
}

TEST(LogWriter, GoesOnBehindAnEarlierStart) {
  const TempDir dir;
  LogWriter::Open(dir.path(), kRoomy_bytes)->Append(OutputStream::kOut, "first\n", 5);
  LogWriter::Open(dir.path(), kRoomy_bytes)->Append(OutputStream::kOut, "second\n", 5);
  EXPECT_EQ(Slurp(dir.File("log")), Line("out", "first") + Line("out", "second"));
}

TEST(LogWriter, NamesAFolderThatIsNotThere) {
  const auto log = LogWriter::Open("/nonexistent", kRoomy_bytes);
  ASSERT_FALSE(log.has_value());
  EXPECT_EQ(log.error().code, ENOENT);
}

TEST(LogWriter, CountsWhatTheDiskRefuses) {
  const TempDir dir;
  auto log = LogWriter::Open(dir.path(), 64 * 1024);
  std::filesystem::remove_all(dir.path());  // the next rotation finds no folder
  for (int i = 0; i < 5000; ++i) {
    log->Append(OutputStream::kOut, "0123456789\n", 5);
  }
  EXPECT_GT(log->lost_bytes(), 0);
}

}  // namespace
}  // namespace junction
