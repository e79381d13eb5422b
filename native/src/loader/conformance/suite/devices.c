/* SPDX-License-Identifier: Apache-2.0 */
/* Network devices, addresses and routes as programs ask for them: ioctl, netlink, getifaddrs. Only the loopback device is the same everywhere. */
#include "inet.h"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>

CASE(names_and_numbers) {
  char name[IF_NAMESIZE];
  EXPECT_EQ(if_nametoindex("lo"), 1);
  EXPECT(if_indextoname(1, name) == name);
  EXPECT_BYTES(name, "lo");
  EXPECT_EQ(if_nametoindex("nosuch0"), 0);
  EXPECT_EQ(errno, ENODEV);
  errno = 0;
  EXPECT(if_indextoname(99999, name) == NULL);
  EXPECT_EQ(errno, ENXIO);
}

static struct ifreq ask(int fd, unsigned long request, const char* name) {
  struct ifreq answer;
  memset(&answer, 0, sizeof(answer));
  strcpy(answer.ifr_name, name);
  EXPECT_OK(ioctl(fd, request, &answer));
  return answer;
}

static uint32_t v4_of(const struct sockaddr* address) {
  EXPECT_EQ(address->sa_family, AF_INET);
  return ntohl(((const struct sockaddr_in*)address)->sin_addr.s_addr);
}

CASE(questions_by_ioctl) {
  const int fd = make_inet(SOCK_DGRAM);
  const int flags = ask(fd, SIOCGIFFLAGS, "lo").ifr_flags;
  EXPECT_EQ(flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_BROADCAST), IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
  struct ifreq answer = ask(fd, SIOCGIFADDR, "lo");
  EXPECT_EQ(v4_of(&answer.ifr_addr), INADDR_LOOPBACK);
  answer = ask(fd, SIOCGIFNETMASK, "lo");
  EXPECT_EQ(v4_of(&answer.ifr_netmask), 0xff000000);
  answer = ask(fd, SIOCGIFHWADDR, "lo");
  EXPECT_EQ(answer.ifr_hwaddr.sa_family, ARPHRD_LOOPBACK);
  EXPECT_GE(ask(fd, SIOCGIFMTU, "lo").ifr_mtu, 1500);
  EXPECT_EQ(ask(fd, SIOCGIFINDEX, "lo").ifr_ifindex, 1);
  EXPECT_GE(ask(fd, SIOCGIFTXQLEN, "lo").ifr_qlen, 1);
  answer.ifr_ifindex = 1;
  EXPECT_OK(ioctl(fd, SIOCGIFNAME, &answer));
  EXPECT_BYTES(answer.ifr_name, "lo");
  strcpy(answer.ifr_name, "nosuch0");
  EXPECT_ERR(ioctl(fd, SIOCGIFFLAGS, &answer), ENODEV);
  EXPECT_ERR(ioctl(fd, SIOCGIFFLAGS, (void*)8), EFAULT);
}

CASE(list_by_ioctl) {
  struct ifreq entries[64];
  struct ifconf list = {.ifc_len = 0, .ifc_req = NULL};
  const int fd = make_inet(SOCK_STREAM);
  EXPECT_OK(ioctl(fd, SIOCGIFCONF, &list));
  const int all = list.ifc_len;
  EXPECT_GE(all, sizeof(struct ifreq));
  list.ifc_len = sizeof(entries);
  list.ifc_req = entries;
  EXPECT_OK(ioctl(fd, SIOCGIFCONF, &list));
  EXPECT_EQ(list.ifc_len, all);
  int found = 0;
  for (size_t i = 0; i < (size_t)list.ifc_len / sizeof(struct ifreq); ++i) {
    found += strcmp(entries[i].ifr_name, "lo") == 0 && v4_of(&entries[i].ifr_addr) == INADDR_LOOPBACK;
  }
  EXPECT_EQ(found, 1);
  list.ifc_len = sizeof(struct ifreq) + 3; /* no half entries */
  EXPECT_OK(ioctl(fd, SIOCGIFCONF, &list));
  EXPECT_EQ(list.ifc_len, sizeof(struct ifreq));
}

