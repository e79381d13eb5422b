// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace junction {

/// A member of an intrusive doubly linked ring. A node that is in no list points to nothing. Whoever
/// owns the list serialises.
struct ListNode {
  ListNode* next = nullptr;
  ListNode* previous = nullptr;

  bool is_linked() const { return next != nullptr; }
  void Unlink() {
    if (next != nullptr) {
      next->previous = previous;
      previous->next = next;
      next = previous = nullptr;
    }
  }
};

/// Head of an intrusive ring. Zero memory is an empty list.
struct List {
  ListNode head;

  bool empty() const { return head.next == nullptr || head.next == &head; }
  ListNode* first() const { return empty() ? nullptr : head.next; }
  void PushBack(ListNode& node) {
    Prepare();
    node.previous = head.previous;
    node.next = &head;
    head.previous->next = &node;
    head.previous = &node;
  }
  void PushFront(ListNode& node) {
    Prepare();
    node.next = head.next;
    node.previous = &head;
    head.next->previous = &node;
    head.next = &node;
  }
  ListNode* PopFront() {
    ListNode* const node = first();
    if (node != nullptr) {
      node->Unlink();
    }
    return node;
  }
  /// The node behind `node`, null at the end.
  ListNode* Next(const ListNode* node) const { return node->next == &head ? nullptr : node->next; }

 private:
  void Prepare() {
    if (head.next == nullptr) {
      head.next = head.previous = &head;
    }
  }
};

}  // namespace junction

/// The object that holds a node: JUNCTION_OWNER(node, Uthread, run_node).
#define JUNCTION_OWNER(node, Type, member) \
  (reinterpret_cast<Type*>(reinterpret_cast<char*>(node) - __builtin_offsetof(Type, member)))
