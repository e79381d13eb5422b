// SPDX-License-Identifier: Apache-2.0
// Read first: sock_diag(7), the exact-match form of a request (no NLM_F_DUMP).
#include "run/listener_owner.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstring>

namespace junction {

Result<ListenerOwner> ListenerOwner::Open() {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd.valid()) {
    return ErrnoError("sock_diag");
  }
  return ListenerOwner(std::move(fd));
}

std::optional<uint32_t> ListenerOwner::UidOf(uint16_t port) const {
  struct {
    nlmsghdr header;
    inet_diag_req_v2 body;
  } request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.body.sdiag_family = AF_INET;
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = ~0U;
  request.body.id.idiag_sport = htons(port);
  request.body.id.idiag_src[0] = htonl(INADDR_LOOPBACK);
  request.body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (send(fd_.get(), &request, sizeof(request), 0) != static_cast<ssize_t>(sizeof(request))) {
    return std::nullopt;
  }
  alignas(nlmsghdr) char answer[4096];
  const ssize_t size = recv(fd_.get(), answer, sizeof(answer), 0);
  // The sender is Linux itself: a netlink socket without groups gets unicasts of the host's kernel only.
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
  if (size < 0 || !NLMSG_OK(header, static_cast<size_t>(size)) || header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
      header->nlmsg_len < NLMSG_LENGTH(sizeof(inet_diag_msg))) {
    return std::nullopt;
  }
  inet_diag_msg message{};
  std::memcpy(&message, NLMSG_DATA(header), sizeof(message));
  if (message.idiag_state != TCP_LISTEN) {
    return std::nullopt;
  }
  return message.idiag_uid;
}

}  // namespace junction
