// SPDX-License-Identifier: Apache-2.0
// The links of one thread of the host and the TCP/IP stack above them. Hot path: no allocation, and no host call but the ring of an
// instance that sleeps.
//
// A link is active (polled; the instance does not ring) while requests are in flight over it, else it is armed: its doorbell word says
// kInPoller for good, and the instance's next frame makes `event_fd` readable. So idle links cost nothing, however many there are. Before
// the owner sleeps it arms the active ones, too:
//
//   Poll … Flush                              each turn
//   PrepareToSleep -> sleep -> StayAwake      when there is nothing to do; false: frames have come, do not sleep
//   OnEvent, OnLease                          when the descriptors of a link are readable
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.h"
#include "link/link.h"
#include "net/stack.h"
#include "nic/rss.h"

namespace junction::link {

/// How a stack reaches whoever sleeps for its links. Called from within its methods; may call none of them but Remove later on.
class LinkOwner {
 public:
  virtual ~LinkOwner() = default;
  /// Listen to link.event_fd() (level-triggered), or not for the time being: it rings in vain.
  virtual void Watch(Link& link) = 0;
  virtual void Unwatch(Link& link) = 0;
  /// The link is no more (see is_lost). Call Remove, but not from here.
  virtual void OnLost(Link& link, const char* why) = 0;
  /// An instance that slept was woken for frames in this queue pair.
  virtual void OnRang(Link&, uint32_t) {}
};

class LinkStack {
 public:
  /// Null if memory is short.
  static std::unique_ptr<LinkStack> Make(LinkOwner& owner);
  LinkStack(const LinkStack&) = delete;
  LinkStack& operator=(const LinkStack&) = delete;
  /// Resets all connections. All sockets of the stack must have been closed before.
  ~LinkStack();

  /// Takes a leased port into use and calls Watch for it. Error: ENOMEM, ENOSPC.
  Result<Link*> Add(NicAttachment attachment, uint64_t now_ns);
  /// Resets its connections and gives the port back.
  void Remove(Link& link, uint64_t now_ns);

  /// Begins a connection with TCP_NODELAY. Null with `error` = an errno.
  net::TcpSocket* Connect(Link& link, uint16_t port, int& error, uint64_t now_ns);
  /// One more request is in flight over the link, or one less: it is polled in between.
  void Use(Link& link);
  void Unuse(Link& link) { --link.users_; }

  /// Something was done with a socket: there may be something to flush.
  void Touch() { needs_flush_ = true; }

  /// A look at the active links: may Poll find something?
  bool HasFrames() const;
  /// True if an instance that a request is in flight to says that it runs on this thread's CPU: polling would keep it from answering. A hint,
  /// and no more than that from a hostile one: its peer sleeps where it could have polled.
  bool SharesCpu() const;
  /// Takes frames in, at most kBudget a link so that others have their turn, and runs what timers are due. How many frames.
  uint32_t Poll(uint64_t now_ns);
  /// Sends what there is to send and wakes instances that sleep.
  void Flush(uint64_t now_ns) {
    if (needs_flush_) {
      needs_flush_ = false;
      net::Flush(*stack_, now_ns);
    }
  }

  bool PrepareToSleep(uint64_t now_ns);
  void StayAwake();
  /// When Poll has something to do though nobody rings; kNever if at no time.
  uint64_t NextDeadline_ns() const;

  /// link.event_fd() was readable: Poll looks at it.
  void OnEvent(Link& link, uint64_t now_ns);
  /// link.lease_fd() was readable: its instance is gone, or says something, which is no better.
  void OnLease(Link& link, uint64_t now_ns);

  net::Stack& stack() { return *stack_; }
  const LinkCounters& counters() const { return counters_; }
  size_t size() const { return links_.size(); }

 private:
  friend class Link;

  // Frames of one link in one Poll. A ring holds 256.
  static constexpr uint32_t kBudget = 64;

  explicit LinkStack(LinkOwner& owner) : owner_(owner) {}

  void Activate(Link& link);
  uint32_t PollLink(Link& link, uint64_t now_ns);
  /// Arms a link that nobody uses and that has no frames; it stays active if some have come by then.
  void TryRest(Link& link);
  void CountVain(Link& link, uint64_t now_ns);
  /// Of what an idle link may bring without being muted.
  void SpendIdle(Link& link, uint32_t cost, uint64_t now_ns);
  bool HasMisbehaved(const Link& link, uint64_t now_ns) const;
  void Mute(Link& link, uint64_t now_ns);
  void Unmute(Link& link);
  void Lose(Link& link, const char* why, uint64_t now_ns);
  Result<void> Configure(Link& link);

  LinkOwner& owner_;
  net::Stack* stack_ = nullptr;
  std::vector<std::unique_ptr<Link>> links_;
  List active_;
  List muted_;
  uint64_t next_unmute_ns_ = UINT64_MAX;
  uint64_t retry_ns_ = UINT64_MAX;  // when to look again whether full rings have room
  uint64_t retry_gap_ns_ = 0;
  bool needs_flush_ = false;
  LinkCounters counters_;
  RssKey rss_key_;
};

}  // namespace junction::link