CASE(list_by_getifaddrs) {
  struct ifaddrs* list = NULL;
  int has_link = 0, has_v4 = 0, has_v6 = 0;
  EXPECT_OK(getifaddrs(&list));
  for (const struct ifaddrs* entry = list; entry != NULL; entry = entry->ifa_next) {
    if (strcmp(entry->ifa_name, "lo") != 0 || entry->ifa_addr == NULL) {
      continue;
    }
    EXPECT((entry->ifa_flags & IFF_LOOPBACK) != 0);
    switch (entry->ifa_addr->sa_family) {
      case AF_PACKET:
        ++has_link;
        break;
      case AF_INET:
        ++has_v4;
        EXPECT_EQ(v4_of(entry->ifa_addr), INADDR_LOOPBACK);
        EXPECT_EQ(v4_of(entry->ifa_netmask), 0xff000000);
        break;
      case AF_INET6:
        ++has_v6;
        EXPECT(IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6*)entry->ifa_addr)->sin6_addr));
        break;
    }
  }
  EXPECT_EQ(has_link, 1);
  EXPECT_EQ(has_v4, 1);
  EXPECT_EQ(has_v6, 1);
  freeifaddrs(list);
}

static int open_netlink(void) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  EXPECT_OK(fd);
  return fd;
}

struct request {
  struct nlmsghdr header;
  union {
    struct ifinfomsg link;
    struct ifaddrmsg address;
    struct {
      struct rtmsg route;
      struct rtattr attribute;
      uint32_t destination;
    };
  };
};

static struct request make_request(int type, int flags, unsigned sequence, size_t size) {
  struct request request;
  memset(&request, 0, sizeof(request));
  request.header.nlmsg_len = NLMSG_LENGTH(size);
  request.header.nlmsg_type = (uint16_t)type;
  request.header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
  request.header.nlmsg_seq = sequence;
  return request;
}

static void send_request(int fd, const struct request* request) {
  EXPECT_EQ(send(fd, request, request->header.nlmsg_len, 0), request->header.nlmsg_len);
}

/* Reads answers to the end of a dump; how many of `type` there were, checked by `check`. */
static int read_dump(int fd, int type, unsigned sequence, void (*check)(const struct nlmsghdr*)) {
  static char buffer[65536];
  int count = 0;
  for (;;) {
    const ssize_t size = recv(fd, buffer, sizeof(buffer), 0);
    EXPECT(size > 0);
    int left = (int)size;
    for (struct nlmsghdr* message = (struct nlmsghdr*)buffer; NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      EXPECT_EQ(message->nlmsg_seq, sequence);
      EXPECT((message->nlmsg_flags & NLM_F_MULTI) != 0);
      if (message->nlmsg_type == NLMSG_DONE) {
        return count;
      }
      EXPECT_EQ(message->nlmsg_type, type);
      check(message);
      ++count;
    }
  }
}

static int g_loopbacks;

static void check_link(const struct nlmsghdr* message) {
  const struct ifinfomsg* const link = NLMSG_DATA(message);
  g_loopbacks += link->ifi_index == 1 && link->ifi_type == ARPHRD_LOOPBACK && (link->ifi_flags & IFF_LOOPBACK) != 0;
}

static void check_v4_address(const struct nlmsghdr* message) {
  const struct ifaddrmsg* const address = NLMSG_DATA(message);
  EXPECT_EQ(address->ifa_family, AF_INET);
  g_loopbacks += address->ifa_index == 1 && address->ifa_prefixlen == 8;
}

CASE(dumps_by_netlink) {
  const int fd = open_netlink();
  struct request request = make_request(RTM_GETLINK, NLM_F_DUMP, 7, sizeof(struct ifinfomsg));
  send_request(fd, &request);
  EXPECT_GE(read_dump(fd, RTM_NEWLINK, 7, check_link), 1);
  EXPECT_EQ(g_loopbacks, 1);
  request = make_request(RTM_GETADDR, NLM_F_DUMP, 8, sizeof(struct ifaddrmsg));
  request.address.ifa_family = AF_INET;
  send_request(fd, &request);
  EXPECT_GE(read_dump(fd, RTM_NEWADDR, 8, check_v4_address), 1);
  EXPECT_EQ(g_loopbacks, 2);
}

