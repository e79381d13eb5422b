// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the ELF and `#!` parsers: whatever comes in, what they accept keeps its promises.
#include <cstdint>

#include "base/check.h"
#include "loader/elf_image.h"
#include "loader/script_line.h"

using namespace junction;

namespace {

void CheckImage(const ElfImage& image, uint64_t file_bytes) {
  JUNCTION_CHECK(image.segment_count >= 1 && image.segment_count <= kMaxLoadSegments);
  JUNCTION_CHECK(image.low < image.high && image.high <= kUserAddressEnd &&
                 image.high - image.low <= kMaxImageSpan_bytes);
  uint64_t end = image.low;
  for (size_t i = 0; i < image.segment_count; ++i) {
    const ElfSegment& segment = image.segments[i];
    JUNCTION_CHECK(segment.file_bytes <= segment.memory_bytes && segment.file_offset <= file_bytes);
    JUNCTION_CHECK(segment.file_bytes <= file_bytes - segment.file_offset);
    JUNCTION_CHECK(segment.address >= end && segment.address + segment.memory_bytes <= image.high);
    end = segment.address + segment.memory_bytes;
  }
  JUNCTION_CHECK(image.interpreter_offset + image.interpreter_bytes <= file_bytes);
  JUNCTION_CHECK(image.unwind_bytes == 0 || image.unwind_offset + image.unwind_bytes <= file_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> file(data, size);
  ElfHeaderTable table;
  ElfImage image;
  if (ParseElfHeader(file, size, table) == 0 &&
      ParseElfImage(file, file.subspan(table.offset, table.size_bytes), size, image) == 0) {
    CheckImage(image, size);
  }
  ScriptLine line;
  if (ParseScriptLine({reinterpret_cast<const char*>(data), size}, line) == ScriptLineResult::kScript) {
    JUNCTION_CHECK(!line.interpreter.empty() && line.interpreter.size() + line.argument.size() < kScriptHead_bytes);
  }
  return 0;
}
