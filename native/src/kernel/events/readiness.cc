// SPDX-License-Identifier: Apache-2.0
#include "kernel/events/readiness.h"

#include "kernel/events/host_poller.h"

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
