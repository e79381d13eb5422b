// SPDX-License-Identifier: Apache-2.0
// Read first: Linux, Documentation/networking/tuntap.rst; netdevice(7).
#include "scheduler/uplink/tap_device.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/read_file.h"

namespace junction::scheduler {
namespace {

constexpr const char* kTunPath = "/dev/net/tun";
constexpr unsigned kOffloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;

ifreq Named(const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

Result<UniqueFd> OpenTun(const std::string& name) {
  UniqueFd fd(open(kTunPath, O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    return ErrnoError(kTunPath);
  }
  ifreq request = Named(name);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    return ErrnoError("the TAP device " + name);
  }
  return fd;
}

Result<UniqueFd> OpenSocket(int family) {
  UniqueFd fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return fd.valid() ? Result<UniqueFd>(std::move(fd)) : ErrnoError("socket");
}

Result<void> Set(const UniqueFd& socket, unsigned long what, ifreq& request, const std::string& text) {
  return ioctl(socket.get(), what, &request) == 0 ? Result<void>{} : ErrnoError(text + " of " + request.ifr_name);
}

Result<void> SetIp4(const UniqueFd& socket, const TapOptions& options) {
  ifreq request = Named(options.name);
  auto* address = reinterpret_cast<sockaddr_in*>(&request.ifr_addr);
  address->sin_family = AF_INET;
  const Ip4 ip = options.range4.first_ip4();
  std::memcpy(&address->sin_addr, ip.data(), 4);
  if (auto set = Set(socket, SIOCSIFADDR, request, "IPv4 address"); !set) {
    return set;
  }
  address->sin_addr.s_addr = htonl(~0U << (32 - options.range4.bits));
  return Set(socket, SIOCSIFNETMASK, request, "network mask");
}

// A host that has IPv6 turned off has a TAP without it.
bool SetIp6(const std::string& name, const Cidr& range) {
  const auto socket = OpenSocket(AF_INET6);
  const unsigned index = if_nametoindex(name.c_str());
  if (!socket || index == 0) {
    return false;
  }
  in6_ifreq request{};
  const Ip6 ip = range.first_ip6();
  std::memcpy(&request.ifr6_addr, ip.data(), 16);
  request.ifr6_prefixlen = range.bits;
  request.ifr6_ifindex = static_cast<int>(index);
  return ioctl(socket->get(), SIOCSIFADDR, &request) == 0 || errno == EEXIST;
}

// Nothing else is on this cable: no duplicate address detection, nobody to solicit or to believe. A setting that is not there is not needed.
void QuietIp6(const std::string& name) {
  for (const char* setting : {"accept_dad", "accept_ra", "router_solicitations"}) {
    const std::string path = "/proc/sys/net/ipv6/conf/" + name + "/" + setting;
    const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    [[maybe_unused]] const ssize_t size = write(fd.get(), "0", 1);
  }
}

Result<void> SetUp(const UniqueFd& socket, const TapOptions& options, const Mac& mac) {
  ifreq request = Named(options.name);
  request.ifr_mtu = static_cast<int>(options.mtu_bytes);
  if (auto set = Set(socket, SIOCSIFMTU, request, "MTU"); !set) {
    return set;
  }
  request = Named(options.name);
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::memcpy(request.ifr_hwaddr.sa_data, mac.data(), mac.size());
  if (auto set = Set(socket, SIOCSIFHWADDR, request, "MAC"); !set) {
    return set;
  }
  if (auto set = SetIp4(socket, options); !set) {
    return set;
  }
  request = Named(options.name);
  if (auto got = Set(socket, SIOCGIFFLAGS, request, "flags"); !got) {
    return got;
  }
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  return Set(socket, SIOCSIFFLAGS, request, "flags");
}

}  // namespace

Result<TapDevice> TapDevice::Open(const TapOptions& options) {
  auto fd = OpenTun(options.name);
  if (!fd) {
    return std::unexpected(fd.error());
  }
  if (ioctl(fd->get(), TUNSETOFFLOAD, kOffloads) != 0 || ioctl(fd->get(), TUNSETPERSIST, 1) != 0) {
    return ErrnoError("the TAP device " + options.name);
  }
  auto socket = OpenSocket(AF_INET);
  if (!socket) {
    return std::unexpected(socket.error());
  }
  QuietIp6(options.name);
  TapDevice device;
  device.mac_ = MacOf(options.range4.first_ip4());
  if (auto set = SetUp(*socket, options, device.mac_); !set) {
    (void)ioctl(fd->get(), TUNSETPERSIST, 0);  // the first failure is the one to report
    return std::unexpected(set.error());
  }
  device.has_ip6_ = options.range6 && SetIp6(options.name, *options.range6);
  device.fd_ = std::move(*fd);
  return device;
}

Result<void> RemoveTap(const std::string& name) {
  if (if_nametoindex(name.c_str()) == 0) {
    return {};
  }
  const auto fd = OpenTun(name);
  if (!fd) {
    return std::unexpected(fd.error());
  }
  return ioctl(fd->get(), TUNSETPERSIST, 0) == 0 ? Result<void>{} : ErrnoError("the TAP device " + name);
}

}  // namespace junction::scheduler
