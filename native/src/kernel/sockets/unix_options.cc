// SPDX-License-Identifier: Apache-2.0
// Options of unix sockets: socket(7), unix(7), net/core/sock.c.
#include <asm/socket.h>
#include <poll.h>

#include "kernel/guest/guest_memory.h"
#include "kernel/sockets/socket_options.h"
#include "kernel/sockets/unix_socket.h"

namespace junction {
namespace {

// Remembered and otherwise without effect on a unix socket. The bit is the place in this list.
constexpr int kRememberedOptions[] = {SO_DEBUG,     SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST,   SO_KEEPALIVE,
                                      SO_OOBINLINE, SO_REUSEPORT, SO_TIMESTAMP, SO_TIMESTAMPNS, SO_RXQ_OVFL};

// The option's bit, 0 if it is not remembered.
uint32_t RememberedBit(int option) {
  uint32_t bit = 1;
  for (const int remembered : kRememberedOptions) {
    if (remembered == option) {
      return bit;
    }
    bit <<= 1;
  }
  return 0;
}

// The kernel doubles what is asked for, within its limits.
uint32_t BufferFrom(int32_t wanted, uint32_t smallest) {
  constexpr uint32_t kMax = 4194304 / 16;  // half of what a datagram of the largest arena block may take
  const auto unsigned_wanted = static_cast<uint32_t>(wanted);
  const uint32_t doubled = 2 * (unsigned_wanted < kMax ? unsigned_wanted : kMax);
  return doubled < smallest ? smallest : doubled;
}

int64_t SetLinger(UnixSocket& socket, uint64_t value, int32_t size) {
  linger wanted;
  if (size < static_cast<int32_t>(sizeof(wanted))) {
    return -EINVAL;
  }
  if (!CopyFromGuest(&wanted, value, sizeof(wanted))) {
    return -EFAULT;
  }
  socket.linger_time = {wanted.l_onoff != 0 ? 1 : 0, wanted.l_onoff != 0 ? wanted.l_linger : 0};
  return 0;
}

int64_t SetInt(UnixSocket& socket, int option, int32_t number) {
  constexpr uint32_t kMinSend = 4608;
  constexpr uint32_t kMinReceive = 2304;
  if (const uint32_t bit = RememberedBit(option); bit != 0) {
    socket.option_bits = number != 0 ? socket.option_bits | bit : socket.option_bits & ~bit;
    return 0;
  }
  switch (option) {
    case SO_SNDBUF:
    case SO_SNDBUFFORCE:
      socket.send_buffer_bytes = BufferFrom(number, kMinSend);
      socket.file.wait.Wake(POLLOUT | POLLWRNORM);
      return 0;
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
      socket.receive_buffer_bytes = BufferFrom(number, kMinReceive);
      return 0;
    case SO_PASSCRED:
      socket.passes_credentials = number != 0;
      return 0;
    case SO_PRIORITY:
      socket.priority = number;
      return 0;
    case SO_RCVLOWAT:
      socket.receive_low_water = number < 0 ? 0x7fffffff : (number == 0 ? 1 : number);
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

int64_t GetInt(const UnixSocket& socket, int option, int32_t& out) {
  if (const uint32_t bit = RememberedBit(option); bit != 0) {
    out = (socket.option_bits & bit) != 0 ? 1 : 0;
    return 0;
  }
  switch (option) {
    case SO_TYPE:
      out = socket.type;
      return 0;
    case SO_DOMAIN:
      out = AF_UNIX;
      return 0;
    case SO_PROTOCOL:
      out = 0;
      return 0;
    case SO_ACCEPTCONN:
      out = socket.state == UnixState::kListening ? 1 : 0;
      return 0;
    case SO_SNDBUF:
      out = static_cast<int32_t>(socket.send_buffer_bytes);
      return 0;
    case SO_RCVBUF:
      out = static_cast<int32_t>(socket.receive_buffer_bytes);
      return 0;
    case SO_PASSCRED:
      out = socket.passes_credentials ? 1 : 0;
      return 0;
    case SO_PRIORITY:
      out = socket.priority;
      return 0;
    case SO_RCVLOWAT:
      out = socket.receive_low_water;
      return 0;
    case SO_SNDLOWAT:
      out = 1;
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

int64_t GetPeerName(const UnixSocket& socket, uint64_t value, uint64_t room) {
  if (socket.peer == nullptr) {
    return -ENOTCONN;
  }
  AddressBytes bytes;
  const uint32_t size = CopyUnixName(socket.peer->name, bytes);
  return StoreOption(bytes, size, value, room);
}

}  // namespace

int64_t SetUnixOption(UnixSocket& socket, int level, int option, uint64_t value, int32_t size_bytes) {
  if (level != SOL_SOCKET) {
    return -EOPNOTSUPP;
  }
  int32_t number;
  if (size_bytes < static_cast<int32_t>(sizeof(number))) {
    return -EINVAL;
  }
  if (!CopyFromGuest(&number, value, sizeof(number))) {
    return -EFAULT;
  }
  return option == SO_LINGER ? SetLinger(socket, value, size_bytes) : SetInt(socket, option, number);
}

int64_t GetUnixOption(UnixSocket& socket, int level, int option, uint64_t value, uint64_t room) {
  if (level != SOL_SOCKET) {
    return -EOPNOTSUPP;
  }
  switch (option) {
    case SO_LINGER:
      return StoreOption(&socket.linger_time, sizeof(socket.linger_time), value, room);
    case SO_PEERCRED:
      return StoreOption(&socket.peer_credentials, sizeof(socket.peer_credentials), value, room);
    case SO_PEERNAME:
      return GetPeerName(socket, value, room);
    case SO_ERROR: {
      const auto error = static_cast<int32_t>(TakeUnixError(socket));
      return StoreOption(&error, sizeof(error), value, room);
    }
    default:
      break;
  }
  int32_t number = 0;
  const int64_t error = GetInt(socket, option, number);
  return error != 0 ? error : StoreOption(&number, sizeof(number), value, room);
}

}  // namespace junction
