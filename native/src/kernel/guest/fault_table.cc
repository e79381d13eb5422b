// SPDX-License-Identifier: Apache-2.0
#include "kernel/guest/fault_table.h"

extern "C" {
extern const char junction_copy_move[], junction_copy_fault[], junction_copy_text_load[], junction_copy_text_fault[];
extern const char junction_load_32_at[], junction_store_32_at[], junction_compare_exchange_32_at[],
    junction_atomic_fault[];
}

namespace junction {
namespace {

struct FaultRow {
  const char* at;
  const char* resume;
};

constexpr FaultRow kFaultTable[] = {
    {junction_copy_move, junction_copy_fault},
    {junction_copy_text_load, junction_copy_text_fault},
    {junction_load_32_at, junction_atomic_fault},
    {junction_store_32_at, junction_atomic_fault},
    {junction_compare_exchange_32_at, junction_atomic_fault},
};

}  // namespace

uint64_t FindFaultResume(uint64_t rip) {
  for (const FaultRow& row : kFaultTable) {
    if (rip == reinterpret_cast<uint64_t>(row.at)) {
      return reinterpret_cast<uint64_t>(row.resume);
    }
  }
  return 0;
}

}  // namespace junction
