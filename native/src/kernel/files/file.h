// SPDX-License-Identifier: Apache-2.0
// Open file descriptions and descriptor tables. A descriptor is either virtual (pipes, unix sockets, epoll … in the arena) or the
// host's: then the guest's number is the host's number, so that calls on files pass with their arguments as they are.
#pragma once

#include <sys/stat.h>

#include <cstdint>

#include "base/list.h"
#include "kernel/files/read_turn.h"
#include "kernel/guest/guest_buffer.h"
#include "uthread/wait_queue.h"

namespace junction {

struct File;
struct GuestThread;

/// Operations of one kind of virtual file. Null members have the answer that is named. Kernel lock held; may Park where said.
struct FileOps {
  const char* name;
  /// Bytes read into `to`; 0 at the end; -EAGAIN if it would block and `is_nonblocking`. May park. Null: -EINVAL.
  int64_t (*read)(File& file, GuestBuffer& to, bool is_nonblocking);
  /// Bytes written; may park. Null: -EINVAL.
  int64_t (*write)(File& file, GuestBuffer& from, bool is_nonblocking);
  /// Which of POLLIN, POLLOUT, POLLRDHUP, POLLHUP, POLLERR, POLLPRI hold now. Null: POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM.
  PollEvents (*poll)(File& file);
  /// Null: -ENOTTY. FIONBIO, FIOCLEX, FIONCLEX, FIOASYNC are done before.
  int64_t (*ioctl)(File& file, uint32_t command, uint64_t argument);
  /// Fills st_mode, st_size … (zeroed before). Null: an anonymous inode.
  void (*stat)(File& file, struct stat& out);
  /// The last reference is gone: wake peers, free the object.
  void (*release)(File& file);
  /// A descriptor of the file is closed in some process (not only the last): optional.
  void (*flush)(File& file);
  /// lseek with SEEK_SET, SEEK_CUR or SEEK_END: the new position or -errno. Null: -ESPIPE.
  int64_t (*seek)(File& file, int64_t offset, int whence) = nullptr;
};

enum class FileKind : uint8_t {
  kHostFile,    // the host's: never blocks (regular files, folders, devices like /dev/null, memfds)
  kHostStream,  // the host's: may block (sockets, terminals, pipes that came from outside, FIFOs, inotify)
  kPipe,
  kEventfd,
  kEpoll,
  kTimerfd,
  kSignalfd,
  kPidfd,
  kUnixSocket,
  kNetSocket,      // inet, on the instance's own stack
  kNetlinkSocket,  // questions about that stack
  kText,           // synthesised text (/proc/self/maps …)
};

/// An open file description; first member of each kind's own object. In the arena, counted. Kernel lock held.
struct File {
  const FileOps* ops;
  FileKind kind;
  uint32_t references;
  uint32_t
      status_flags;  // O_ACCMODE, O_NONBLOCK, O_APPEND, O_DIRECT, O_ASYNC …: F_GETFL; for host files only O_NONBLOCK of streams is kept here
  WaitQueue wait;    // woken with the events that may have come to hold; epoll and poll wait here too
  List epoll_items;  // who watches it (epoll.cc): removed with the last reference
  ReadTurn turn;     // of TCP sockets of the instance's own stack
  uint64_t inode;    // st_ino, and the number in /proc/self/fd of pipes and sockets

  // host streams
  uint32_t ready;       // what may hold: set by the host poller only, cleared by who gets EAGAIN (host_poller.h)
  int32_t host_domain;  // sockets: AF_INET …; 0 = no socket
  int32_t host_type;    // SOCK_STREAM …
  int32_t host_protocol;
  uint64_t receive_timeout_ns;  // SO_RCVTIMEO, kNever
  uint64_t send_timeout_ns;     // SO_SNDTIMEO, kNever
  void* extra;

