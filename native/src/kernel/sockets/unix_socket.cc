// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/unix_socket.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/syscall.h>

#include "kernel/door/call.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/sockets/net_socket.h"
#include "kernel/sockets/socket_control.h"
#include "kernel/sockets/unix_names.h"

namespace junction {
namespace {

constexpr PollEvents kEnded = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLRDHUP | POLLHUP | POLLERR;

int64_t Read(File& file, GuestBuffer& to, bool is_nonblocking) {
  if (to.size() == 0) {
    return 0;
  }
  SocketMessage message;
  message.data = to;
  message.flags = is_nonblocking ? MSG_DONTWAIT : 0;
  const int64_t result = ReceiveUnix(UnixSocketOf(file), message);
  to = message.data;
  return result;
}

int64_t Write(File& file, GuestBuffer& from, bool is_nonblocking) {
  SocketMessage message;
  message.data = from;
  message.flags = is_nonblocking ? MSG_DONTWAIT : 0;
  const int64_t result = SendUnix(UnixSocketOf(file), message);
  from = message.data;
  return result;
}

// A connected datagram socket cannot write while its peer's queue is full, unless the peer is connected back to it.
bool IsHeldByPeer(const UnixSocket& socket) {
  const UnixSocket* const peer = socket.peer;
  return !socket.is_stream() && peer != nullptr && peer->peer != &socket && peer->is_queue_full();
}

PollEvents Poll(File& file) {
  UnixSocket& socket = UnixSocketOf(file);
  PollEvents events = 0;
  if (socket.error != 0) {
    events |= POLLERR;
  }
  if (socket.shutdown == kShutBoth || (!socket.is_datagram() && socket.state == UnixState::kUnconnected)) {
    events |= POLLHUP;
  }
  if ((socket.shutdown & kShutReceive) != 0) {
    events |= POLLRDHUP | POLLIN | POLLRDNORM;
  }
  if (socket.message_count != 0 || socket.connection_count != 0) {
    events |= POLLIN | POLLRDNORM;
  }
  if (socket.is_writable() && !IsHeldByPeer(socket)) {
    events |= POLLOUT | POLLWRNORM | POLLWRBAND;
  }
  return events;
}

int64_t StoreInt(uint64_t to, uint64_t value) {
  const auto number = static_cast<int32_t>(value);
  return CopyToGuest(to, &number, sizeof(number)) ? 0 : -EFAULT;
}

int64_t Ioctl(File& file, uint32_t command, uint64_t argument) {
  UnixSocket& socket = UnixSocketOf(file);
  switch (command) {
    case FIONREAD: {  // SIOCINQ
      if (socket.state == UnixState::kListening) {
        return -EINVAL;
      }
      ListNode* const first = socket.messages.first();
      const uint64_t of_first = first == nullptr ? 0 : JUNCTION_OWNER(first, UnixMessage, node)->unread_bytes();
      return StoreInt(argument, socket.is_datagram() ? of_first : socket.unread_bytes);
    }
    case TIOCOUTQ:  // SIOCOUTQ
      return StoreInt(argument, socket.in_flight_bytes);
    case SIOCATMARK:
      return StoreInt(argument, 0);
    default:
      return HasNic() ? DeviceIoctl(command, argument) : -ENOTTY;  // if_nametoindex(3) asks a unix socket
  }
}

void Stat(File& file, struct stat& out) {
  out.st_mode = S_IFSOCK | 0777;
  out.st_ino = file.inode;
  out.st_nlink = 1;
  out.st_blksize = 4096;
}

// The peer of a stream or seqpacket socket learns that nobody is there any more.
void HangUpPeer(UnixSocket& socket) {
  UnixSocket& peer = *socket.peer;
  if (peer.is_released) {
    return;
  }
  peer.shutdown = kShutBoth;
  if (socket.message_count != 0 || socket.state == UnixState::kUnconnected) {
    peer.error = ECONNRESET;
  }
  peer.file.wait.Wake(kEnded);
}

void DropMessages(UnixSocket& socket) {
  while (ListNode* const node = socket.messages.first()) {
    ConsumeUnixMessage(socket, *JUNCTION_OWNER(node, UnixMessage, node));
  }
}

void DropConnections(UnixSocket& listener) {
  while (ListNode* const node = listener.connections.PopFront()) {
    UnixSocket& embryo = *JUNCTION_OWNER(node, UnixSocket, accept_node);
    --listener.connection_count;
    embryo.state = UnixState::kUnconnected;  // its peer is told of a reset
    Unreference(embryo.file);
  }
}

void Release(File& file) {
  UnixSocket& socket = UnixSocketOf(file);
  socket.is_released = true;
  socket.shutdown = kShutBoth;
  RetireUnixName(socket);
  DropConnections(socket);
  if (!socket.is_datagram() && socket.peer != nullptr) {
    HangUpPeer(socket);
  }
  DropMessages(socket);
  socket.room.Wake();
  if (socket.is_datagram()) {
    SetDatagramPeer(socket, nullptr);
    for (ListNode* node = socket.connected.first(); node != nullptr; node = socket.connected.Next(node)) {
      JUNCTION_OWNER(node, UnixSocket, connected_node)->file.wait.Wake(POLLOUT | POLLWRNORM);
    }
  }
  UnixSocket* const peer = socket.peer;
  socket.peer = nullptr;
  Unlink(peer);
  Unlink(&socket);
}

}  // namespace

const FileOps kUnixSocketOps = {
    .name = "socket",
    .read = Read,
    .write = Write,
    .poll = Poll,
    .ioctl = Ioctl,
    .stat = Stat,
    .release = Release,
    .flush = nullptr,
};

UnixSocket* NewUnixSocket(int type, uint32_t status_flags) {
  auto* const socket = ArenaNew<UnixSocket>();
  if (socket == nullptr) {
    return nullptr;
  }
  InitFile(socket->file, kUnixSocketOps, FileKind::kUnixSocket, O_RDWR | (status_flags & O_NONBLOCK));
  socket->file.receive_timeout_ns = kNever;
  socket->file.send_timeout_ns = kNever;
  socket->file.host_domain = AF_UNIX;
  socket->file.host_type = type;
  socket->links = 1;
  socket->type = type;
  socket->send_buffer_bytes = kUnixDefaultBuffer_bytes;
  socket->receive_buffer_bytes = kUnixDefaultBuffer_bytes;
  socket->receive_low_water = 1;
  socket->peer_credentials = {0, static_cast<uid_t>(-1), static_cast<gid_t>(-1)};  // nobody yet, as Linux shows it
  return socket;
}

void Unlink(UnixSocket* socket) {
  if (socket != nullptr && --socket->links == 0) {
    UnreferenceUnixName(socket->name);
    ArenaDelete(socket);
  }
}

void JoinUnixPair(UnixSocket& a, UnixSocket& b) {
  if (a.is_datagram()) {
    SetDatagramPeer(a, &b);
    SetDatagramPeer(b, &a);
  } else {
    a.peer = Link(&b);
    b.peer = Link(&a);
  }
  a.state = UnixState::kConnected;
  b.state = UnixState::kConnected;
  a.peer_credentials = EffectiveCredentials();
  b.peer_credentials = a.peer_credentials;
}

void SetDatagramPeer(UnixSocket& socket, UnixSocket* peer) {
  UnixSocket* const old = socket.peer;
  socket.connected_node.Unlink();
  socket.peer = peer;
  socket.state = peer == nullptr ? UnixState::kUnconnected : UnixState::kConnected;
  if (peer != nullptr) {
    Link(peer);
    peer->connected.PushBack(socket.connected_node);
  }
  Unlink(old);
}

ucred EffectiveCredentials() {
  return {CurrentProcess().pid, static_cast<uid_t>(HostCall(SYS_geteuid)), static_cast<gid_t>(HostCall(SYS_getegid))};
}

ucred RealCredentials() {
  return {CurrentProcess().pid, static_cast<uid_t>(HostCall(SYS_getuid)), static_cast<gid_t>(HostCall(SYS_getgid))};
}

int64_t TakeUnixError(UnixSocket& socket) {
  const int64_t error = socket.error;
  socket.error = 0;
  return error;
}

int64_t ShutdownUnix(UnixSocket& socket, int how) {
  if (how < SHUT_RD || how > SHUT_RDWR) {
    return -EINVAL;
  }
  const auto mode = static_cast<uint8_t>(how + 1);  // SHUT_RD, SHUT_WR, SHUT_RDWR: bits of kShut*
  socket.shutdown |= mode;
  UnixSocket* const peer = socket.peer;
  if (!socket.is_datagram() && peer != nullptr) {
    peer->shutdown |= static_cast<uint8_t>(((mode & kShutReceive) != 0 ? kShutSend : 0) |
                                           ((mode & kShutSend) != 0 ? kShutReceive : 0));
    peer->file.wait.Wake(kEnded);
  }
  socket.file.wait.Wake(kEnded);
  socket.room.Wake();
  return 0;
}

uint32_t CopyUnixName(const UnixName* name, AddressBytes& out) {
  if (name == nullptr) {
    const uint16_t family = AF_UNIX;
    __builtin_memcpy(out, &family, sizeof(family));
    return sizeof(family);
  }
  __builtin_memcpy(out, name->address, name->size_bytes);
  return name->size_bytes;
}

}  // namespace junction
