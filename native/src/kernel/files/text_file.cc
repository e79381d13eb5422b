// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "uthread/arena.h"

namespace junction {
namespace {

constexpr uint64_t kReadLimit_bytes = 65536;  // a read's share of the kernel lock; readers ask again

TextPiece* LastPiece(TextFile& file) {
  return file.pieces.empty() ? nullptr : JUNCTION_OWNER(file.pieces.head.previous, TextPiece, node);
}

}  // namespace

TextFile* NewTextFile(const FileOps& ops) {
  auto* const file = ArenaNew<TextFile>();
  if (file != nullptr) {
    InitFile(*file, ops, FileKind::kText, O_RDONLY);
  }
  return file;
}

void AppendText(TextFile& file, const char* text, size_t size_bytes) {
  while (size_bytes != 0 && !file.is_short) {
    TextPiece* piece = LastPiece(file);
    if (piece == nullptr || piece->size_bytes == TextPiece::kCapacity_bytes) {
      piece = ArenaNew<TextPiece>();
      if (piece == nullptr) {
        file.is_short = true;
        return;
      }
      file.pieces.PushBack(piece->node);
    }
    const uint32_t room = TextPiece::kCapacity_bytes - piece->size_bytes;
    const auto size = static_cast<uint32_t>(size_bytes < room ? size_bytes : room);
    memcpy(piece->text + piece->size_bytes, text, size);
    piece->size_bytes += size;
    file.size_bytes += size;
    text += size;
    size_bytes -= size;
  }
}

int64_t ReadTextFile(File& base, GuestBuffer& to, bool) {
  auto& file = static_cast<TextFile&>(base);
  const uint64_t before = to.done();
  uint64_t begins_at = 0;
  for (ListNode* node = file.pieces.first(); node != nullptr; node = file.pieces.Next(node)) {
    const TextPiece& piece = *JUNCTION_OWNER(node, TextPiece, node);
    const uint64_t ends_at = begins_at + piece.size_bytes;
    if (file.position >= begins_at && file.position < ends_at) {
      const uint64_t size = ends_at - file.position;
      const uint64_t wanted = size < to.size() ? size : to.size();
      const size_t copied = to.CopyOut(piece.text + (file.position - begins_at), wanted);
      file.position += copied;
      if (copied != size || to.done() - before >= kReadLimit_bytes) {
        break;
      }
    }
    begins_at = ends_at;
  }
  return to.done() == before && to.has_faulted() ? -EFAULT : static_cast<int64_t>(to.done() - before);
}

int64_t SeekText(uint64_t now_at, int64_t offset, int whence) {
  int64_t position = offset;
  if (whence == SEEK_CUR) {
    if (__builtin_add_overflow(offset, static_cast<int64_t>(now_at), &position)) {
      return -EINVAL;
    }
  } else if (whence != SEEK_SET) {
    return -EINVAL;  // as Linux: such a file has no end
  }
  return position < 0 ? -EINVAL : position;
}

int64_t SeekTextFile(File& base, int64_t offset, int whence) {
  auto& file = static_cast<TextFile&>(base);
  const int64_t position = SeekText(file.position, offset, whence);
  if (position >= 0) {
    file.position = static_cast<uint64_t>(position);
  }
  return position;
}

void StatTextFile(File& file, struct stat& out) {
  out.st_mode = S_IFREG | 0444;
  out.st_nlink = 1;
  out.st_ino = file.inode;
  out.st_blksize = 1024;
}

void ReleaseTextFile(File& base) {
  auto& file = static_cast<TextFile&>(base);
  while (ListNode* const node = file.pieces.PopFront()) {
    ArenaDelete(JUNCTION_OWNER(node, TextPiece, node));
  }
  ArenaDelete(&file);
}

}  // namespace junction
