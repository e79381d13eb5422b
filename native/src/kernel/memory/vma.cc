// SPDX-License-Identifier: Apache-2.0
#include "kernel/memory/vma.h"

#include "kernel/memory/mapped_object.h"
#include "uthread/arena.h"
#include "uthread/panic.h"

namespace junction {
namespace {

// Only spreads priorities; any sequence that does not repeat soon will do.
uint32_t NextPriority() {
  static constinit uint32_t state = 0x9e3779b9;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

Vma* TakeSpare(AddressSpace& space) {
  Vma* const vma = space.spare_vmas;
  KERNEL_CHECK(vma != nullptr);
  space.spare_vmas = vma->right;
  --space.spare_count;
  return vma;
}

void GiveBack(AddressSpace& space, Vma* vma) {
  if (space.spare_count >= 2 * kSpareVmas) {
    ArenaFree(vma, sizeof(Vma));
    return;
  }
  vma->right = space.spare_vmas;
  space.spare_vmas = vma;
  ++space.spare_count;
}

// Splits a tree: what starts below `address` goes to `low`, the rest to `high`.
void SplitTree(Vma* tree, uint64_t address, Vma** low, Vma** high) {
  while (tree != nullptr) {
    if (tree->start < address) {
      *low = tree;
      low = &tree->right;
      tree = tree->right;
    } else {
      *high = tree;
      high = &tree->left;
      tree = tree->left;
    }
  }
  *low = nullptr;
  *high = nullptr;
}

// Joins two trees, all of `low` below all of `high`.
Vma* JoinTrees(Vma* low, Vma* high) {
  Vma* root = nullptr;
  Vma** link = &root;
  while (low != nullptr && high != nullptr) {
    if (low->priority > high->priority) {
      *link = low;
      link = &low->right;
      low = low->right;
    } else {
      *link = high;
      link = &high->left;
      high = high->left;
    }
  }
  *link = low != nullptr ? low : high;
  return root;
}

void Link(AddressSpace& space, Vma* vma) {
  vma->priority = NextPriority();
  Vma** link = &space.root;
  while (*link != nullptr && (*link)->priority >= vma->priority) {
    link = (*link)->start < vma->start ? &(*link)->right : &(*link)->left;
  }
  Vma* const below = *link;
  *link = vma;
  SplitTree(below, vma->start, &vma->left, &vma->right);
}

void Unlink(AddressSpace& space, Vma* vma) {
  Vma** link = &space.root;
  while (*link != vma) {
    link = (*link)->start < vma->start ? &(*link)->right : &(*link)->left;
  }
  *link = JoinTrees(vma->left, vma->right);
}

void Erase(AddressSpace& space, Vma* vma) {
  Unlink(space, vma);
  UnreferenceObject(vma->object);
  GiveBack(space, vma);
}

uint64_t OffsetAt(const Vma& vma, uint64_t address) {
  return vma.object == nullptr ? 0 : vma.offset + (address - vma.start);
}

// Moves a start up; the order of the tree stays.
void MoveStart(Vma& vma, uint64_t start) {
  vma.offset = OffsetAt(vma, start);
  vma.start = start;
}

// Makes `address` a border between mappings.
void SplitAt(AddressSpace& space, uint64_t address) {
  Vma* const vma = FindVma(space, address);
  if (vma == nullptr || vma->start == address) {
    return;
  }
  Vma* const upper = TakeSpare(space);
  *upper = *vma;
  MoveStart(*upper, address);
  if (upper->object != nullptr) {
    ++upper->object->references;
  }
  vma->end = address;
  Link(space, upper);
}

bool Continues(const Vma& low, const Vma& high) {
  return low.end == high.start && low.flags == high.flags && low.object == high.object &&
         (low.object == nullptr || low.object->device == kNamedMemory || OffsetAt(low, high.start) == high.offset);
}

// Makes one of neighbours in and around [low, high).
void MergeVmas(AddressSpace& space, uint64_t low, uint64_t high) {
  Vma* vma = FindVmaFrom(space, low == 0 ? 0 : low - 1);
  while (vma != nullptr && vma->start < high) {
    Vma* const next = FindVmaFrom(space, vma->end);
    if (next == nullptr || next->start > high) {
      return;
    }
    if (Continues(*vma, *next)) {
      const uint64_t end = next->end;
      Erase(space, next);
      vma->end = end;
    } else {
      vma = next;
    }
  }
}

// Depth: left turns only, of which a random tree has about 1.4 log2(n) in a row at most.
bool CopyTree(Vma** to, const Vma* from) {
  while (from != nullptr) {
    auto* const copy = static_cast<Vma*>(ArenaAllocate(sizeof(Vma)));
    if (copy == nullptr) {
      return false;
    }
    *copy = *from;
    copy->left = copy->right = nullptr;
    if (copy->object != nullptr) {
      ++copy->object->references;
    }
    *to = copy;
    if (!CopyTree(&copy->left, from->left)) {
      return false;
    }
    to = &copy->right;
    from = from->right;
  }
  return true;
}

}  // namespace

bool SetSpareVmasAside(AddressSpace& space) {
  while (space.spare_count < kSpareVmas) {
    auto* const vma = static_cast<Vma*>(ArenaAllocate(sizeof(Vma)));
    if (vma == nullptr) {
      return false;
    }
    GiveBack(space, vma);
  }
  return true;
}

Vma* FindVmaFrom(const AddressSpace& space, uint64_t address) {
  Vma* found = nullptr;
  for (Vma* vma = space.root; vma != nullptr;) {
    if (vma->end > address) {
      found = vma;
      vma = vma->left;
    } else {
      vma = vma->right;
    }
  }
  return found;
}

void InsertVma(AddressSpace& space, const Vma& mapping) {
  RemoveVmas(space, mapping.start, mapping.end);
  space.size_bytes += mapping.size_bytes();
  Vma* const below = mapping.start == 0 ? nullptr : FindVma(space, mapping.start - 1);
  if (below != nullptr && Continues(*below, mapping)) {
    below->end = mapping.end;
    UnreferenceObject(mapping.object);
  } else {
    Vma* const vma = TakeSpare(space);
    *vma = mapping;
    Link(space, vma);
  }
  MergeVmas(space, mapping.end - 1, mapping.end);
}

void RemoveVmas(AddressSpace& space, uint64_t low, uint64_t high) {
  for (Vma* vma = FindVmaFrom(space, low); vma != nullptr && vma->start < high; vma = FindVmaFrom(space, low)) {
    if (vma->start < low && vma->end > high) {
      SplitAt(space, high);
    }
    if (vma->start < low) {
      space.size_bytes -= vma->end - low;
      vma->end = low;
    } else if (vma->end > high) {
      space.size_bytes -= high - vma->start;
      MoveStart(*vma, high);
    } else {
      space.size_bytes -= vma->size_bytes();
      Erase(space, vma);
    }
  }
}

bool ChangeVmaFlags(AddressSpace& space, uint64_t low, uint64_t high, uint32_t clear, uint32_t set) {
  SplitAt(space, low);
  SplitAt(space, high);
  uint64_t reached = low;
  for (Vma* vma = FindVmaFrom(space, low); vma != nullptr && vma->start == reached && reached < high;
       vma = FindVmaFrom(space, reached)) {
    vma->flags = (vma->flags & ~clear) | set;
    reached = vma->end;
  }
  MergeVmas(space, low, high);
  return reached >= high;
}

uint64_t MappedBytes(const AddressSpace& space, uint64_t low, uint64_t high) {
  uint64_t sum = 0;
  for (const Vma* vma = FindVmaFrom(space, low); vma != nullptr && vma->start < high;
       vma = FindVmaFrom(space, vma->end)) {
    sum += (vma->end < high ? vma->end : high) - (vma->start > low ? vma->start : low);
  }
  return sum;
}

bool CopyVmas(AddressSpace& to, const AddressSpace& from) {
  to.size_bytes = from.size_bytes;
  return CopyTree(&to.root, from.root);
}

void FreeVmas(AddressSpace& space) {
  while (space.root != nullptr) {
    Vma* const vma = space.root;
    space.root = JoinTrees(vma->left, vma->right);
    UnreferenceObject(vma->object);
    ArenaFree(vma, sizeof(Vma));
  }
  while (space.spare_vmas != nullptr) {
    ArenaFree(TakeSpare(space), sizeof(Vma));
  }
}

}  // namespace junction
