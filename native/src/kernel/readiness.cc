// SPDX-License-Identifier: Apache-2.0
#include "kernel/readiness.h"

#include "kernel/host_poller.h"

namespace junction {

PollEvents PollFile(File& file, int32_t fd) {
  if (file.kind == FileKind::kHostFile) {
    return kAlwaysReady;
  }
  if (file.kind == FileKind::kHostStream) {
    return RefreshHostReady(file, fd);
  }
  return file.ops->poll == nullptr ? kAlwaysReady : file.ops->poll(file);
}

}  // namespace junction
