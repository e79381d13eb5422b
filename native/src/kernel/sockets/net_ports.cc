// SPDX-License-Identifier: Apache-2.0
// What the host side is told of listeners: the control block's ports. With a NIC a port is the same on both sides, on the instance's own
// address; who listens on the loopback device only cannot be reached from outside and is not told of.
#include <netinet/in.h>

#include "base/control_block.h"
#include "kernel/process/uproc.h"
#include "kernel/sockets/net_socket.h"
#include "kernel/sockets/port_table.h"

namespace junction {
namespace {

BoundTo BoundToOf(const NetSocket& socket) {
  const net::Socket& stack_socket = socket.socket();
  if (!socket.is_v6() || stack_socket.local.address.is_v4()) {
    return BoundTo::kAny4;
  }
  return stack_socket.is_v6_only ? BoundTo::kAny6Only : BoundTo::kAny6;
}

}  // namespace

void PublishListener(NetSocket& socket) {
  const net::Endpoint& local = socket.socket().local;
  if (socket.is_published || local.address.is_loopback()) {
    return;
  }
  PortTable ports(*g_image.control);
  ControlPort* entry = ports.FindHostPort(IPPROTO_TCP, local.port);
  if (entry == nullptr) {
    entry = ports.Add(IPPROTO_TCP, local.port, local.port, socket.file.inode, BoundToOf(socket));
  }
  if (entry == nullptr) {
    return;  // more listeners than the control block has room for: they work, but nobody is told
  }
  socket.is_published = true;
  socket.published_port = local.port;
  entry->inode.store(socket.file.inode, std::memory_order_relaxed);
  entry->users.fetch_add(1, std::memory_order_relaxed);
  entry->listeners.fetch_add(1, std::memory_order_relaxed);
  entry->listening.store(1, std::memory_order_release);
  ports.Announce();
}

void WithdrawListener(NetSocket& socket) {
  if (!socket.is_published) {
    return;
  }
  socket.is_published = false;
  PortTable ports(*g_image.control);
  ControlPort* const entry = ports.FindHostPort(IPPROTO_TCP, socket.published_port);
  if (entry == nullptr) {
    return;
  }
  entry->users.fetch_sub(1, std::memory_order_relaxed);
  if (entry->listeners.fetch_sub(1, std::memory_order_relaxed) == 1) {
    ports.Remove(*entry);
    ports.Announce();
  }
}

void PublishAllListeners() {
  const List& sockets = TheInstance().net_sockets;
  for (ListNode* node = sockets.first(); node != nullptr; node = sockets.Next(node)) {
    NetSocket& socket = *JUNCTION_OWNER(node, NetSocket, all_node);
    if (socket.is_published) {
      socket.is_published = false;  // in the template's
      PublishListener(socket);
    }
  }
}

}  // namespace junction
