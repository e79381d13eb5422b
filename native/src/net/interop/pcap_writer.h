// SPDX-License-Identifier: Apache-2.0
// Read first: the "libpcap file format" (classic, nanoseconds), as tshark and tcpdump read it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "nic/frame.h"

namespace junction::net {

/// Writes Ethernet frames down; a blank checksum is filled in, as the wire would see it.
class PcapWriter {
 public:
  PcapWriter() = default;
  PcapWriter(const PcapWriter&) = delete;
  PcapWriter& operator=(const PcapWriter&) = delete;
  ~PcapWriter();

  bool Open(const std::string& path);
  /// Nothing beyond `most_frames` is written, so that bulk does not fill the disk.
  void Write(const uint8_t* data, uint32_t length_bytes, const FrameMeta& meta, uint64_t now_ns);
  /// False if anything could not be written.
  bool Close();

  uint32_t frames = 0;
  uint32_t most_frames = 20000;

 private:
  std::FILE* file_ = nullptr;
  bool is_good_ = true;
};

}  // namespace junction::net
