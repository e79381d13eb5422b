// SPDX-License-Identifier: Apache-2.0
// Read first: netdevice(7); net/ipv4/devinet.c and net/core/dev_ioctl.c of Linux.
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/sockios.h>
#include <netinet/in.h>

#include <cstring>

#include "kernel/guest/guest_memory.h"
#include "kernel/sockets/net_device_info.h"
#include "kernel/sockets/net_socket.h"

namespace junction {
namespace {

// The first IPv4 address of a device, null if it has none.
const net::DeviceAddress* FirstV4(const AddressList& addresses, uint32_t device_index) {
  for (uint32_t i = 0; i < addresses.count; ++i) {
    if (addresses.entries[i].device_index == device_index && addresses.entries[i].address.is_v4()) {
      return &addresses.entries[i];
    }
  }
  return nullptr;
}

void PutV4(sockaddr& out, const void* octets) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  std::memcpy(&address.sin_addr, octets, sizeof(address.sin_addr));
  std::memcpy(&out, &address, sizeof(address));
}

void PutName(char (&out)[IFNAMSIZ], const net::Device& device) { std::memcpy(out, device.name, sizeof(out)); }

// SIOCGIFCONF: the devices that have an IPv4 address, as many as there is room for; without a buffer, how much all take.
int64_t ListDevices(uint64_t argument) {
  struct {
    int32_t size_bytes;
    int32_t padding;
    uint64_t buffer;
  } request;
  if (!CopyFromGuest(&request, argument, sizeof(request))) {
    return -EFAULT;
  }
  const AddressList addresses;
  int32_t used = 0;
  for (uint32_t i = 0; i < addresses.count; ++i) {
    const net::DeviceAddress& entry = addresses.entries[i];
    const net::Device* const device = net::FindDevice(InstanceStack(), entry.device_index);
    if (device == nullptr || !entry.address.is_v4()) {
      continue;
    }
    const auto size = static_cast<int32_t>(sizeof(ifreq));
    if (request.buffer != 0) {
      if (request.size_bytes - used < size) {
        break;
      }
      ifreq out = {};
      PutName(out.ifr_name, *device);
      PutV4(out.ifr_addr, entry.address.v4());
      if (!CopyToGuest(request.buffer + static_cast<uint64_t>(used), &out, sizeof(out))) {
        return -EFAULT;
      }
    }
    used += size;
  }
  request.size_bytes = used;
  return CopyToGuest(argument, &request, sizeof(request)) ? 0 : -EFAULT;
}

int64_t AnswerAddress(uint32_t command, const net::Device& device, ifreq& request) {
  const AddressList addresses;
  const net::DeviceAddress* const own = FirstV4(addresses, device.index);
  if (own == nullptr) {
    return -EADDRNOTAVAIL;
  }
  const uint32_t mask = MaskOf(own->prefix_bits);
  uint32_t address;
  std::memcpy(&address, own->address.v4(), sizeof(address));
  switch (command) {
    case SIOCGIFNETMASK:
      PutV4(request.ifr_netmask, &mask);
      return 0;
    case SIOCGIFBRDADDR:
      address = device.is_loopback ? 0 : address | ~mask;
      PutV4(request.ifr_broadaddr, &address);
      return 0;
    default:
      PutV4(request.ifr_addr, &address);
      return 0;
  }
}

int64_t Answer(uint32_t command, const net::Device& device, ifreq& request) {
  switch (command) {
    case SIOCGIFFLAGS:
      request.ifr_flags = static_cast<int16_t>(DeviceFlags(device));
      return 0;
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFNETMASK:
    case SIOCGIFBRDADDR:
      return AnswerAddress(command, device, request);
    case SIOCGIFHWADDR:
      request.ifr_hwaddr = {};
      request.ifr_hwaddr.sa_family = DeviceType(device);
      std::memcpy(request.ifr_hwaddr.sa_data, device.mac, sizeof(device.mac));
      return 0;
    case SIOCGIFMTU:
      request.ifr_mtu = device.mtu_bytes;
      return 0;
    case SIOCGIFMETRIC:
      request.ifr_metric = 0;
      return 0;
    case SIOCGIFINDEX:
      request.ifr_ifindex = static_cast<int>(device.index);
      return 0;
    case SIOCGIFTXQLEN:
      request.ifr_qlen = static_cast<int>(kTransmitQueue_length);
      return 0;
    case SIOCGIFMAP:
      request.ifr_map = {};
      return 0;
    default:
      return -ENOTTY;
  }
}

int64_t AskDevice(uint32_t command, uint64_t argument) {
  ifreq request;
  if (!CopyFromGuest(&request, argument, sizeof(request))) {
    return -EFAULT;
  }
  const net::Device* device;
  if (command == SIOCGIFNAME) {
    device = net::FindDevice(InstanceStack(), static_cast<uint32_t>(request.ifr_ifindex));
    if (device != nullptr) {
      PutName(request.ifr_name, *device);
    }
  } else {
    request.ifr_name[IFNAMSIZ - 1] = '\0';
    device = net::FindDevice(InstanceStack(), DeviceByName(request.ifr_name));
    if (device != nullptr) {
      if (const int64_t error = Answer(command, *device, request); error != 0) {
        return error;
      }
    }
  }
  if (device == nullptr) {
    return -ENODEV;
  }
  return CopyToGuest(argument, &request, sizeof(request)) ? 0 : -EFAULT;
}

}  // namespace

