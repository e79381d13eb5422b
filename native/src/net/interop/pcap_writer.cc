// SPDX-License-Identifier: Apache-2.0
#include "net/interop/pcap_writer.h"

#include <cstring>
#include <vector>

#include "net/checksum.h"

namespace junction::net {

PcapWriter::~PcapWriter() { Close(); }

bool PcapWriter::Open(const std::string& path) {
  file_ = std::fopen(path.c_str(), "wbe");
  if (file_ == nullptr) {
    return false;
  }
  // magic (nanoseconds), version 2.4, zone, accuracy, longest frame, LINKTYPE_ETHERNET
  const uint32_t header[6] = {0xa1b23c4d, 2 | 4U << 16, 0, 0, 262144, 1};
  is_good_ = std::fwrite(header, sizeof header, 1, file_) == 1;
  return is_good_;
}

void PcapWriter::Write(const uint8_t* data, uint32_t length_bytes, const FrameMeta& meta, uint64_t now_ns) {
  if (file_ == nullptr || frames >= most_frames) {
    return;
  }
  ++frames;
  std::vector<uint8_t> copy(data, data + length_bytes);
  const uint32_t start = meta.checksum_start;
  if ((meta.flags & kFrameChecksumBlank) != 0 && start + meta.checksum_offset + 2U <= length_bytes) {
    const auto sum = static_cast<uint16_t>(~FoldSum(SumBytes(copy.data() + start, length_bytes - start, 0)));
    std::memcpy(copy.data() + start + meta.checksum_offset, &sum, 2);
  }
  const uint32_t header[4] = {static_cast<uint32_t>(now_ns / 1'000'000'000),
                              static_cast<uint32_t>(now_ns % 1'000'000'000), length_bytes, length_bytes};
  is_good_ = is_good_ && std::fwrite(header, sizeof header, 1, file_) == 1 &&
             std::fwrite(copy.data(), length_bytes, 1, file_) == 1;
}

bool PcapWriter::Close() {
  if (file_ != nullptr) {
    is_good_ = std::fclose(file_) == 0 && is_good_;
    file_ = nullptr;
  }
  return is_good_;
}

}  // namespace junction::net