  bool is_virtual() const { return kind > FileKind::kHostStream; }
  bool is_nonblocking() const { return (status_flags & 04000) != 0; }
};

/// Internal bit of File::status_flags of host streams: the host's description is O_NONBLOCK whatever the guest asked for. Streams that
/// came from outside (stdio) are shared with strangers and stay as they are: ask PollHostFd before reading or writing.
inline constexpr uint32_t kIsHostNonblocking = 1U << 31;

/// A new reference for the caller.
inline File& Reference(File& file) {
  ++file.references;
  return file;
}
/// Gives one up; the last one releases the file.
void Unreference(File& file);

/// epoll.cc: the file goes away; takes it out of all interest lists (File::epoll_items).
void ReleaseEpollItems(File& file);

/// Holds a reference over a Park.
class FileReference {
 public:
  explicit FileReference(File& file) : file_(Reference(file)) {}
  ~FileReference() {
    if (file_.references > 1) {
      --file_.references;
    } else {
      Unreference(file_);
    }
  }
  FileReference(const FileReference&) = delete;
  FileReference& operator=(const FileReference&) = delete;

 private:
  File& file_;
};

/// One descriptor number.
struct FdEntry {
  File* file;
  bool is_close_on_exec;
  bool is_reserved;  // not the guest's: a host descriptor of the kernel's, or one that is just being closed
  bool
      has_placeholder;  // virtual, and its number is taken at the host too, so that the host's next number is the guest's next
  uint32_t watch;  // host_poller.cc: serial of its registration with a process' poller; 0 = none
};

inline constexpr int kReservedHostFds = 24;

/// What a host descriptor of the kernel's is for, where that has to be known over an exec or in another process.
enum class ReservedFor : int32_t {
  kOther,
  kNicMemory,
  kInstanceEvent,  // wakes the instance
  kPeerEvent,      // wakes the peer of port 0; + n of port n
};

/// Descriptors of a process (shared by CLONE_FILES).
struct FdTable {
  uint32_t references;
  uint32_t capacity;    // entries, a power of two
  uint32_t first_free;  // nothing below is free
  FdEntry* entries;     // in the arena
  uint32_t bare_count;  // virtual descriptors without a placeholder
  struct {
    int32_t home;  // the number that ReserveHostFd gave
    int32_t now;   // where it is; -1 = slot not in use
    ReservedFor purpose;
  } reserved[kReservedHostFds];
};

/// The file of a descriptor of the current process, or null (EBADF). The reference is the table's: take one before parking.
File* GetFile(int32_t fd);

/// Puts a file (its reference is taken over, also on failure) at the lowest free number from `minimum` on; the number, or -EMFILE, -ENFILE.
int64_t InstallFile(File& file, bool is_close_on_exec, int32_t minimum = 0);

/// Enters a descriptor that the host has just given (any number): moves it to the lowest free number. The number or -errno; on failure
/// the host descriptor is closed. `domain` etc. are set by the caller through GetFile.
int64_t InstallHostFd(int32_t host_fd, FileKind kind, uint32_t open_flags);

/// Closes one descriptor of the current process; host ones at the host. 0 or -EBADF.
int64_t CloseDescriptor(int32_t fd);

FdTable* NewFdTable();
/// For fork: the same files at the same numbers. Null if memory is short.
FdTable* CopyFdTable(const FdTable& table);
void UnreferenceFdTable(FdTable& table);
/// After exec: what is close-on-exec goes (the host has closed its own by itself).
void CloseOnExec(FdTable& table);
/// At the start of an instance: enters what the host process has open (0, 1, 2 …).
int64_t AdoptHostDescriptors();
int64_t AdoptHostDescriptors(FdTable& table);

/// True for numbers that the kernel keeps for itself (arena, poller); such a number is never in a table.
bool IsReservedHostFd(int32_t fd);
/// Moves a host descriptor of the kernel's to a reserved number, out of the guest's way: the number or -errno.
int64_t ReserveHostFd(int32_t fd);
int64_t ReserveHostFd(FdTable& table, int32_t fd);
/// The same for a descriptor that is to be found by what it is for; it stays open over execs.
int64_t ReserveHostFd(FdTable& table, int32_t fd, ReservedFor purpose);
/// Its number now, -1 if there is none. `table` is the process' own.
int32_t FindReservedFd(const FdTable& table, ReservedFor purpose);
/// Where the descriptor is now that ReserveHostFd called `home`: a guest that wants the number by dup2 moves it. Ask before each use.
int32_t ReservedHostFd(int32_t home);
/// The kernel closes a descriptor of its own.
void ReleaseReservedHostFd(int32_t home);

/// Initialises the common part.
void InitFile(File& file, const FileOps& ops, FileKind kind, uint32_t status_flags);

}  // namespace junction
