// SPDX-License-Identifier: Apache-2.0
// The calls that scripts make: sockets, the stack, and what they look at.
#include <poll.h>

#include <cerrno>

#include "net/test/script_runner.h"

namespace junction::net {
namespace {

struct NamedNumber {
  const char* name;
  int value;
};
constexpr NamedNumber kErrors[] = {
    {"EAGAIN", EAGAIN},
    {"EINPROGRESS", EINPROGRESS},
    {"ECONNREFUSED", ECONNREFUSED},
    {"ECONNRESET", ECONNRESET},
    {"ECONNABORTED", ECONNABORTED},
    {"ETIMEDOUT", ETIMEDOUT},
    {"EPIPE", EPIPE},
    {"ENOTCONN", ENOTCONN},
    {"EHOSTUNREACH", EHOSTUNREACH},
    {"ENETUNREACH", ENETUNREACH},
    {"EADDRINUSE", EADDRINUSE},
    {"EADDRNOTAVAIL", EADDRNOTAVAIL},
    {"EINVAL", EINVAL},
    {"EISCONN", EISCONN},
    {"EALREADY", EALREADY},
    {"EMSGSIZE", EMSGSIZE},
    {"EDESTADDRREQ", EDESTADDRREQ},
    {"ENOBUFS", ENOBUFS},
    {"EACCES", EACCES},
    {"ENOPROTOOPT", ENOPROTOOPT},
    {"ENETDOWN", ENETDOWN},
    {"ENOMEM", ENOMEM},
    {"EPROTO", EPROTO},
    {"EOPNOTSUPP", EOPNOTSUPP},
};
constexpr NamedNumber kStates[] = {
    {"ESTABLISHED", 1}, {"SYN_SENT", 2},   {"SYN_RECEIVED", 3}, {"FIN_WAIT1", 4}, {"FIN_WAIT2", 5}, {"TIME_WAIT", 6},
    {"CLOSED", 7},      {"CLOSE_WAIT", 8}, {"LAST_ACK", 9},     {"LISTEN", 10},   {"CLOSING", 11},
};
constexpr NamedNumber kEvents[] = {
    {"IN", POLLIN}, {"OUT", POLLOUT}, {"RDHUP", POLLRDHUP}, {"HUP", POLLHUP}, {"ERR", POLLERR},
};

template <size_t kSize>
int ValueOf(const NamedNumber (&table)[kSize], const std::string& name) {
  for (const NamedNumber& row : table) {
    if (name == row.name) {
      return row.value;
    }
  }
  throw ScriptError("not known: " + name);
}

std::string EventsText(uint32_t events) {
  std::string text;
  for (const NamedNumber& row : kEvents) {
    text += (events & static_cast<uint32_t>(row.value)) != 0 ? std::string(text.empty() ? "" : " ") + row.name : "";
  }
  return text.empty() ? "nothing" : text;
}

bool IsWord(const std::vector<std::string>& words, size_t at, const char* what) {
  return at < words.size() && words[at] == what;
}

// The word behind `name`, if it is there.
const std::string* ValueBehind(const std::vector<std::string>& words, size_t at, const char* name) {
  for (; at + 1 < words.size(); ++at) {
    if (words[at] == name) {
      return &words[at + 1];
    }
  }
  return nullptr;
}
uint32_t NumberBehind(const std::vector<std::string>& words, size_t at, const char* name, uint32_t otherwise) {
  const std::string* const value = ValueBehind(words, at, name);
  return value == nullptr ? otherwise : static_cast<uint32_t>(ParseNumber(*value));
}

}  // namespace

std::string ErrorName(int64_t error) {
  for (const NamedNumber& row : kErrors) {
    if (error == row.value) {
      return row.name;
    }
  }
  return "";
}

ScriptRunner::OpenSocket& ScriptRunner::Find(const std::string& name) {
  const auto found = sockets_.find(name);
  if (found == sockets_.end()) {
    throw ScriptError("there is no socket " + name);
  }
  return found->second;
}

ScriptRunner::OpenSocket& ScriptRunner::Add(const std::string& name, TcpSocket* tcp, UdpSocket* udp) {
  if (tcp == nullptr && udp == nullptr) {
    throw ScriptError("no memory for a socket");
  }
  OpenSocket& added = sockets_[name] = {tcp, udp};
  Socket& socket = tcp != nullptr ? SocketOf(*tcp) : SocketOf(*udp);
  socket.owner = &added;
  socket.notify = [](Socket& of, uint32_t events) { static_cast<OpenSocket*>(of.owner)->events |= events; };
  return added;
}

// "… = 100", "… = EAGAIN"; without it `otherwise` is expected.
void ScriptRunner::ExpectResult(const Words& words, size_t at, int64_t got, int64_t otherwise) {
  int64_t expected = otherwise;
  for (; at + 1 < words.size(); ++at) {
    if (words[at] == "=") {
      const std::string& value = words[at + 1];
      expected =
          std::isupper(static_cast<unsigned char>(value[0])) != 0 ? -ValueOf(kErrors, value) : ParseNumber(value);
      break;
    }
  }
  if (expected != got) {
    const auto text = [](int64_t value) {
      return value < 0 && !ErrorName(-value).empty() ? ErrorName(-value) : std::to_string(value);
    };
    throw ScriptError("expected the result " + text(expected) + ", got " + text(got));
  }
}

void ScriptRunner::RunCall(const Words& words, size_t from) {
  size_t at = from;
  std::string name;
  if (words[at].back() == ':') {
    name = words[at].substr(0, words[at].size() - 1);
    ++at;
  }
  if (at >= words.size()) {
    throw ScriptError("a call is missing");
  }
  const std::string verb = words[at++];
  if (RunStackCall(verb, words, at)) {
    return;
  }
  const bool is_known =
      (!name.empty() && sockets_.contains(name) && sockets_[name].udp != nullptr) || verb == "udp" || verb == "ping";
  if (is_known ? !RunUdpCall(name, verb, words, at) : !RunTcpCall(name, verb, words, at)) {
    throw ScriptError("not known: " + verb);
  }
  FlushNow();
}

void ScriptRunner::Listen(const std::string& name, const Words& words, size_t at) {
  if (!sockets_.contains(name)) {
    Add(name, NewTcpSocket(*stack_, is_v6_), nullptr);
  }
  OpenSocket& socket = Find(name);
  const std::string* const address = ValueBehind(words, at, "address");
  const Endpoint local{address != nullptr ? codec_->AddressOf(*address) : AnyAddress(is_v6_),
                       static_cast<uint16_t>(NumberBehind(words, at, "port", codec_->own_port))};
  int result = SocketOf(*socket.tcp).local.port == 0 ? BindTcp(*socket.tcp, local) : 0;
  if (result == 0) {
    result = ListenTcp(*socket.tcp, NumberBehind(words, at, "backlog", 128));
  }
  ExpectResult(words, at, result, 0);
}

void ScriptRunner::Connect(const std::string& name, const Words& words, size_t at) {
  if (!sockets_.contains(name)) {
    Add(name, NewTcpSocket(*stack_, is_v6_), nullptr);
  }
  TcpSocket& tcp = *Find(name).tcp;
  const std::string* const to = ValueBehind(words, at, "to");
  const Endpoint remote{codec_->AddressOf(to != nullptr ? *to : "peer"),
                        static_cast<uint16_t>(NumberBehind(words, at, "port", codec_->peer_port))};
  const std::string* const local = ValueBehind(words, at, "local");
  if (SocketOf(tcp).local.port == 0 && (local == nullptr || *local != "any")) {
    SocketOf(tcp).reuses_address = true;
    const int result =
        BindTcp(tcp, {AnyAddress(is_v6_), static_cast<uint16_t>(NumberBehind(words, at, "local", codec_->own_port))});
    if (result != 0) {
      throw ScriptError("bind: " + ErrorName(-result));
    }
  }
  const int result = ConnectTcp(tcp, remote, now_ns_);
  if (local != nullptr && *local == "any") {
    codec_->own_port = SocketOf(tcp).local.port;
  }
  ExpectResult(words, at, result, -EINPROGRESS);
}

int ScriptRunner::Write(OpenSocket& socket, uint32_t count, bool has_more) {
  uint32_t done = 0;
  while (done < count) {
    int error = 0;
    const Span span = WriteSpan(*socket.tcp, error);
    if (span.size_bytes == 0 && done != 0) {
      CommitWrite(*socket.tcp, 0, false, now_ns_);  // no more comes now
      return static_cast<int>(done);
    }
    if (span.size_bytes == 0) {
      return error;
    }
    const uint32_t piece = std::min(span.size_bytes, count - done);
    for (uint32_t i = 0; i < piece; ++i) {
      span.data[i] = StreamByte(socket.written_bytes + i, kOwnSalt);
    }
    done += piece;
    socket.written_bytes += piece;
    CommitWrite(*socket.tcp, piece, has_more || done < count, now_ns_);
  }
  return static_cast<int>(done);
}

int ScriptRunner::Read(OpenSocket& socket, uint32_t count, bool peeks) {
  uint32_t done = 0;
  while (done < count) {
    int error = 0;
    const Span span = ReadSpan(*socket.tcp, peeks ? done : 0, error);
    if (span.size_bytes == 0) {
      return done != 0 ? static_cast<int>(done) : error;
    }
    const uint32_t piece = std::min(span.size_bytes, count - done);
    for (uint32_t i = 0; i < piece; ++i) {
      const uint32_t offset = socket.read_bytes + (peeks ? done : 0) + i;
      if (span.data[i] != StreamByte(offset, kPeerSalt)) {
        throw ScriptError("byte " + std::to_string(offset) + " is not what was sent");
      }
    }
    done += piece;
    if (!peeks) {
      socket.read_bytes += piece;
      ConsumeRead(*socket.tcp, piece, now_ns_);
    }
  }
  return static_cast<int>(done);
}

void ScriptRunner::SetOption(OpenSocket& socket, const Words& words, size_t at) {
  const std::string& option = words.at(at);
  const auto value = static_cast<uint32_t>(ParseNumber(words.at(at + 1)));
  Socket& base = socket.tcp != nullptr ? SocketOf(*socket.tcp) : SocketOf(*socket.udp);
  if (option == "ttl") {
    base.ttl = static_cast<uint8_t>(value);
  } else if (option == "tos") {
    base.type_of_service = static_cast<uint8_t>(value);
  } else if (option == "reuseaddr") {
    base.reuses_address = value != 0;
  } else if (option == "reuseport") {
    base.reuses_port = value != 0;
  } else if (option == "v6only") {
    base.is_v6_only = value != 0;
  } else if (socket.tcp == nullptr) {
    UdpOptions& options = OptionsOf(*socket.udp);
    if (option == "broadcast") {
      options.may_broadcast = value != 0;
    } else if (option == "recverr") {
      options.receives_errors = value != 0;
    } else if (option == "dontfragment") {
      options.forbids_fragments = value != 0;
    } else if (option == "mcast-ttl") {
      options.multicast_ttl = static_cast<uint8_t>(value);
    } else if (option == "mcast-loop") {
      options.loops_multicast = value != 0;
    } else if (option == "rcvbuf") {
      SetUdpBuffers(*socket.udp, value, UdpSendBuffer_bytes(*socket.udp));
    } else {
      throw ScriptError("not an option: " + option);
    }
    return;
  } else if (option == "rcvbuf") {
    SetTcpReceiveBuffer(*socket.tcp, value);
    return;
  } else if (option == "sndbuf") {
    SetTcpSendBuffer(*socket.tcp, value);
    return;
  } else {
    TcpOptions& options = OptionsOf(*socket.tcp);
    const std::map<std::string, std::function<void()>> setters = {
        {"nodelay", [&] { options.has_no_delay = value != 0; }},
        {"cork", [&] { options.is_corked = value != 0; }},
        {"quickack", [&] { options.has_quick_ack = value != 0; }},
        {"keepalive", [&] { options.has_keep_alive = value != 0; }},
        {"keepidle", [&] { options.keep_idle_s = value; }},
        {"keepintvl", [&] { options.keep_interval_s = value; }},
        {"keepcnt", [&] { options.keep_count = value; }},
        {"usertimeout", [&] { options.user_timeout_ms = value; }},
        {"syncnt", [&] { options.syn_retries = value; }},
        {"maxseg", [&] { options.max_segment_bytes = value; }},
        {"defer", [&] { options.defer_accept_s = value; }},
        {"linger2", [&] { options.linger2_s = static_cast<int32_t>(value); }},
        {"clamp", [&] { options.window_clamp_bytes = value; }},
        {"linger", [&] { options.lingers = true, options.linger_s = value; }},
    };
    const auto found = setters.find(option);
    if (found == setters.end()) {
      throw ScriptError("not an option: " + option);
    }
    found->second();
  }
  if (socket.tcp != nullptr) {
    TcpOptionsChanged(*socket.tcp, now_ns_);
  }
}

// `info cwnd 10000`, `info rtt 50000..60000`
void ScriptRunner::CheckInfo(OpenSocket& socket, const Words& words, size_t at) {
  const TcpInfo info = InfoOf(*socket.tcp, now_ns_);
  const std::map<std::string, uint64_t> values = {
      {"retransmits", info.retransmits},
      {"probes", info.probes},
      {"backoff", info.backoff},
      {"rto", info.rto_us},
      {"rtt", info.rtt_us},
      {"rttvar", info.rtt_variance_us},
      {"cwnd", info.congestion_window},
      {"ssthresh", info.slow_start_threshold},
      {"unacked", info.unacked},
      {"sacked", info.sacked},
      {"lost", info.lost},
      {"total_retransmits", info.total_retransmits},
      {"mss", info.send_mss_bytes},
      {"mtu", info.path_mtu_bytes},
      {"acked", info.bytes_acked},
      {"received", info.bytes_received},
      {"snd_wscale", info.send_window_scale},
      {"rcv_wscale", info.receive_window_scale},
      {"readable", Readable_bytes(*socket.tcp)},
      {"unsent", Unsent_bytes(*socket.tcp)},
      {"outq", Unacknowledged_bytes(*socket.tcp)},
      {"room", WriteRoom_bytes(*socket.tcp)},
      {"retransmitted", info.retransmitted},
      {"queue", AcceptQueue_length(*socket.tcp)},
      {"sndbuf", TcpSendBuffer_bytes(*socket.tcp)},
      {"rcvbuf", TcpReceiveBuffer_bytes(*socket.tcp)},
  };
  const auto found = values.find(words.at(at));
  if (found == values.end()) {
    throw ScriptError("TCP_INFO has no " + words.at(at));
  }
  const std::string& range = words.at(at + 1);
  const size_t dots = range.find("..");
  const auto least = static_cast<uint64_t>(ParseNumber(range.substr(0, dots)));
  const uint64_t most = dots == std::string::npos ? least : static_cast<uint64_t>(ParseNumber(range.substr(dots + 2)));
  if (found->second < least || found->second > most) {
    throw ScriptError("expected " + words[at] + " " + range + ", got " + std::to_string(found->second));
  }
}

void ScriptRunner::CheckCounter(const Words& words, size_t at) {
  const StackCounters& c = CountersOf(*stack_);
  const std::map<std::string, uint64_t> values = {
      {"ip_malformed", c.ip_malformed},
      {"ip_bad_address", c.ip_bad_address},
      {"ip_no_protocol", c.ip_no_protocol},
      {"reassembled", c.reassembled},
      {"reassembly_failed", c.reassembly_failed},
      {"icmp_malformed", c.icmp_malformed},
      {"icmp_limited", c.icmp_limited},
      {"udp_in", c.udp_in},
      {"udp_no_port", c.udp_no_port},
      {"udp_malformed", c.udp_malformed},
      {"udp_full", c.udp_full},
      {"tcp_in", c.tcp_in},
      {"active_opens", c.tcp_active_opens},
      {"passive_opens", c.tcp_passive_opens},
      {"attempt_fails", c.tcp_attempt_fails},
      {"resets_in", c.tcp_resets_in},
      {"resets_out", c.tcp_resets_out},
      {"tcp_malformed", c.tcp_malformed},
      {"retransmits", c.tcp_retransmits},
      {"fast_retransmits", c.tcp_fast_retransmits},
      {"timeouts", c.tcp_timeouts},
      {"tail_probes", c.tcp_tail_probes},
      {"listen_overflows", c.tcp_listen_overflows},
      {"cookies_sent", c.tcp_cookies_sent},
      {"cookies_good", c.tcp_cookies_good},
      {"cookies_bad", c.tcp_cookies_bad},
      {"challenge_acks", c.tcp_challenge_acks},
      {"out_of_order", c.tcp_out_of_order},
      {"delayed_acks", c.tcp_delayed_acks},
      {"zero_window_probes", c.tcp_zero_window_probes},
      {"neighbour_failures", c.neighbour_failures},
      {"arp_conflicts", c.arp_conflicts},
      {"connections", HasConnections(*stack_) ? 1 : 0},
  };
  const auto found = values.find(words.at(at));
  if (found == values.end()) {
    throw ScriptError("there is no counter " + words.at(at));
  }
  if (found->second != static_cast<uint64_t>(ParseNumber(words.at(at + 1)))) {
    throw ScriptError("expected " + words[at] + " " + words[at + 1] + ", got " + std::to_string(found->second));
  }
}

// `passive [<options>] [win N] [rtt T]` and `active …`: a handshake as it is usual, so that scripts can begin behind it.
void ScriptRunner::Establish(bool is_active, const Words& words, size_t at) {
  std::string options = "<mss 1000,sackOK,wscale 0>";
  for (size_t i = at; i < words.size(); ++i) {
    options = words[i].front() == '<' ? words[i] : options;
  }
  const std::string win = std::to_string(NumberBehind(words, at, "win", 65535));
  const std::string* const rtt = ValueBehind(words, at, "rtt");
  const std::string wait = rtt == nullptr ? "" : "+" + *rtt + " ";
  std::vector<std::string> lines;
  if (is_active) {
    lines = {"connect", "> S 0:0(0) <...>", wait + "< S. 0:0(0) ack 1 win " + win + " " + options, "> . 1:1(0) ack 1",
             "s: poll OUT"};
  } else {
    lines = {"< S 0:0(0) win " + win + " " + options, "> S. 0:0(0) ack 1 <...>", wait + "< . 1:1(0) ack 1 win " + win,
             "accept"};
    if (!sockets_.contains("l") || StateOf(*sockets_["l"].tcp) != TcpState::kListen) {
      lines.insert(lines.begin(), "listen");
    }
  }
  for (const std::string& line : lines) {
    RunLine(line);
  }
}

bool ScriptRunner::RunTcpCall(const std::string& name, const std::string& verb, const Words& words, size_t at) {
  const std::string own = name.empty() ? "s" : name;
  if (verb == "tcp") {
    Add(own, NewTcpSocket(*stack_, is_v6_), nullptr);
  } else if (verb == "listen") {
    Listen(name.empty() ? "l" : name, words, at);
  } else if (verb == "connect") {
    Connect(own, words, at);
  } else if (verb == "passive" || verb == "active") {
    Establish(verb == "active", words, at);
  } else if (verb == "accept") {
    const std::string* const from = ValueBehind(words, at, "from");
    TcpSocket* const accepted = AcceptTcp(*Find(from == nullptr ? "l" : *from).tcp);
    ExpectResult(words, at, accepted == nullptr ? -EAGAIN : 0, 0);
    if (accepted != nullptr) {
      Add(own, accepted, nullptr);
    }
  } else if (verb == "bind") {
    const std::string* const address = ValueBehind(words, at, "address");
    const Endpoint local{address == nullptr ? AnyAddress(is_v6_) : codec_->AddressOf(*address),
                         static_cast<uint16_t>(ParseNumber(words.at(at)))};
    ExpectResult(words, at, BindTcp(*Find(own).tcp, local), 0);
  } else if (verb == "write") {
    const auto count = static_cast<uint32_t>(ParseNumber(words.at(at)));
    ExpectResult(words, at, Write(Find(own), count, IsWord(words, at + 1, "more")), count);
  } else if (verb == "read" || verb == "peek") {
    const auto count = static_cast<uint32_t>(ParseNumber(words.at(at)));
    ExpectResult(words, at, Read(Find(own), count, verb == "peek"), count);
  } else if (verb == "shutdown") {
    const std::string& side = words.at(at);
    ExpectResult(words, at, ShutdownTcp(*Find(own).tcp, side == "r" ? 1 : side == "w" ? 2 : 3, now_ns_), 0);
  } else if (verb == "close") {
    TcpSocket* const tcp = Find(own).tcp;
    SocketOf(*tcp).notify = nullptr;
    sockets_.erase(own);
    CloseTcp(*tcp, now_ns_);
  } else if (verb == "abort") {
    AbortTcp(*Find(own).tcp, ECONNABORTED, now_ns_);
  } else if (verb == "set") {
    SetOption(Find(own), words, at);
  } else if (verb == "info") {
    CheckInfo(Find(own), words, at);
  } else if (verb == "error") {
    ExpectResult(words, at, TakeError(SocketOf(*Find(own).tcp)), 0);
  } else if (verb == "state") {
    const auto got = static_cast<int>(StateOf(*Find(own).tcp));
    if (got != ValueOf(kStates, words.at(at))) {
      throw ScriptError("expected the state " + words[at] + ", got " + std::to_string(got));
    }
  } else if (verb == "poll" || verb == "notified") {
    uint32_t expected = 0;
    for (size_t i = at; i < words.size(); ++i) {
      expected |= words[i] == "nothing" ? 0 : static_cast<uint32_t>(ValueOf(kEvents, words[i]));
    }
    OpenSocket& socket = Find(own);
    constexpr uint32_t kSeen = POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR;
    const uint32_t got = (verb == "poll" ? PollTcp(*socket.tcp) : socket.events) & kSeen;
    socket.events = 0;
    if (got != expected) {
      throw ScriptError("expected " + EventsText(expected) + ", got " + EventsText(got));
    }
  } else {
    return false;
  }
  return true;
}

bool ScriptRunner::RunUdpCall(const std::string& name, const std::string& verb, const Words& words, size_t at) {
  const std::string own = name.empty() ? "u" : name;
  if (verb == "udp" || verb == "ping") {
    const uint32_t port = NumberBehind(words, at, "port", verb == "ping" ? 77 : codec_->own_port);
    OpenSocket& socket =
        Add(own, nullptr, verb == "ping" ? NewPingSocket(*stack_, is_v6_) : NewUdpSocket(*stack_, is_v6_));
    const std::string* const address = ValueBehind(words, at, "address");
    if (!IsWord(words, at, "unbound")) {
      ExpectResult(words, at,
                   BindUdp(*socket.udp, {address == nullptr ? AnyAddress(is_v6_) : codec_->AddressOf(*address),
                                         static_cast<uint16_t>(port)}),
                   0);
    }
    return true;
  }
  UdpSocket& udp = *Find(own).udp;
  const std::string* const to = ValueBehind(words, at, "to");
  const Endpoint remote{codec_->AddressOf(to == nullptr ? "peer" : *to),
                        static_cast<uint16_t>(NumberBehind(words, at, "port", codec_->peer_port))};
  if (verb == "send") {
    const auto count = static_cast<uint32_t>(ParseNumber(words.at(at)));
    Span span;
    int result = BeginUdp(udp, IsWord(words, at + 1, "connected") ? nullptr : &remote, nullptr, count, span, now_ns_);
    if (result == 0) {
      if (span.size_bytes != count) {
        throw ScriptError("the span has another size");
      }
      for (uint32_t i = 0; i < count; ++i) {
        span.data[i] = StreamByte(i, kOwnSalt);
      }
      if (IsWord(words, at + 1, "echo")) {
        throw ScriptError("use `send N`");
      }
      result = SendUdp(udp, now_ns_);
    }
    ExpectResult(words, at, result == 0 ? static_cast<int>(count) : result, count);
  } else if (verb == "recv") {
    Datagram datagram;
    if (!PeekUdp(udp, datagram)) {
      const int error = TakeError(SocketOf(udp));
      ExpectResult(words, at, error != 0 ? error : -EAGAIN, 0);
      return true;
    }
    uint32_t done = 0;
    const uint32_t salt = NumberBehind(words, at, "data", kPeerSalt);
    for (Span span = ReadUdp(udp, 0); span.size_bytes != 0; span = ReadUdp(udp, done)) {
      for (uint32_t i = 0; i < span.size_bytes && !IsWord(words, at + 1, "anydata"); ++i) {
        if (span.data[i] != StreamByte(done + i, salt)) {
          throw ScriptError("byte " + std::to_string(done + i) + " is not what was sent");
        }
      }
      done += span.size_bytes;
    }
    PopUdp(udp);
    if (done != datagram.size_bytes) {
      throw ScriptError("the datagram has another size than it says");
    }
    ExpectResult(words, at, done, ParseNumber(words.at(at)));
  } else if (verb == "connect") {
    ExpectResult(words, at, ConnectUdp(udp, remote), 0);
  } else if (verb == "join" || verb == "leave") {
    const IpAddress group = codec_->AddressOf(words.at(at));
    const uint32_t index = wire_.device.index;
    ExpectResult(words, at, verb == "join" ? JoinMulticast(udp, group, index) : LeaveMulticast(udp, group, index), 0);
  } else if (verb == "close") {
    SocketOf(udp).notify = nullptr;
    sockets_.erase(own);
    CloseUdp(udp);
  } else if (verb == "set") {
    SetOption(Find(own), words, at);
  } else if (verb == "error") {
    ExpectResult(words, at, TakeError(SocketOf(udp)), 0);
  } else {
    return false;
  }
  return true;
}

bool ScriptRunner::RunStackCall(const std::string& verb, const Words& words, size_t at) {
  if (verb == "counter") {
    CheckCounter(words, at);
  } else if (verb == "room") {  // so many frames more fit
    wire_.room = static_cast<size_t>(ParseNumber(words.at(at))) + wire_.sent.size();
    if (wire_.room != 0) {
      DeviceHasRoom(*stack_, wire_.device, now_ns_);
    }
    FlushNow();
  } else if (verb == "flow") {  // ports of packets that name none
    codec_->peer_port = static_cast<uint16_t>(ParseNumber(words.at(at)));
  } else if (verb == "memory") {  // that may be used beyond what is
    heap_.limit_bytes =
        words.at(at) == "all" ? ~0ULL : heap_.held_bytes + static_cast<uint64_t>(ParseNumber(words.at(at)));
  } else if (verb == "trim") {
    Trim(*stack_);
  } else if (verb == "reset-device") {
    ResetDevice(*stack_, wire_.device, now_ns_);
    FlushNow();
  } else if (verb == "remove-device") {
    RemoveDevice(*stack_, wire_.device, now_ns_);
    FlushNow();
  } else if (verb == "idle") {  // nothing is armed
    if (NextDeadline_ns(*stack_) != ~0ULL) {
      throw ScriptError("expected no deadline, got one in " +
                        std::to_string((NextDeadline_ns(*stack_) - now_ns_) / 1000) + " us");
    }
  } else {
    return false;
  }
  return true;
}

}  // namespace junction::net