uint32_t DeviceFlags(const net::Device& device) {
  const uint32_t up = device.is_up ? IFF_UP | IFF_RUNNING | IFF_LOWER_UP : 0;
  if (device.is_loopback) {
    return up | IFF_LOOPBACK;
  }
  return up | (device.is_point_to_point ? IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST : IFF_BROADCAST | IFF_MULTICAST);
}

uint16_t DeviceType(const net::Device& device) { return device.is_loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER; }

AddressList::AddressList() {
  const uint32_t all = net::ListAddresses(InstanceStack(), 0, entries, kMaxShownEntries);
  count = all < kMaxShownEntries ? all : kMaxShownEntries;
}

RouteList::RouteList() {
  const uint32_t all = net::ListRoutes(InstanceStack(), 0, entries, kMaxShownEntries);
  count = all < kMaxShownEntries ? all : kMaxShownEntries;
}

uint32_t MaskOf(uint8_t prefix_bits) {
  if (prefix_bits == 0) {
    return 0;
  }
  return __builtin_bswap32(prefix_bits >= 32 ? ~0U : ~0U << (32 - prefix_bits));
}

uint32_t DeviceByName(const char* name) {
  net::Device* device = net::NextDevice(InstanceStack(), nullptr);
  while (device != nullptr && std::strlen(device->name) < sizeof(device->name)) {
    if (std::memcmp(device->name, name, std::strlen(device->name) + 1) == 0) {
      return device->index;
    }
    device = net::NextDevice(InstanceStack(), device);
  }
  return 0;
}

int64_t DeviceIoctl(uint32_t command, uint64_t argument) {
  switch (command) {
    case SIOCGIFCONF:
      return ListDevices(argument);
    case SIOCGIFNAME:
    case SIOCGIFINDEX:
    case SIOCGIFFLAGS:
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFNETMASK:
    case SIOCGIFBRDADDR:
    case SIOCGIFHWADDR:
    case SIOCGIFMTU:
    case SIOCGIFMETRIC:
    case SIOCGIFTXQLEN:
    case SIOCGIFMAP:
      return AskDevice(command, argument);
    case SIOCSIFFLAGS:
    case SIOCSIFADDR:
    case SIOCSIFDSTADDR:
    case SIOCSIFNETMASK:
    case SIOCSIFBRDADDR:
    case SIOCSIFHWADDR:
    case SIOCSIFMTU:
    case SIOCSIFNAME:
    case SIOCSIFTXQLEN:
    case SIOCADDRT:
    case SIOCDELRT:
    case SIOCSARP:
    case SIOCDARP:
      return -EPERM;
    case SIOCGARP:
      return -ENXIO;
    case SIOCETHTOOL:
      return -EOPNOTSUPP;
    default:
      return -ENOTTY;
  }
}

}  // namespace junction
