// SPDX-License-Identifier: Apache-2.0
// /proc/net in the layouts of proc_pid_net(5): tcp4_seq_show, udp4_seq_show, dev_seq_show, fib_route_seq_show, snmp_seq_show … of Linux. Sockets
// are those that somebody has open: connections that wait to be accepted or are in TIME_WAIT are not listed.
#include "kernel/sockets/proc_net.h"

#include <cstring>

#include "kernel/files/text_file.h"
#include "kernel/process/uproc.h"
#include "kernel/sockets/net_device_info.h"
#include "kernel/sockets/net_socket.h"
#include "uthread/text_buffer.h"

namespace junction {
namespace {

using Line = TextBuffer<320>;

void Add(TextFile& file, const char* text) { AppendText(file, text, std::strlen(text)); }

void Pad(Line& line, size_t column, char with = ' ') {
  while (line.size() < column) {
    line.AddChar(with);
  }
}

void AddHex(Line& line, uint64_t value, unsigned digits) {
  for (unsigned i = digits; i-- > 0;) {
    line.AddChar("0123456789ABCDEF"[value >> (4 * i) & 15]);
  }
}

// Right-aligned within `width`, as %7u.
void AddRight(Line& line, uint64_t value, size_t width) {
  TextBuffer<24> digits;
  digits.AddUnsigned(value);
  for (size_t i = digits.size(); i < width; ++i) {
    line.AddChar(' ');
  }
  line.AddUnsigned(value);
}

void EndLine(TextFile& file, Line& line) {
  line.AddChar('\n');
  AppendText(file, line.data(), line.size());
}

uint32_t WordOf(const uint8_t* bytes) {
  uint32_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

// Words as the machine has them in memory.
void AddEndpoint(Line& line, const net::Endpoint& endpoint, bool is_v6) {
  const net::IpAddress& address = endpoint.address;
  if (is_v6) {
    for (int i = 0; i < 4; ++i) {
      AddHex(line, WordOf(address.bytes + 4 * i), 8);
    }
  } else {
    AddHex(line, address.is_v4() ? WordOf(address.v4()) : 0, 8);
  }
  line.AddChar(':');
  AddHex(line, endpoint.port, 4);
}

void AddSocket(TextFile& file, const NetSocket& socket, uint32_t index) {
  const net::Socket& stack_socket = socket.socket();
  const bool is_listening = socket.is_tcp() && net::StateOf(*socket.tcp) == net::TcpState::kListen;
  const uint32_t state = socket.is_tcp() ? static_cast<uint32_t>(net::StateOf(*socket.tcp))
                                         : (socket.state == NetState::kConnected ? 1U : 7U);
  const uint32_t sending = socket.is_tcp() && !is_listening ? net::Unacknowledged_bytes(*socket.tcp) : 0;
  const uint32_t receiving = !socket.is_tcp() ? net::NextDatagram_bytes(*socket.udp)
                             : is_listening   ? net::AcceptQueue_length(*socket.tcp)
                                              : net::Readable_bytes(*socket.tcp);
  Line line;
  AddRight(line, index, socket.is_tcp() ? 4 : 5);
  line.Add(": ");
  AddEndpoint(line, stack_socket.local, socket.is_v6());
  line.AddChar(' ');
  AddEndpoint(line, stack_socket.remote, socket.is_v6());
  line.AddChar(' ');
  AddHex(line, state, 2);
  line.AddChar(' ');
  AddHex(line, sending, 8);
  line.AddChar(':');
  AddHex(line, receiving, 8);
  line.Add(" 00:00000000 00000000 ");
  AddRight(line, stack_socket.owner_uid, 5);
  line.Add("        0 ").AddUnsigned(socket.file.inode).AddChar(' ').AddUnsigned(socket.file.references);
  line.Add(" 0000000000000000");
  if (socket.is_tcp()) {
    line.Add(is_listening ? " 100 0 0 10 0" : " 20 4 30 10 -1");
  } else {
    line.Add(" 0");
  }
  if (!socket.is_v6()) {
    Pad(line, socket.is_tcp() ? 149 : 127);
  }
  EndLine(file, line);
}

void WriteSockets(TextFile& file, NetKind kind, bool is_v6) {
  Line line;
  if (is_v6) {
    line.Add(
        "  sl  local_address                         remote_address                        st tx_queue rx_queue tr "
        "tm->when "
        "retrnsmt   uid  timeout inode");
    line.Add(kind == NetKind::kTcp ? "" : " ref pointer drops");
  } else {
    line.Add(kind == NetKind::kTcp ? "" : " ");
    line.Add("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode");
    line.Add(kind == NetKind::kTcp ? "" : " ref pointer drops");
    Pad(line, kind == NetKind::kTcp ? 149 : 127);
  }
  EndLine(file, line);
  const List& sockets = TheInstance().net_sockets;
  uint32_t index = 0;
  for (ListNode* node = sockets.first(); node != nullptr; node = sockets.Next(node)) {
    const NetSocket& socket = *JUNCTION_OWNER(node, NetSocket, all_node);
    // As in Linux only those with a place in its tables: bound or connected.
    if (socket.kind == kind && socket.is_v6() == is_v6 && socket.socket().local.port != 0) {
      AddSocket(file, socket, index++);
    }
  }
}

void WriteDevices(TextFile& file) {
  Add(file,
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier "
      "compressed\n");
  net::Stack& stack = InstanceStack();
  for (net::Device* device = net::NextDevice(stack, nullptr); device != nullptr;
       device = net::NextDevice(stack, device)) {
    constexpr struct {
      size_t width;
    } kColumns[] = {{7}, {7}, {4}, {4}, {4}, {5}, {10}, {9}, {8}, {7}, {4}, {4}, {4}, {5}, {7}, {10}};
    const uint64_t values[] = {device->bytes_in,  device->frames_in,  0, device->dropped_in,  0, 0, 0, 0,
                               device->bytes_out, device->frames_out, 0, device->dropped_out, 0, 0, 0, 0};
    Line line;
    for (size_t i = std::strlen(device->name); i < 6; ++i) {
      line.AddChar(' ');
    }
    line.Add(device->name).AddChar(':');
    for (size_t i = 0; i < 16; ++i) {
      line.AddChar(' ');
      AddRight(line, values[i], kColumns[i].width);
    }
    EndLine(file, line);
  }
}

void WriteRoutes(TextFile& file) {
  constexpr uint32_t kUp = 1;       // RTF_UP
  constexpr uint32_t kGateway = 2;  // RTF_GATEWAY
  constexpr uint32_t kHost = 4;     // RTF_HOST
  constexpr size_t kWidth = 127;
  Line line;
  line.Add("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
  Pad(line, kWidth);
  EndLine(file, line);
  const RouteList routes;
  for (uint32_t i = 0; i < routes.count; ++i) {
    const net::Route& route = routes.entries[i];
    const net::Device* const device = net::FindDevice(InstanceStack(), route.device_index);
    if (device == nullptr || !route.network.is_v4()) {
      continue;
    }
    const bool has_gateway = !route.gateway.is_any();
    Line row;
    row.Add(device->name).AddChar('\t');
    AddHex(row, WordOf(route.network.v4()), 8);
    row.AddChar('\t');
    AddHex(row, has_gateway ? WordOf(route.gateway.v4()) : 0, 8);
    row.AddChar('\t');
    AddHex(row, kUp | (has_gateway ? kGateway : 0) | (route.prefix_bits == 32 ? kHost : 0), 4);
    row.Add("\t0\t0\t0\t");
    AddHex(row, MaskOf(route.prefix_bits), 8);
    row.Add("\t0\t0\t0");
    Pad(row, kWidth);
    EndLine(file, row);
  }
}

void WriteAddresses6(TextFile& file) {
  constexpr uint32_t kLoopbackScope = 0x10;   // IPV6_ADDR_LOOPBACK
  constexpr uint32_t kLinkLocalScope = 0x20;  // IPV6_ADDR_LINKLOCAL
  constexpr uint32_t kPermanent = 0x80;       // IFA_F_PERMANENT
  const AddressList addresses;
  for (uint32_t i = 0; i < addresses.count; ++i) {
    const net::DeviceAddress& own = addresses.entries[i];
    const net::Device* const device = net::FindDevice(InstanceStack(), own.device_index);
    if (device == nullptr || own.address.is_v4()) {
      continue;
    }
    const auto add = [](Line& line, uint32_t value) {
      line.AddChar("0123456789abcdef"[value >> 4 & 15]).AddChar("0123456789abcdef"[value & 15]);
    };
    Line line;
    for (const uint8_t byte : own.address.bytes) {
      add(line, byte);
    }
    const uint32_t scope =
        own.address.is_loopback() ? kLoopbackScope : (own.address.is_link_local() ? kLinkLocalScope : 0);
    for (const uint32_t value : {own.device_index, uint32_t{own.prefix_bits}, scope, kPermanent}) {
      line.AddChar(' ');
      add(line, value);
    }
    line.AddChar(' ');
    for (size_t length = std::strlen(device->name); length < 8; ++length) {
      line.AddChar(' ');
    }
    line.Add(device->name);
    EndLine(file, line);
  }
}

// A counter of snmp and netstat by its name there.
struct Counter {
  const char* name;
  uint64_t value;
};

template <size_t kCount>
void WriteCounters(TextFile& file, const char* group, const Counter (&counters)[kCount]) {
  Line names;
  Line values;
  names.Add(group).AddChar(':');
  values.Add(group).AddChar(':');
  for (const Counter& counter : counters) {
    names.AddChar(' ').Add(counter.name);
    values.AddChar(' ').AddUnsigned(counter.value);
  }
  EndLine(file, names);
  EndLine(file, values);
}

uint32_t CountConnections() {
  const List& sockets = TheInstance().net_sockets;
  uint32_t count = 0;
  for (ListNode* node = sockets.first(); node != nullptr; node = sockets.Next(node)) {
    const NetSocket& socket = *JUNCTION_OWNER(node, NetSocket, all_node);
    const bool is_open = socket.is_tcp() && (net::StateOf(*socket.tcp) == net::TcpState::kEstablished ||
                                             net::StateOf(*socket.tcp) == net::TcpState::kCloseWait);
    count += is_open ? 1 : 0;
  }
  return count;
}

void WriteSnmp(TextFile& file) {
  const net::StackCounters& c = net::CountersOf(InstanceStack());
  const Counter ip[] = {{"Forwarding", 2},
                        {"DefaultTTL", 64},
                        {"InReceives", c.ip_in},
                        {"InHdrErrors", c.ip_malformed},
                        {"InAddrErrors", c.ip_bad_address},
                        {"InUnknownProtos", c.ip_no_protocol},
                        {"OutRequests", c.ip_out},
                        {"OutNoRoutes", c.ip_no_route},
                        {"ReasmOKs", c.reassembled},
                        {"ReasmFails", c.reassembly_failed},
                        {"FragCreates", c.fragments_out}};
  WriteCounters(file, "Ip", ip);
  const Counter icmp[] = {{"InMsgs", c.icmp_in}, {"InErrors", c.icmp_malformed}, {"OutMsgs", c.icmp_out}};
  WriteCounters(file, "Icmp", icmp);
  const Counter tcp[] = {{"RtoAlgorithm", 1},
                         {"RtoMin", 200},
                         {"RtoMax", 120000},
                         {"ActiveOpens", c.tcp_active_opens},
                         {"PassiveOpens", c.tcp_passive_opens},
                         {"AttemptFails", c.tcp_attempt_fails},
                         {"EstabResets", c.tcp_resets_in},
                         {"CurrEstab", CountConnections()},
                         {"InSegs", c.tcp_in},
                         {"OutSegs", c.tcp_out},
                         {"RetransSegs", c.tcp_retransmits},
                         {"InErrs", c.tcp_malformed},
                         {"OutRsts", c.tcp_resets_out}};
  WriteCounters(file, "Tcp", tcp);
  const Counter udp[] = {{"InDatagrams", c.udp_in},
                         {"NoPorts", c.udp_no_port},
                         {"InErrors", c.udp_malformed},
                         {"OutDatagrams", c.udp_out},
                         {"RcvbufErrors", c.udp_full}};
  WriteCounters(file, "Udp", udp);
}

void WriteNetstat(TextFile& file) {
  const net::StackCounters& c = net::CountersOf(InstanceStack());
  const Counter tcp[] = {{"SyncookiesSent", c.tcp_cookies_sent},      {"SyncookiesRecv", c.tcp_cookies_good},
                         {"SyncookiesFailed", c.tcp_cookies_bad},     {"DelayedACKs", c.tcp_delayed_acks},
                         {"ListenOverflows", c.tcp_listen_overflows}, {"ListenDrops", c.tcp_listen_overflows},
                         {"TCPFastRetrans", c.tcp_fast_retransmits},  {"TCPTimeouts", c.tcp_timeouts},
                         {"TCPLossProbes", c.tcp_tail_probes},        {"TCPChallengeACK", c.tcp_challenge_acks},
                         {"TCPOFOQueue", c.tcp_out_of_order}};
  WriteCounters(file, "TcpExt", tcp);
}

void WriteSocketCounts(TextFile& file, bool is_v6) {
  const List& sockets = TheInstance().net_sockets;
  uint64_t tcp = 0;
  uint64_t udp = 0;
  uint64_t all = 0;
  for (ListNode* node = sockets.first(); node != nullptr; node = sockets.Next(node)) {
    const NetSocket& socket = *JUNCTION_OWNER(node, NetSocket, all_node);
    ++all;
    if (socket.is_v6() == is_v6) {
      tcp += socket.kind == NetKind::kTcp ? 1 : 0;
      udp += socket.kind == NetKind::kUdp ? 1 : 0;
    }
  }
  Line line;
  if (is_v6) {
    line.Add("TCP6: inuse ").AddUnsigned(tcp).Add("\nUDP6: inuse ").AddUnsigned(udp);
    line.Add("\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0");
  } else {
    line.Add("sockets: used ").AddUnsigned(all).Add("\nTCP: inuse ").AddUnsigned(tcp).Add(" orphan 0 tw 0 alloc ");
    line.AddUnsigned(tcp).Add(" mem 0\nUDP: inuse ").AddUnsigned(udp);
    line.Add(" mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0");
  }
  EndLine(file, line);
}

constexpr FileOps kOps[] = {
    MakeTextFileOps("net/arp"),      MakeTextFileOps("net/dev"),       MakeTextFileOps("net/if_inet6"),
    MakeTextFileOps("net/netstat"),  MakeTextFileOps("net/route"),     MakeTextFileOps("net/snmp"),
    MakeTextFileOps("net/sockstat"), MakeTextFileOps("net/sockstat6"), MakeTextFileOps("net/tcp"),
    MakeTextFileOps("net/tcp6"),     MakeTextFileOps("net/udp"),       MakeTextFileOps("net/udp6"),
};

void Write(TextFile& file, ProcNet which) {
  switch (which) {
    case ProcNet::kArp:
      Add(file, "IP address       HW type     Flags       HW address            Mask     Device\n");
      break;
    case ProcNet::kDev:
      WriteDevices(file);
      break;
    case ProcNet::kIfInet6:
      WriteAddresses6(file);
      break;
    case ProcNet::kNetstat:
      WriteNetstat(file);
      break;
    case ProcNet::kRoute:
      WriteRoutes(file);
      break;
    case ProcNet::kSnmp:
      WriteSnmp(file);
      break;
    case ProcNet::kSockstat:
    case ProcNet::kSockstat6:
      WriteSocketCounts(file, which == ProcNet::kSockstat6);
      break;
    case ProcNet::kTcp:
    case ProcNet::kTcp6:
      WriteSockets(file, NetKind::kTcp, which == ProcNet::kTcp6);
      break;
    case ProcNet::kUdp:
    case ProcNet::kUdp6:
      WriteSockets(file, NetKind::kUdp, which == ProcNet::kUdp6);
      break;
  }
}

}  // namespace

File* NewProcNetFile(ProcNet which) {
  TextFile* const file = NewTextFile(kOps[static_cast<size_t>(which)]);
  if (file != nullptr) {
    Write(*file, which);
  }
  return file;
}

}  // namespace junction