CASE(single_questions_by_netlink) {
  const int fd = open_netlink();
  char buffer[8192];
  struct nlmsghdr* const answer = (struct nlmsghdr*)buffer;
  struct request request = make_request(RTM_GETLINK, NLM_F_ACK, 9, sizeof(struct ifinfomsg));
  request.link.ifi_index = 1;
  send_request(fd, &request);
  EXPECT_GE(recv(fd, buffer, sizeof(buffer), 0), sizeof(struct nlmsghdr) + sizeof(struct ifinfomsg));
  EXPECT_EQ(answer->nlmsg_type, RTM_NEWLINK);
  EXPECT_EQ(answer->nlmsg_flags & NLM_F_MULTI, 0);
  EXPECT_EQ(((struct ifinfomsg*)NLMSG_DATA(answer))->ifi_index, 1);
  EXPECT_EQ(recv(fd, buffer, sizeof(buffer), 0), NLMSG_LENGTH(sizeof(struct nlmsgerr)));
  EXPECT_EQ(answer->nlmsg_type, NLMSG_ERROR);
  EXPECT_EQ(((struct nlmsgerr*)NLMSG_DATA(answer))->error, 0);
  request.link.ifi_index = 99999;
  send_request(fd, &request);
  EXPECT_GE(recv(fd, buffer, sizeof(buffer), 0), NLMSG_LENGTH(sizeof(struct nlmsgerr)));
  EXPECT_EQ(answer->nlmsg_type, NLMSG_ERROR);
  EXPECT_EQ(answer->nlmsg_seq, 9);
  EXPECT_EQ(((struct nlmsgerr*)NLMSG_DATA(answer))->error, -ENODEV);
}

CASE(the_way_to_oneself_by_netlink) {
  const int fd = open_netlink();
  char buffer[8192];
  struct nlmsghdr* const answer = (struct nlmsghdr*)buffer;
  struct request request = make_request(RTM_GETROUTE, 0, 10, sizeof(struct rtmsg) + RTA_LENGTH(4));
  request.route.rtm_family = AF_INET;
  request.route.rtm_dst_len = 32;
  request.attribute = (struct rtattr){RTA_LENGTH(4), RTA_DST};
  request.destination = htonl(INADDR_LOOPBACK);
  send_request(fd, &request);
  EXPECT(recv(fd, buffer, sizeof(buffer), 0) > 0);
  EXPECT_EQ(answer->nlmsg_type, RTM_NEWROUTE);
  const struct rtmsg* const route = NLMSG_DATA(answer);
  EXPECT_EQ(route->rtm_family, AF_INET);
  int left = (int)RTM_PAYLOAD(answer), device = 0;
  for (const struct rtattr* item = RTM_RTA(route); RTA_OK(item, left); item = RTA_NEXT(item, left)) {
    if (item->rta_type == RTA_OIF) {
      memcpy(&device, RTA_DATA(item), sizeof(device));
    }
  }
  EXPECT_EQ(device, 1);
}

CASE(netlink_names_and_truncation) {
  const int fd = open_netlink();
  struct sockaddr_nl name = {.nl_family = AF_NETLINK};
  socklen_t size = sizeof(name);
  EXPECT_OK(bind(fd, (struct sockaddr*)&name, sizeof(name)));
  EXPECT_OK(getsockname(fd, (struct sockaddr*)&name, &size));
  EXPECT_EQ(size, sizeof(name));
  EXPECT_EQ(name.nl_family, AF_NETLINK);
  EXPECT(name.nl_pid != 0);
  char byte;
  EXPECT_ERR(recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN);
  struct request request = make_request(RTM_GETLINK, 0, 11, sizeof(struct ifinfomsg));
  request.link.ifi_index = 1;
  send_request(fd, &request);
  EXPECT_EQ(wait_for_events(fd, POLLIN), POLLIN);
  EXPECT_GE(recv(fd, &byte, 1, MSG_PEEK | MSG_TRUNC), 32);
  struct sockaddr_nl from = {.nl_pid = 5};
  size = sizeof(from);
  EXPECT_EQ(recvfrom(fd, &byte, 1, 0, (struct sockaddr*)&from, &size), 1);
  EXPECT_EQ(from.nl_pid, 0);                            /* the kernel */
  EXPECT_ERR(recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN); /* the rest is gone */
  EXPECT_ERR(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), ESOCKTNOSUPPORT);
  EXPECT_ERR(listen(fd, 1), EOPNOTSUPP);
}
