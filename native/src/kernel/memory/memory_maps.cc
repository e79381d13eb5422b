// SPDX-License-Identifier: Apache-2.0
// Read first: proc_pid_maps(5).
#include "kernel/memory/memory_maps.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "kernel/files/text_file.h"
#include "kernel/memory/vma.h"
#include "kernel/process/uproc.h"
#include "uthread/arena.h"
#include "uthread/text_buffer.h"

namespace junction {
namespace {

constexpr size_t kNameColumn = 73;            // where Linux begins the name
constexpr uint64_t kReadLimit_bytes = 16384;  // a read's share of the kernel lock; readers ask again

struct MapsFile : File {
  AddressSpace* space;    // a reference
  uint64_t next_address;  // of the line that comes next
  uint64_t line_done;     // bytes of it that were read
  uint64_t position;
};

struct Line {
  TextBuffer<kNameColumn + 24> head;  // up to the name
  const char* name = "";
  size_t name_size_bytes = 0;

  size_t size_bytes() const { return head.size() + name_size_bytes + 1; }
};

void AddPadded(Line& line, uint64_t value, unsigned base, size_t digits) {
  for (uint64_t rest = base; --digits > 0; rest *= base) {
    if (value < rest) {
      for (; digits > 0; --digits) {
        line.head.AddChar('0');
      }
      break;
    }
  }
  line.head.AddUnsigned(value, base);
}

bool IsBreak(const AddressSpace& space, const Vma& vma) {
  return vma.object == nullptr && vma.start < space.brk_now && vma.end > space.brk_start;
}

void NameLine(Line& line, const AddressSpace& space, const Vma& vma) {
  if (IsBreak(space, vma)) {
    line.name = "[heap]";
    line.name_size_bytes = 6;
  } else if (vma.object != nullptr && vma.object->name_size_bytes != 0) {
    line.name = vma.object->name();
    line.name_size_bytes = vma.object->name_size_bytes;
  } else {
    return;
  }
  while (line.head.size() < kNameColumn) {
    line.head.AddChar(' ');
  }
}

void MakeLine(Line& line, const AddressSpace& space, const Vma& vma) {
  AddPadded(line, vma.start, 16, 8);
  line.head.AddChar('-');
  AddPadded(line, vma.end, 16, 8);
  line.head.AddChar(' ');
  line.head.AddChar((vma.flags & kVmaRead) != 0 ? 'r' : '-').AddChar((vma.flags & kVmaWrite) != 0 ? 'w' : '-');
  line.head.AddChar((vma.flags & kVmaExec) != 0 ? 'x' : '-').AddChar((vma.flags & kVmaShared) != 0 ? 's' : 'p');
  line.head.AddChar(' ');
  const MappedObject* const object = vma.object;
  const bool has_device = object != nullptr && object->device < kSystemVObject;
  AddPadded(line, object == nullptr || object->device == kNamedMemory ? 0 : vma.offset, 16, 8);
  line.head.AddChar(' ');
  AddPadded(line, has_device ? major(object->device) : 0, 16, 2);
  line.head.AddChar(':');
  AddPadded(line, has_device ? minor(object->device) : 0, 16, 2);
  line.head.AddChar(' ').AddUnsigned(object == nullptr ? 0 : object->inode).AddChar(' ');
  NameLine(line, space, vma);
}

// Copies what is left of a line; false if the reader is full or faulted.
bool CopyLine(MapsFile& file, const Line& line, GuestBuffer& to) {
  const auto copy = [&](const char* text, size_t size, size_t begins_at) {
    if (file.line_done >= begins_at + size) {
      return true;
    }
    const size_t skip = file.line_done - begins_at;
    const size_t copied = to.CopyOut(text + skip, size - skip);
    file.line_done += copied;
    file.position += copied;
    return copied == size - skip;
  };
  return copy(line.head.data(), line.head.size(), 0) && copy(line.name, line.name_size_bytes, line.head.size()) &&
         copy("\n", 1, line.head.size() + line.name_size_bytes);
}

int64_t ReadMaps(File& base, GuestBuffer& to, bool) {
  auto& file = static_cast<MapsFile&>(base);
  const uint64_t before = to.done();
  while (to.size() != 0 && to.done() - before < kReadLimit_bytes) {
    const Vma* const vma = FindVmaFrom(*file.space, file.next_address);
    if (vma == nullptr) {
      break;
    }
    Line line;
    MakeLine(line, *file.space, *vma);
    if (!CopyLine(file, line, to)) {
      break;
    }
    file.next_address = vma->end;
    file.line_done = 0;
  }
  return to.done() == before && to.has_faulted() ? -EFAULT : static_cast<int64_t>(to.done() - before);
}

// Goes over the lines up to a position: rare, and bounded by the text.
void MoveTo(MapsFile& file, uint64_t position) {
  file.next_address = file.line_done = 0;
  file.position = position;
  for (const Vma* vma = FindVmaFrom(*file.space, 0); vma != nullptr;
       vma = FindVmaFrom(*file.space, file.next_address)) {
    Line line;
    MakeLine(line, *file.space, *vma);
    if (position < line.size_bytes()) {
      file.line_done = position;
      return;
    }
    position -= line.size_bytes();
    file.next_address = vma->end;
  }
}

int64_t SeekMaps(File& base, int64_t offset, int whence) {
  auto& file = static_cast<MapsFile&>(base);
  const int64_t position = SeekText(file.position, offset, whence);
  if (position >= 0) {
    MoveTo(file, static_cast<uint64_t>(position));
  }
  return position;
}

void StatMaps(File& file, struct stat& out) {
  out.st_mode = S_IFREG | 0444;
  out.st_nlink = 1;
  out.st_ino = file.inode;
  out.st_blksize = 1024;
}

void ReleaseMaps(File& base) {
  auto& file = static_cast<MapsFile&>(base);
  UnreferenceAddressSpace(*file.space);
  ArenaDelete(&file);
}

constexpr FileOps kMapsOps = {
    .name = "maps",
    .read = ReadMaps,
    .write = nullptr,
    .poll = nullptr,
    .ioctl = nullptr,
    .stat = StatMaps,
    .release = ReleaseMaps,
    .flush = nullptr,
    .seek = SeekMaps,
};

}  // namespace

File* NewMapsFile() {
  auto* const file = ArenaNew<MapsFile>();
  if (file == nullptr) {
    return nullptr;
  }
  InitFile(*file, kMapsOps, FileKind::kText, O_RDONLY);
  file->space = CurrentProcess().memory;
  ++file->space->references;
  return file;
}

}  // namespace junction
