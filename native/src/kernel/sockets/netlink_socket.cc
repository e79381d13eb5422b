// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/netlink_socket.h"

#include <asm/ioctls.h>
#include <asm/socket.h>
#include <fcntl.h>
#include <poll.h>

#include <cstring>

#include "kernel/guest/guest_memory.h"
#include "kernel/process/uproc.h"
#include "kernel/sockets/net_option_value.h"
#include "kernel/sockets/net_socket.h"
#include "kernel/sockets/socket_call.h"
#include "kernel/sockets/socket_wait.h"
#include "uthread/arena.h"

namespace junction {
namespace {

constexpr uint32_t kMostDatagrams = 32;  // what nobody fetches is bounded: the next answer is ENOBUFS
constexpr uint32_t kLargestMessage_bytes = 1024;
constexpr uint32_t kDefaultBuffer_bytes = 212992;
constexpr uint32_t kMaxRequest_bytes = 8192;  // of one send
constexpr int kNetlinkLevel = 270;            // SOL_NETLINK
constexpr uint32_t kAlignment = 4;            // NLMSG_ALIGNTO, RTA_ALIGNTO

constexpr uint32_t Aligned(uint32_t size) { return (size + kAlignment - 1) & ~(kAlignment - 1); }

void DropFirst(NetlinkSocket& socket) {
  ListNode* const node = socket.datagrams.PopFront();
  --socket.datagram_count;
  ArenaDelete(JUNCTION_OWNER(node, NetlinkDatagram, node));
}

// nl_pid by itself: the process' id, as Linux tries first.
void Autobind(NetlinkSocket& socket) {
  if (socket.port_id == 0) {
    socket.port_id = static_cast<uint32_t>(CurrentProcess().pid);
  }
}

bool HasMessages(const NetlinkSocket& socket) { return !socket.datagrams.empty(); }

int64_t ReadSockaddr(const AddressBytes& bytes, uint32_t size_bytes, sockaddr_nl& out) {
  if (size_bytes < sizeof(out)) {
    return -EINVAL;
  }
  std::memcpy(&out, bytes, sizeof(out));
  return out.nl_family == AF_NETLINK ? 0 : -EINVAL;
}

int64_t Bind(File& file, int, AddressBytes& address, uint32_t size_bytes) {
  NetlinkSocket& socket = NetlinkSocketOf(file);
  sockaddr_nl wanted;
  if (const int64_t error = ReadSockaddr(address, size_bytes, wanted); error != 0) {
    return error;
  }
  if (socket.port_id != 0 && wanted.nl_pid != socket.port_id) {
    return -EINVAL;
  }
  socket.port_id = wanted.nl_pid;
  socket.groups = wanted.nl_groups;
  Autobind(socket);
  return 0;
}

int64_t Listen(File&, int, int) { return -EOPNOTSUPP; }

int64_t Connect(File& file, int, AddressBytes& address, uint32_t size_bytes) {
  NetlinkSocket& socket = NetlinkSocketOf(file);
  if (size_bytes < sizeof(uint16_t)) {
    return -EINVAL;
  }
  if (FamilyOf(address) == AF_UNSPEC) {
    socket.peer_port_id = socket.peer_groups = 0;
    return 0;
  }
  sockaddr_nl peer;
  if (const int64_t error = ReadSockaddr(address, size_bytes, peer); error != 0) {
    return error;
  }
  if (peer.nl_groups != 0 || peer.nl_pid != 0) {
    return -EPERM;  // NL_CFG_F_NONROOT_SEND is not set for NETLINK_ROUTE
  }
  Autobind(socket);
  return 0;
}

int64_t Accept(File&, int, uint32_t, AddressBytes&, uint32_t&) { return -EOPNOTSUPP; }
int64_t Shutdown(File&, int, int) { return -EOPNOTSUPP; }

int64_t Name(File& file, int, bool is_peer, AddressBytes& address, uint32_t& size_bytes) {
  const NetlinkSocket& socket = NetlinkSocketOf(file);
  sockaddr_nl name = {};
  name.nl_family = AF_NETLINK;
  name.nl_pid = is_peer ? socket.peer_port_id : socket.port_id;
  name.nl_groups = is_peer ? socket.peer_groups : socket.groups;
  std::memcpy(address, &name, sizeof(name));
  size_bytes = sizeof(name);
  return 0;
}

int64_t SetOfNetlink(NetlinkSocket& socket, int option, int32_t number) {
  switch (option) {
    case NETLINK_ADD_MEMBERSHIP:
    case NETLINK_DROP_MEMBERSHIP:
      return number > 0 && number < 64 ? 0 : -EINVAL;
    case NETLINK_PKTINFO:
    case NETLINK_BROADCAST_ERROR:
    case NETLINK_NO_ENOBUFS:
    case NETLINK_CAP_ACK:
    case NETLINK_EXT_ACK:
    case NETLINK_GET_STRICT_CHK: {
      const uint32_t bit = 1U << option;
      socket.option_bits = number != 0 ? socket.option_bits | bit : socket.option_bits & ~bit;
      return 0;
    }
    case NETLINK_LISTEN_ALL_NSID:
      return -EPERM;
    default:
      return -ENOPROTOOPT;
  }
}

int64_t SetOption(File& file, int, int level, int option, uint64_t value, int32_t size_bytes) {
  NetlinkSocket& socket = NetlinkSocketOf(file);
  int32_t number;
  if (const int64_t error = LoadIntOption(value, size_bytes, number); error != 0) {
    return error;
  }
  if (level == kNetlinkLevel) {
    return SetOfNetlink(socket, option, number);
  }
  constexpr uint32_t kMost_bytes = 4 * 1024 * 1024;
  const uint32_t doubled =
      2 * (static_cast<uint32_t>(number) < kMost_bytes ? static_cast<uint32_t>(number) : kMost_bytes);
  if (level == SOL_SOCKET && (option == SO_RCVBUF || option == SO_RCVBUFFORCE)) {
    socket.receive_buffer_bytes = doubled;
    return 0;
  }
  if (level == SOL_SOCKET && (option == SO_SNDBUF || option == SO_SNDBUFFORCE)) {
    socket.send_buffer_bytes = doubled;
    return 0;
  }
  const bool is_harmless = level == SOL_SOCKET && (option == SO_PASSCRED || option == SO_REUSEADDR ||
                                                   option == SO_PRIORITY || option == SO_TIMESTAMP_OLD);
  return is_harmless ? 0 : -ENOPROTOOPT;
}

int64_t GetOption(File& file, int, int level, int option, uint64_t value, uint64_t room) {
  const NetlinkSocket& socket = NetlinkSocketOf(file);
  if (level == kNetlinkLevel) {
    const bool is_known = option >= NETLINK_PKTINFO && option <= NETLINK_GET_STRICT_CHK;
    return is_known ? StoreIntOption((socket.option_bits >> option & 1) != 0 ? 1 : 0, value, room) : -ENOPROTOOPT;
  }
  if (level != SOL_SOCKET) {
    return -ENOPROTOOPT;
  }
  switch (option) {
    case SO_TYPE:
      return StoreIntOption(file.host_type, value, room);
    case SO_DOMAIN:
      return StoreIntOption(AF_NETLINK, value, room);
    case SO_PROTOCOL:
    case SO_ERROR:
    case SO_ACCEPTCONN:
    case SO_PASSCRED:
      return StoreIntOption(0, value, room);
    case SO_RCVBUF:
      return StoreIntOption(static_cast<int32_t>(socket.receive_buffer_bytes), value, room);
    case SO_SNDBUF:
      return StoreIntOption(static_cast<int32_t>(socket.send_buffer_bytes), value, room);
    default:
      return -ENOPROTOOPT;
  }
}

// One request of those that a send holds: netlink_rcv_skb.
int64_t Serve(NetlinkSocket& socket, const nlmsghdr& request, const uint8_t* bytes) {
  int64_t error = 0;
  if ((request.nlmsg_flags & NLM_F_REQUEST) != 0 && request.nlmsg_type >= NLMSG_MIN_TYPE) {
    error = AnswerRoute(socket, request, bytes + sizeof(request),
                        request.nlmsg_len - static_cast<uint32_t>(sizeof(request)));
  }
  if (error == -ENOBUFS) {
    return error;
  }
  if (error != 0 || (request.nlmsg_flags & NLM_F_ACK) != 0) {
    NetlinkAnswer answer(socket, request, false);
    answer.Acknowledge(static_cast<int32_t>(error), bytes, request.nlmsg_len);
    return answer.has_overflowed() ? -ENOBUFS : 0;
  }
  return 0;
}

int64_t ServeAll(NetlinkSocket& socket, const uint8_t* bytes, uint32_t size_bytes) {
  while (size_bytes >= sizeof(nlmsghdr)) {
    nlmsghdr request;
    std::memcpy(&request, bytes, sizeof(request));
    if (request.nlmsg_len < sizeof(request) || request.nlmsg_len > size_bytes) {
      break;  // as Linux: silently
    }
    if (const int64_t error = Serve(socket, request, bytes); error != 0) {
      return error;
    }
    const uint32_t step = Aligned(request.nlmsg_len);
    if (step >= size_bytes) {
      break;
    }
    bytes += step;
    size_bytes -= step;
  }
  return 0;
}

int64_t Send(File& file, int, SocketMessage& message) {
  NetlinkSocket& socket = NetlinkSocketOf(file);
  if (message.Has(MSG_OOB)) {
    return -EOPNOTSUPP;
  }
  if (message.name_size_bytes != 0) {
    sockaddr_nl to;
    if (const int64_t error = ReadSockaddr(message.name, message.name_size_bytes, to); error != 0) {
      return error;
    }
    if (to.nl_pid != 0 || to.nl_groups != 0) {
      return to.nl_groups != 0 ? -EPERM : -ECONNREFUSED;  // nobody else is there
    }
  }
  const auto size = message.data.size();
  if (size > kMaxRequest_bytes) {
    return -EMSGSIZE;
  }
  Autobind(socket);
  auto* const bytes = static_cast<uint8_t*>(ArenaAllocate(kMaxRequest_bytes));
  if (bytes == nullptr) {
    return -ENOBUFS;
  }
  int64_t result = static_cast<int64_t>(size);
  if (message.data.CopyIn(bytes, size) != size) {
    result = -EFAULT;
  } else if (ServeAll(socket, bytes, static_cast<uint32_t>(size)) != 0) {
    result = -ENOBUFS;
  }
  ArenaFree(bytes, kMaxRequest_bytes);
  if (HasMessages(socket)) {
    file.wait.Wake(POLLIN | POLLRDNORM);
  }
  return result;
}

int64_t Receive(File& file, int, SocketMessage& message) {
  NetlinkSocket& socket = NetlinkSocketOf(file);
  if (message.Has(MSG_OOB)) {
    return -EOPNOTSUPP;
  }
  const FileReference kept(file);
  const bool is_nonblocking = message.Has(MSG_DONTWAIT) || file.is_nonblocking();
  SocketDeadline deadline(file.receive_timeout_ns);
  message.result_flags = 0;
  message.control_size_bytes = 0;
  while (!HasMessages(socket)) {
    if (is_nonblocking) {
      return -EAGAIN;
    }
    Waiter waiter(file.wait, POLLIN);
    if (const int64_t error = deadline.Wait(); error != 0) {
      return error;
    }
  }
  const NetlinkDatagram& first = *JUNCTION_OWNER(socket.datagrams.first(), NetlinkDatagram, node);
  const uint32_t size = first.size_bytes;
  const size_t copied = message.data.CopyOut(first.data, message.data.size() < size ? message.data.size() : size);
  if (copied < size) {
    message.result_flags |= MSG_TRUNC;
  }
  if (message.wants_name) {
    sockaddr_nl from = {};
    from.nl_family = AF_NETLINK;
    std::memcpy(message.name, &from, sizeof(from));
    message.name_size_bytes = sizeof(from);
  }
  if (!message.Has(MSG_PEEK)) {
    DropFirst(socket);
  }
  if (message.data.has_faulted()) {
    return -EFAULT;
  }
  return message.Has(MSG_TRUNC) ? size : static_cast<int64_t>(copied);
}

int64_t Read(File& file, GuestBuffer& to, bool is_nonblocking) {
  if (to.size() == 0) {
    return 0;
  }
  SocketMessage message;
  message.data = to;
  message.flags = is_nonblocking ? MSG_DONTWAIT : 0;
  const int64_t result = Receive(file, -1, message);
  to = message.data;
  return result;
}

int64_t Write(File& file, GuestBuffer& from, bool) {
  SocketMessage message;
  message.data = from;
  const int64_t result = Send(file, -1, message);
  from = message.data;
  return result;
}

PollEvents Poll(File& file) {
  const PollEvents writable = POLLOUT | POLLWRNORM;
  return HasMessages(NetlinkSocketOf(file)) ? writable | POLLIN | POLLRDNORM : writable;
}

int64_t Ioctl(File&, uint32_t command, uint64_t argument) { return DeviceIoctl(command, argument); }

void Stat(File& file, struct stat& out) {
  out.st_mode = S_IFSOCK | 0777;
  out.st_ino = file.inode;
  out.st_nlink = 1;
  out.st_blksize = 4096;
}

void Release(File& file) {
  NetlinkSocket& socket = NetlinkSocketOf(file);
  while (HasMessages(socket)) {
    DropFirst(socket);
  }
  ArenaDelete(&socket);
}

}  // namespace

const FileOps kNetlinkSocketOps = {
    .name = "socket",
    .read = Read,
    .write = Write,
    .poll = Poll,
    .ioctl = Ioctl,
    .stat = Stat,
    .release = Release,
    .flush = nullptr,
};

const SocketOps kNetlinkCalls = {Bind, Listen, Connect, Accept, Shutdown, Name, SetOption, GetOption, Send, Receive};

int64_t OpenNetlinkSocket(int type, uint32_t flags) {
  auto* const socket = ArenaNew<NetlinkSocket>();
  if (socket == nullptr) {
    return -ENOMEM;
  }
  InitFile(socket->file, kNetlinkSocketOps, FileKind::kNetlinkSocket, O_RDWR | (flags & SOCK_NONBLOCK));
  socket->file.host_domain = AF_NETLINK;
  socket->file.host_type = type;
  socket->receive_buffer_bytes = kDefaultBuffer_bytes;
  socket->send_buffer_bytes = kDefaultBuffer_bytes;
  return InstallFile(socket->file, (flags & SOCK_CLOEXEC) != 0);
}

void NetlinkAnswer::NewDatagram() {
  datagram_ = socket_.datagram_count >= kMostDatagrams ? nullptr : ArenaNew<NetlinkDatagram>();
  if (datagram_ == nullptr) {
    has_overflowed_ = true;
    return;
  }
  socket_.datagrams.PushBack(datagram_->node);
  ++socket_.datagram_count;
}

// What does not fit is left out: a message is kept below kLargestMessage_bytes, and a datagram has room for one when it is begun.
void NetlinkAnswer::Put(const void* data, uint32_t size_bytes) {
  if (datagram_ == nullptr || Aligned(size_bytes) > NetlinkDatagram::kCapacity_bytes - datagram_->size_bytes) {
    has_overflowed_ = true;
    return;
  }
  std::memcpy(datagram_->data + datagram_->size_bytes, data, size_bytes);
  datagram_->size_bytes += Aligned(size_bytes);  // fresh memory of the arena is zero
}

void NetlinkAnswer::Begin(uint16_t type, const void* fixed, uint32_t size_bytes) {
  if (datagram_ == nullptr || datagram_->size_bytes > NetlinkDatagram::kCapacity_bytes - kLargestMessage_bytes) {
    NewDatagram();
  }
  if (datagram_ == nullptr) {
    return;
  }
  begun_at_ = datagram_->size_bytes;
  nlmsghdr header = {};
  header.nlmsg_type = type;
  header.nlmsg_flags = is_multi_ ? NLM_F_MULTI : 0;
  header.nlmsg_seq = request_.nlmsg_seq;
  header.nlmsg_pid = socket_.port_id;
  Put(&header, sizeof(header));
  Put(fixed, size_bytes);
}

void NetlinkAnswer::Attribute(uint16_t type, const void* data, uint32_t size_bytes) {
  struct {
    uint16_t size_bytes;
    uint16_t type;
  } const header = {static_cast<uint16_t>(4 + size_bytes), type};
  Put(&header, sizeof(header));
  Put(data, size_bytes);
}

void NetlinkAnswer::AttributeText(uint16_t type, const char* text) {
  Attribute(type, text, static_cast<uint32_t>(std::strlen(text)) + 1);
}

void NetlinkAnswer::End() {
  if (datagram_ != nullptr) {
    const uint32_t size = datagram_->size_bytes - begun_at_;
    std::memcpy(datagram_->data + begun_at_, &size, sizeof(size));
  }
}

void NetlinkAnswer::Done() {
  datagram_ = nullptr;  // in a datagram of its own, as netlink_dump has it
  const int32_t result = 0;
  Begin(NLMSG_DONE, &result, sizeof(result));
  End();
}

void NetlinkAnswer::Acknowledge(int32_t error, const uint8_t* request_data, uint32_t request_bytes) {
  datagram_ = nullptr;
  struct {
    int32_t error;
    nlmsghdr request;
  } const body = {error, request_};
  Begin(NLMSG_ERROR, &body, sizeof(body));
  const bool is_short = error == 0 || (socket_.option_bits >> NETLINK_CAP_ACK & 1) != 0;
  constexpr uint32_t kQuote_bytes = kLargestMessage_bytes - 64;
  const uint32_t rest = request_bytes > sizeof(nlmsghdr) ? request_bytes - static_cast<uint32_t>(sizeof(nlmsghdr)) : 0;
  if (!is_short && rest != 0) {
    Put(request_data + sizeof(nlmsghdr), rest < kQuote_bytes ? rest : kQuote_bytes);
  }
  End();
}

}  // namespace junction
