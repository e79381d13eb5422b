// SPDX-License-Identifier: Apache-2.0
// Unix sockets in the arena. Read first: unix(7), net/unix/af_unix.c of Linux, whose order of checks is kept.
//
//   stream, seqpacket            UnixSocket <---- peer ----> UnixSocket      each has the messages that it has not read yet
//   listener                     connections: sockets that wait for accept, already peers of those that connected
//   datagram                     UnixSocket ----- peer ----> UnixSocket      `connected` of the target lists its connectors
//
// A socket's memory lives as long as something points to it (`links`): its file, peers, messages it sent that are not read, a name.
// A cycle of sockets that are in flight to each other by SCM_RIGHTS and otherwise closed stays until the instance ends: Linux' garbage
// collector for it is left out.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>

#include "kernel/files/file.h"
#include "kernel/process/uproc.h"
#include "kernel/sockets/socket_message.h"

namespace junction {

struct UnixRights;
struct UnixSocket;

enum class UnixState : uint8_t {
  kUnconnected,  // -> kListening by listen, -> kConnected by connect, accept, socketpair
  kListening,    // final
  kConnected,    // final for stream and seqpacket; a datagram socket may go back
};

inline constexpr uint8_t kShutReceive = 1;
inline constexpr uint8_t kShutSend = 2;
inline constexpr uint8_t kShutBoth = 3;

inline constexpr uint32_t kUnixDefaultBuffer_bytes = 212992;  // net.core.wmem_default
inline constexpr uint32_t kUnixMaxDatagrams = 10;             // net.unix.max_dgram_qlen

/// What a socket is bound to. Shared by a listener and those accepted from it.
struct UnixName {
  ListNode node;  // in the table of names while it can be found
  uint32_t references;
  int type;            // abstract names are apart by type
  UnixSocket* socket;  // whom a connection reaches; null once that is gone
  uint64_t device;     // path names: where the node is; 0, 0 = abstract
  uint64_t inode;
  uint32_t size_bytes;                       // of the whole address
  uint8_t address[sizeof(sockaddr_un) + 1];  // a path of 108 bytes gets a NUL behind it, as in Linux

  bool is_abstract() const { return device == 0 && inode == 0; }
};

/// Bytes on their way, or one datagram.
//
//   +-----------+---------+-----------+------+
//   | the fields| read    | unread    | room |   data: offset .. size .. capacity
//   +-----------+---------+-----------+------+
struct UnixMessage {
  ListNode node;
  UnixSocket* sender;  // linked: its room comes back when this is read
  UnixRights* rights;  // null = none
  ucred credentials;
  uint32_t offset;
  uint32_t size_bytes;
  uint32_t capacity_bytes;
  uint32_t block_bytes;  // what it counts against the sender's buffer

  uint8_t* data() { return reinterpret_cast<uint8_t*>(this + 1); }
  uint32_t unread_bytes() const { return size_bytes - offset; }
};

struct UnixSocket {
  File file;  // must be first
  uint32_t links;
  int type;
  UnixState state;
  uint8_t shutdown;  // kShut*
  bool is_released;  // no file any more
  bool passes_credentials;
  int32_t error;  // SO_ERROR, positive

  UnixName* name;
  UnixSocket* peer;  // linked

  List messages;
  uint32_t message_count;
  uint64_t unread_bytes;
  uint64_t in_flight_bytes;  // blocks that it sent and nobody has read

  // listening
  List connections;  // UnixSocket::accept_node; the queue owns their file reference
  ListNode accept_node;
  uint32_t connection_count;
  uint32_t backlog;

  WaitQueue room;  // woken when the receive or accept queue gets shorter: senders and connectors
  List connected;  // datagram: sockets whose peer this is, by connected_node
  ListNode connected_node;

  ucred peer_credentials;
  uint32_t send_buffer_bytes;
  uint32_t receive_buffer_bytes;
  uint32_t option_bits;  // options that are only remembered (unix_options.cc)
  int32_t priority;
  int32_t receive_low_water;
  linger linger_time;

  bool is_stream() const { return type == SOCK_STREAM; }
  bool is_datagram() const { return type == SOCK_DGRAM; }
  bool is_queue_full() const { return message_count > kUnixMaxDatagrams; }
  bool is_writable() const { return state != UnixState::kListening && in_flight_bytes * 4 <= send_buffer_bytes; }
};

extern const FileOps kUnixSocketOps;

inline bool IsUnixSocket(const File& file) { return file.kind == FileKind::kUnixSocket; }
inline UnixSocket& UnixSocketOf(File& file) { return reinterpret_cast<UnixSocket&>(file); }

// All with the kernel lock held; -errno or a kRestart code on failure. Those that park say so.

/// A fresh socket with one file reference; null if memory is short.
UnixSocket* NewUnixSocket(int type, uint32_t status_flags);
inline UnixSocket* Link(UnixSocket* socket) {
  ++socket->links;
  return socket;
}
/// Gives up a pointer; the last one frees the memory. Null is fine.
void Unlink(UnixSocket* socket);
/// Makes two fresh sockets each other's peers.
void JoinUnixPair(UnixSocket& a, UnixSocket& b);
/// Credentials of the current process: effective ids as SO_PEERCRED shows them, or real ones as SCM_CREDENTIALS does.
ucred EffectiveCredentials();
ucred RealCredentials();

/// `size_bytes` of `address` are the guest's. May make host calls with the lock released.
int64_t BindUnix(UnixSocket& socket, const AddressBytes& address, uint32_t size_bytes);
int64_t AutobindUnix(UnixSocket& socket);
int64_t ListenUnix(UnixSocket& socket, int backlog);
/// Parks while the backlog is full.
int64_t ConnectUnix(UnixSocket& socket, const AddressBytes& address, uint32_t size_bytes);
/// Parks while nobody connects. On success `out` is the new socket, its file reference the caller's.
int64_t AcceptUnix(UnixSocket& socket, UnixSocket*& out);
int64_t ShutdownUnix(UnixSocket& socket, int how);

/// Parks while there is no room.
int64_t SendUnix(UnixSocket& socket, SocketMessage& message);
/// Parks while there is nothing to read.
int64_t ReceiveUnix(UnixSocket& socket, SocketMessage& message);

/// The address of a socket (null = unbound) as getsockname tells it; its size.
uint32_t CopyUnixName(const UnixName* name, AddressBytes& out);

int64_t SetUnixOption(UnixSocket& socket, int level, int option, uint64_t value, int32_t size_bytes);
/// `room` is the guest's address of the value's size.
int64_t GetUnixOption(UnixSocket& socket, int level, int option, uint64_t value, uint64_t room);

/// Takes SO_ERROR.
int64_t TakeUnixError(UnixSocket& socket);
/// Frees a message that was taken from `receiver`'s queue or never sent.
void FreeUnixMessage(UnixMessage& message);
/// Takes a message out of `receiver`'s queue and frees it: its sender gets room.
void ConsumeUnixMessage(UnixSocket& receiver, UnixMessage& message);
/// Tells who may now send to `socket` or connect to it.
void WakeUnixSenders(UnixSocket& socket);
/// A datagram socket's peer changes (null = none).
void SetDatagramPeer(UnixSocket& socket, UnixSocket* peer);

}  // namespace junction
