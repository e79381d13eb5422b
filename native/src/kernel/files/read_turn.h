// SPDX-License-Identifier: Apache-2.0
// The read budget: a program that is told of ready sockets by edges reads one until EAGAIN. If the peer is quick its next request is always
// there, and all others wait until the program happens to look elsewhere. So a turn ends, and who has had its turn goes behind the others:
//
//   its epoll reports it, or a read finds nothing --> Begin --> reads, answers … --> is_over --> the next read: EAGAIN, once, if others wait
//                                                                                                (events/epoll_turns.h) and a new edge
#pragma once

#include <cstdint>

namespace junction {

/// How far an open stream is in its turn. Kernel lock held. Zero: at its beginning.
struct ReadTurn {
  /// One exchange: a read after an answer asks for the next request. With two, every second request of a busy connection would be served at
  /// once and every other one after a round, and the median would say nothing about either.
  static constexpr uint16_t kMostAnswers = 1;
  /// Of a stream that is only read. So many that what belongs to one request is rarely cut: by 4 KiB (Go's bufio) 64 KiB.
  static constexpr uint16_t kMostReads = 16;

  uint16_t reads;    // that got bytes
  uint16_t answers;  // reads that were followed by a write
  bool has_read;     // since the last write
  bool is_owed;      // an epoll has reported it and nobody has read since (EpollItem::is_owed)

  bool is_over() const { return answers >= kMostAnswers || reads >= kMostReads; }
  void Begin() {
    reads = answers = 0;
    has_read = false;
  }
  void NoteRead() {
    ++reads;
    has_read = true;
  }
  void NoteWrite() {
    answers = static_cast<uint16_t>(answers + (has_read ? 1 : 0));
    has_read = false;
  }
};

}  // namespace junction
