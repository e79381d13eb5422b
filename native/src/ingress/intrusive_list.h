// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/check.h"

namespace junction::ingress {

/// A place in one IntrusiveList; a struct derives from it once per list it can be in, told apart by `Tag`.
template <typename Tag>
struct ListNode {
  ListNode* previous = nullptr;
  ListNode* next = nullptr;

  bool linked() const { return next != nullptr; }
  void Unlink() {
    if (linked()) {
      previous->next = next;
      next->previous = previous;
      previous = nullptr;
      next = nullptr;
    }
  }
};

/// A doubly linked list of objects that it does not own. One owner thread.
template <typename T, typename Tag>
class IntrusiveList {
 public:
  IntrusiveList() { root_.previous = root_.next = &root_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  bool empty() const { return root_.next == &root_; }

  void PushFront(T& item) { Link(item, root_.next); }
  void PushBack(T& item) { Link(item, &root_); }

  /// Null when empty.
  T* Front() { return empty() ? nullptr : static_cast<T*>(root_.next); }

  /// The item behind `item`, null at the end.
  T* Next(T& item) {
    ListNode<Tag>& node = item;
    return node.next == &root_ ? nullptr : static_cast<T*>(node.next);
  }

  T* PopFront() {
    T* const item = Front();
    if (item != nullptr) {
      static_cast<ListNode<Tag>*>(item)->Unlink();
    }
    return item;
  }

  /// Takes all items of `other` over, behind its own.
  void Append(IntrusiveList& other) {
    while (T* const item = other.PopFront()) {
      PushBack(*item);
    }
  }

 private:
  void Link(T& item, ListNode<Tag>* before) {
    ListNode<Tag>& node = item;
    JUNCTION_CHECK(!node.linked());
    node.previous = before->previous;
    node.next = before;
    before->previous->next = &node;
    before->previous = &node;
  }

  ListNode<Tag> root_;
};

}  // namespace junction::ingress
