// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/file.h"

#include "kernel/process/uproc.h"

namespace junction {

void InitFile(File& file, const FileOps& ops, FileKind kind, uint32_t status_flags) {
  file.ops = &ops;
  file.kind = kind;
  file.references = 1;
  file.status_flags = status_flags;
  file.inode = ++TheInstance().next_inode;
  file.receive_timeout_ns = kNever;
  file.send_timeout_ns = kNever;
}

void Unreference(File& file) {
  if (--file.references != 0) {
    return;
  }
  if (!file.epoll_items.empty()) {
    ReleaseEpollItems(file);
  }
  file.ops->release(file);
}

}  // namespace junction
