// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/port_table.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>

#include "uthread/host_call.h"
#include "uthread/uthread.h"

namespace junction {
namespace {

constexpr uint64_t kTcpListen = 0x0a;  // TCP_LISTEN in /proc/net/tcp
constexpr int kLocalColumn = 1;
constexpr int kStateColumn = 3;
constexpr int kInodeColumn = 9;

bool IsV6(BoundTo to) { return to != BoundTo::kAny4 && to != BoundTo::kLoopback4; }

BoundTo BoundToOf(const ControlPort& entry) {
  return static_cast<BoundTo>(entry.bound_to.load(std::memory_order_relaxed));
}

// Reads the columns of /proc/net/tcp a character at a time.
class SocketLineReader {
 public:
  struct Line {
    uint64_t port = 0;
    uint64_t state = 0;
    uint64_t inode = 0;
  };

  // True when `c` ended a line; line() is it then.
  bool Take(char c) {
    if (c == '\n') {
      line_ = current_;
      current_ = Line{};
      column_ = -1;
      was_blank_ = true;
      return true;
    }
    if (c == ' ') {
      was_blank_ = true;
      return false;
    }
    if (was_blank_) {
      ++column_;
      was_blank_ = false;
    }
    if (column_ == kLocalColumn) {
      current_.port = c == ':' ? 0 : (current_.port << 4 | Digit(c));  // what is after the colon stays
      current_.port &= 0xffff;
    } else if (column_ == kStateColumn) {
      current_.state = current_.state << 4 | Digit(c);
    } else if (column_ == kInodeColumn) {
      current_.inode = current_.inode * 10 + Digit(c);
    }
    return false;
  }
  const Line& line() const { return line_; }

 private:
  static uint64_t Digit(char c) { return static_cast<uint64_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10) & 15; }
  Line current_;
  Line line_;
  int column_ = -1;
  bool was_blank_ = true;
};

bool FileHasListener(const char* path, uint16_t host_port, uint64_t inode) {
  const int64_t fd = HostCall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (IsHostError(fd)) {
    return false;
  }
  SocketLineReader reader;
  char chunk[2048];
  bool is_found = false;
  for (int64_t size = 0; !is_found && (size = HostCall(SYS_read, fd, chunk, sizeof(chunk))) > 0;) {
    for (int64_t i = 0; i < size; ++i) {
      if (reader.Take(chunk[i])) {
        const auto& line = reader.line();
        is_found =
            is_found || (line.state == kTcpListen && line.port == host_port && (inode == 0 || line.inode == inode));
      }
    }
  }
  HostCall(SYS_close, fd);
  return is_found;
}

}  // namespace

PortTable::PortTable(ControlBlock& control) : control_(control) {
  const auto own = static_cast<uint32_t>(CurrentKthread()->host_tid);
  while (true) {
    uint32_t holder = 0;
    if (control_.ports_lock.compare_exchange_strong(holder, own, std::memory_order_acquire)) {
      return;
    }
    const bool is_dead = HostCall(SYS_tkill, static_cast<int32_t>(holder), 0) == -ESRCH;
    if (is_dead && control_.ports_lock.compare_exchange_strong(holder, own, std::memory_order_acquire)) {
      return;
    }
    HostCall(SYS_sched_yield);
  }
}

PortTable::~PortTable() { control_.ports_lock.store(0, std::memory_order_release); }

ControlPort* PortTable::FindCollision(uint8_t protocol, uint16_t guest_port, BoundTo to) {
  for (ControlPort& entry : control_.ports) {
    if (entry.guest_port.load(std::memory_order_relaxed) != guest_port ||
        entry.protocol.load(std::memory_order_relaxed) != protocol) {
      continue;
    }
    const bool entry_is_only_v6 = BoundToOf(entry) == BoundTo::kAny6Only || BoundToOf(entry) == BoundTo::kLoopback6;
    const bool new_is_only_v6 = to == BoundTo::kAny6Only || to == BoundTo::kLoopback6;
    const bool are_apart = (entry_is_only_v6 && !IsV6(to)) || (new_is_only_v6 && !IsV6(BoundToOf(entry)));
    if (!are_apart) {
      return &entry;
    }
  }
  return nullptr;
}

ControlPort* PortTable::FindTarget(uint8_t protocol, uint16_t guest_port, bool is_v6) {
  ControlPort* found = nullptr;
  for (ControlPort& entry : control_.ports) {
    if (entry.guest_port.load(std::memory_order_relaxed) == guest_port &&
        entry.protocol.load(std::memory_order_relaxed) == protocol &&
        (found == nullptr || IsV6(BoundToOf(entry)) == is_v6)) {
      found = &entry;
    }
  }
  return found;
}

ControlPort* PortTable::FindHostPort(uint8_t protocol, uint16_t host_port) {
  for (ControlPort& entry : control_.ports) {
    if (entry.guest_port.load(std::memory_order_relaxed) != 0 &&
        entry.host_port.load(std::memory_order_relaxed) == host_port &&
        entry.protocol.load(std::memory_order_relaxed) == protocol) {
      return &entry;
    }
  }
  return nullptr;
}

ControlPort* PortTable::FindFree() {
  for (ControlPort& entry : control_.ports) {
    if (entry.guest_port.load(std::memory_order_relaxed) == 0) {
      return &entry;
    }
  }
  return nullptr;
}

ControlPort* PortTable::Add(uint8_t protocol, uint16_t guest_port, uint16_t host_port, uint64_t inode, BoundTo to) {
  ControlPort* free = FindFree();
  if (free == nullptr) {
    for (ControlPort& entry : control_.ports) {
      if (entry.users.load(std::memory_order_relaxed) == 0) {
        Remove(entry);
      }
    }
    free = FindFree();
  }
  if (free == nullptr) {
    return nullptr;
  }
  free->host_port.store(host_port, std::memory_order_relaxed);
  free->protocol.store(protocol, std::memory_order_relaxed);
  free->listening.store(0, std::memory_order_relaxed);
  free->users.store(0, std::memory_order_relaxed);
  free->listeners.store(0, std::memory_order_relaxed);
  free->bound_to.store(static_cast<uint8_t>(to), std::memory_order_relaxed);
  free->inode.store(inode, std::memory_order_relaxed);
  free->guest_port.store(guest_port, std::memory_order_release);
  return free;
}

void PortTable::Remove(ControlPort& entry) {
  entry.guest_port.store(0, std::memory_order_release);
  entry.listening.store(0, std::memory_order_relaxed);
  entry.inode.store(0, std::memory_order_relaxed);
}

void PortTable::Announce() {
  control_.listen_seq.fetch_add(1, std::memory_order_release);
  constexpr int kEveryone = 0x7fffffff;
  HostCall(SYS_futex, &control_.listen_seq, FUTEX_WAKE, kEveryone);
}

bool HasHostListener(uint16_t host_port, uint64_t inode) {
  return FileHasListener("/proc/net/tcp", host_port, inode) || FileHasListener("/proc/net/tcp6", host_port, inode);
}

}  // namespace junction
