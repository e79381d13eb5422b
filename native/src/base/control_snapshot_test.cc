// SPDX-License-Identifier: Apache-2.0
#include "base/control_snapshot.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/control_block.h"
#include "base/unique_fd.h"

namespace junction {
namespace {

// A control block in a memory file, as an instance sees it.
class ControlSnapshotTest : public testing::Test {
 protected:
  ControlSnapshotTest() : fd_(memfd_create("control", MFD_CLOEXEC)) {
    EXPECT_EQ(ftruncate(fd_.get(), kControlBlockSize_bytes), 0);
    void* address = mmap(nullptr, kControlBlockSize_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
    EXPECT_NE(address, MAP_FAILED);
    block_ = static_cast<ControlBlock*>(address);
    block_->magic = kControlBlockMagic;
    block_->version = kControlBlockVersion;
  }
  ~ControlSnapshotTest() override { munmap(block_, kControlBlockSize_bytes); }

  UniqueFd fd_;
  ControlBlock* block_ = nullptr;
};

TEST_F(ControlSnapshotTest, CopiesWhatTheInstanceSays) {
  block_->core_limit = 3;
  block_->listen_seq = 7;
  block_->threads[0].host_tid = 1;
  block_->threads[0].guest_syscalls = 40;
  block_->threads[255].host_tid = 9;
  block_->threads[255].guest_syscalls = 2;
  block_->ports[1].host_port = 40123;
  block_->ports[1].protocol = IPPROTO_TCP;
  block_->ports[1].listening = 1;
  block_->ports[1].inode = 55;
  block_->ports[1].guest_port = 8080;
  const auto snapshot = ReadControlSnapshot(fd_.get());
  ASSERT_TRUE(snapshot.has_value()) << snapshot.error().message;
  EXPECT_EQ(snapshot->core_limit, 3);
  EXPECT_EQ(snapshot->listen_seq, 7);
  EXPECT_EQ(snapshot->threads, 2);
  EXPECT_EQ(snapshot->guest_syscalls, 42);
  ASSERT_EQ(snapshot->ports.size(), 1);
  EXPECT_EQ(snapshot->ports[0], (PortSnapshot{8080, 40123, IPPROTO_TCP, true, 55}));
}

TEST_F(ControlSnapshotTest, LeavesOutPortsThatMakeNoSense) {
  block_->ports[0].guest_port = 8080;  // no host port
  block_->ports[0].protocol = IPPROTO_TCP;
  block_->ports[1].guest_port = 8081;  // no protocol that we know
  block_->ports[1].host_port = 1;
  block_->ports[1].protocol = 255;
  EXPECT_TRUE(ReadControlSnapshot(fd_.get())->ports.empty());
}

TEST_F(ControlSnapshotTest, RefusesAShrunkFile) {
  ASSERT_EQ(ftruncate(fd_.get(), 100), 0);
  EXPECT_FALSE(ReadControlSnapshot(fd_.get()).has_value());
}

TEST_F(ControlSnapshotTest, RefusesAnotherVersionOrMagic) {
  block_->version = kControlBlockVersion + 1;
  EXPECT_FALSE(ReadControlSnapshot(fd_.get()).has_value());
  block_->version = kControlBlockVersion;
  block_->magic = 0;
  EXPECT_FALSE(ReadControlSnapshot(fd_.get()).has_value());
}

TEST(ControlSnapshot, NamesTheErrorOfABadDescriptor) {
  const auto snapshot = ReadControlSnapshot(-1);
  ASSERT_FALSE(snapshot.has_value());
  EXPECT_EQ(snapshot.error().code, EBADF);
}

}  // namespace
}  // namespace junction
