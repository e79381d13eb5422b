// SPDX-License-Identifier: Apache-2.0
#include "net/block_pool.h"

#include <cstring>

namespace junction::net {

void BlockPool::Init(const Environment& environment, uint32_t limit_bytes) {
  environment_ = &environment;
  limit_steps_ = limit_bytes / kStep_bytes;
}

void BlockPool::Destroy() {
  Trim();
  if (steps_ != nullptr) {
    environment_->free(environment_->context, steps_, step_room_ * sizeof(Step));
  }
  steps_ = nullptr;
  step_room_ = 0;
}

Block* BlockPool::Allocate() {
  if (free_ == nullptr && !Grow()) {
    return nullptr;
  }
  Block* const block = free_;
  free_ = block->next;
  ++steps_[block->step].used;
  ++used_;
  block->next = nullptr;
  block->begin = block->end = 0;
  return block;
}

void BlockPool::Free(Block* block) {
  block->next = free_;
  free_ = block;
  --steps_[block->step].used;
  --used_;
}

void BlockPool::Trim() {
  Block* kept = nullptr;
  Block** last = &kept;
  for (Block* block = free_; block != nullptr; block = block->next) {
    if (steps_[block->step].used != 0) {
      *last = block;
      last = &block->next;
    }
  }
  *last = nullptr;
  free_ = kept;
  for (uint32_t i = 0; i < step_room_; ++i) {
    if (steps_[i].blocks != nullptr && steps_[i].used == 0) {
      environment_->free(environment_->context, steps_[i].blocks, kStep_bytes);
      steps_[i].blocks = nullptr;
      --held_steps_;
    }
  }
}

bool BlockPool::GrowTable() {
  const uint32_t room = step_room_ == 0 ? 8 : 2 * step_room_;
  auto* const table = static_cast<Step*>(environment_->allocate(environment_->context, room * sizeof(Step)));
  if (table == nullptr) {
    return false;
  }
  std::memset(table, 0, room * sizeof(Step));
  if (steps_ != nullptr) {
    std::memcpy(table, steps_, step_room_ * sizeof(Step));
    environment_->free(environment_->context, steps_, step_room_ * sizeof(Step));
  }
  steps_ = table;
  step_room_ = room;
  return true;
}

bool BlockPool::Grow() {
  if (held_steps_ >= limit_steps_ || (held_steps_ == step_room_ && !GrowTable())) {
    return false;
  }
  uint32_t index = 0;
  while (steps_[index].blocks != nullptr) {
    ++index;
  }
  auto* const blocks = static_cast<Block*>(environment_->allocate(environment_->context, kStep_bytes));
  if (blocks == nullptr) {
    return false;
  }
  steps_[index] = {blocks, 0};
  ++held_steps_;
  for (uint32_t i = kBlocksInStep; i-- > 0;) {
    blocks[i].step = index;
    blocks[i].next = free_;
    free_ = &blocks[i];
  }
  return true;
}

}  // namespace junction::net
