// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/proc_path.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/process/uproc.h"
#include "uthread/text_buffer.h"

namespace junction {

ProcPath ReadProcPath(uint64_t path) {
  char text[kProcPathCapacity_bytes];
  return CopyTextFromGuest(text, path, sizeof(text)) > 0 ? ParseProcPath(text) : ProcPath{};
}

bool TranslateProcPath(uint64_t path, char (&out)[kProcPathCapacity_bytes + 16]) {
  const Instance& instance = TheInstance();
  char text[kProcPathCapacity_bytes];
  if (!instance.is_clone) {
    return false;
  }
  const int64_t length = CopyTextFromGuest(text, path, sizeof(text));
  TextBuffer<32> own;
  own.Add("/proc/").AddSigned(instance.init->pid).AddChar('/');
  if (length < static_cast<int64_t>(own.size()) || __builtin_memcmp(text, own.data(), own.size()) != 0) {
    return false;
  }
  TextBuffer<sizeof(out)> host;
  host.Add("/proc/").AddSigned(instance.init->group.host_pid).AddChar('/').Add(text + own.size()).AddChar('\0');
  __builtin_memcpy(out, host.data(), host.size());
  return true;
}

UProc* ProcessOf(const ProcPath& path) { return path.pid == 0 ? &CurrentProcess() : FindProcess(path.pid); }

File* VirtualFileOf(const ProcPath& path) {
  if (path.kind != ProcPath::Kind::kFd && path.kind != ProcPath::Kind::kStdio) {
    return nullptr;
  }
  const UProc* const process = ProcessOf(path);
  if (process == nullptr || process->files == nullptr || static_cast<uint32_t>(path.fd) >= process->files->capacity) {
    return nullptr;
  }
  File* const file = process->files->entries[path.fd].file;
  return file != nullptr && file->is_virtual() ? file : nullptr;
}

size_t DescribeFile(const File& file, char* to, size_t capacity_bytes) {
  TextBuffer<48> text;
  switch (file.kind) {
    case FileKind::kPipe:
      text.Add("pipe:[").AddUnsigned(file.inode).AddChar(']');
      break;
    case FileKind::kUnixSocket:
    case FileKind::kNetSocket:
    case FileKind::kNetlinkSocket:
      text.Add("socket:[").AddUnsigned(file.inode).AddChar(']');
      break;
    case FileKind::kEpoll:
      text.Add("anon_inode:[eventpoll]");
      break;
    case FileKind::kText:
      text.Add("/proc/").AddSigned(CurrentProcess().pid).AddChar('/').Add(file.ops->name);
      break;
    default:
      text.Add("anon_inode:[").Add(file.ops->name).AddChar(']');
  }
  const size_t size = text.size() < capacity_bytes ? text.size() : capacity_bytes;
  memcpy(to, text.data(), size);
  return size;
}

}  // namespace junction
