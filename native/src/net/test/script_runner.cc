// SPDX-License-Identifier: Apache-2.0
#include "net/test/script_runner.h"

#include <fstream>

namespace junction::net {
namespace {

constexpr uint64_t kSecond_ns = 1000ULL * 1000 * 1000;
constexpr uint64_t kTolerance_ns = 1000 * 1000;

uint64_t ParseSeconds(const std::string& word) {
  char* end = nullptr;
  const double seconds = std::strtod(word.c_str(), &end);
  if (word.empty() || *end != 0 || seconds < 0) {
    throw ScriptError("not a time: " + word);
  }
  return static_cast<uint64_t>(seconds * 1e9 + 0.5);
}
std::string SecondsText(uint64_t ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6f", static_cast<double>(ns) / 1e9);
  return text;
}

std::vector<std::string> ReadLines(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    throw ScriptError("cannot read " + path);
  }
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(file, line)) {
    lines.push_back(line);
  }
  return lines;
}

void Replace(std::string& text, const std::string& what, const std::string& with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

}  // namespace

std::vector<bool> FamiliesOf(const std::string& path) {
  for (const std::string& line : ReadLines(path)) {
    if (line == "family 4") {
      return {false};
    }
    if (line == "family 6") {
      return {true};
    }
  }
  return {false, true};
}

ScriptRunner::~ScriptRunner() {
  if (stack_ != nullptr) {
    FreeStack(stack_);
  }
}

std::string ScriptRunner::Run(const std::string& path) {
  try {
    std::vector<Line> lines;
    for (const std::string& text : ReadLines(path)) {
      lines.push_back({text, static_cast<int>(lines.size()) + 1});
    }
    is_dual_ = FamiliesOf(path).size() == 2;
    RunLines(lines, 0, lines.size());
    Finish();
  } catch (const std::exception& error) {
    return path + ":" + std::to_string(line_) + ": " + error.what() + "\n" + Trace();
  }
  return "";
}

// `loop N` … `end`: $i counts from 0.
void ScriptRunner::RunLines(const std::vector<Line>& lines, size_t from, size_t to) {
  for (size_t at = from; at < to; ++at) {
    line_ = lines[at].number;
    const Words words = SplitWords(lines[at].text);
    if (words.empty()) {
      continue;
    }
    if (words[0] != "loop") {
      RunLine(lines[at].text);
      continue;
    }
    size_t end = at + 1;
    while (end < to && SplitWords(lines[end].text) != Words{"end"}) {
      ++end;
    }
    if (end == to || words.size() != 2) {
      throw ScriptError("loop N … end");
    }
    for (int64_t i = 0; i < ParseNumber(words[1]); ++i) {
      std::vector<Line> body(lines.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                             lines.begin() + static_cast<std::ptrdiff_t>(end));
      for (Line& line : body) {
        Replace(line.text, "$i", std::to_string(i));
      }
      RunLines(body, 0, body.size());
    }
    at = end;
  }
}

void ScriptRunner::RunLine(std::string text) {
  const Words words = SplitWords(text);
  if (words.empty() || Configure(words)) {
    return;
  }
  Start();
  size_t at = 0;
  bool has_time = false;
  uint64_t least = 0;
  uint64_t most = 0;
  if (words[0].front() == '+') {
    has_time = true;
    const std::string time = words[0].substr(1);
    const size_t dots = time.find("..");
    least = ParseSeconds(time.substr(0, dots));
    most = dots == std::string::npos ? least + kTolerance_ns : ParseSeconds(time.substr(dots + 2));
    least -= dots == std::string::npos ? std::min(least, kTolerance_ns) : 0;
    ++at;
  }
  if (at < words.size() && words[at] == ">") {
    ExpectPacket(words, at + 1, now_ns_ + least, now_ns_ + (has_time ? most : 0));
    return;
  }
  ExpectSilence("before this line");
  if (has_time) {
    if (words[0].find("..") != std::string::npos) {
      throw ScriptError("a range of times is for packets that go out");
    }
    StepTo(now_ns_ + ParseSeconds(words[0].substr(1)), false);
    ExpectSilence("while time passed");
  }
  if (at == words.size()) {
    return;
  }
  if (words[at] == "<") {
    ReceivePacket(words, at + 1);
  } else {
    RunCall(words, at);
  }
}

// What holds before the stack begins. Numbers of the device: `mtu 1500`, `tso 65535`, `blank`, `trusts`, `p2p`.
bool ScriptRunner::Configure(const Words& words) {
  const std::string& verb = words[0];
  const bool is_known = verb == "family" || verb == "mtu" || verb == "tso" || verb == "blank" || verb == "trusts" ||
                        verb == "p2p" || verb == "neighbours" || verb == "announcements" || verb == "pool" ||
                        verb == "noecho" || verb == "ports";
  if (!is_known) {
    return false;
  }
  if (stack_ != nullptr) {
    throw ScriptError("too late for " + verb);
  }
  const auto number = [&](size_t index) { return static_cast<uint32_t>(ParseNumber(words.at(index))); };
  Device& device = wire_.device;
  if (verb == "mtu") {
    device.mtu_bytes = static_cast<uint16_t>(PacketCodec(is_v6_, is_dual_).MtuOf(number(1)));
  } else if (verb == "tso") {
    device.segment_max_bytes = number(1);
  } else if (verb == "blank") {
    device.has_blank_checksums = true;
  } else if (verb == "trusts") {
    device.trusts_checksums = true;
  } else if (verb == "p2p") {
    device.is_point_to_point = true;
    std::memcpy(device.peer_mac, kPeerMac, 6);
    knows_neighbours_ = false;
  } else if (verb == "neighbours") {
    knows_neighbours_ = false;
  } else if (verb == "announcements") {
    keeps_announcements_ = true;
  } else if (verb == "pool") {
    options_.pool_limit_bytes = number(1);
  } else if (verb == "noecho") {
    options_.answers_echo = false;
  } else if (verb == "ports") {
    options_.ephemeral_low = static_cast<uint16_t>(number(1));
    options_.ephemeral_high = static_cast<uint16_t>(number(2));
  }
  return true;
}

void ScriptRunner::Start() {
  if (stack_ != nullptr) {
    return;
  }
  codec_ = std::make_unique<PacketCodec>(is_v6_, is_dual_);
  if (wire_.device.mtu_bytes == 1500) {
    wire_.device.mtu_bytes = static_cast<uint16_t>(codec_->MtuOf(1500));
  }
  stack_ = NewStack(heap_.environment(), options_);
  const auto must = [](int result, const char* what) {
    if (result != 0) {
      throw ScriptError(std::string("setting up the stack failed: ") + what);
    }
  };
  must(stack_ == nullptr, "NewStack");
  must(AddDevice(*stack_, wire_.device), "AddDevice");
  const uint32_t index = wire_.device.index;
  if (is_v6_) {
    must(AddAddress(*stack_, {index, kOwn6, 64}), "AddAddress");
    must(AddRoute(*stack_, {IpAddress(), 0, kPeer6, index}), "AddRoute");
  } else {
    must(AddAddress(*stack_, {index, kOwn4, 24}), "AddAddress");
    must(AddRoute(*stack_, {IpAddress::V4(0, 0, 0, 0), 0, kPeer4, index}), "AddRoute");
  }
  if (knows_neighbours_) {
    for (const char* const name : {"peer", "other"}) {
      must(AddStaticNeighbour(*stack_, index, codec_->AddressOf(name), kPeerMac), "AddStaticNeighbour");
    }
  }
  FlushNow();
  if (!keeps_announcements_) {
    sent_.clear();
    trace_.clear();
  }
  started_ns_ = now_ns_;
}

void ScriptRunner::Finish() {
  Start();
  ExpectSilence("at the end of the script");
  FreeStack(stack_);
  stack_ = nullptr;
  if (heap_.held_bytes != 0) {
    throw ScriptError("the stack has not given back " + std::to_string(heap_.held_bytes) + " bytes");
  }
}

void ScriptRunner::Collect() {
  while (!wire_.sent.empty()) {
    trace_.push_back("  " + SecondsText(now_ns_ - started_ns_) + " > " + codec_->Describe(wire_.sent.front()));
    sent_.push_back({std::move(wire_.sent.front()), now_ns_});
    wire_.sent.pop_front();
  }
}

void ScriptRunner::FlushNow() {
  Flush(*stack_, now_ns_);
  Collect();
}

// Runs the timers one deadline after the other, so that each packet has its own time.
void ScriptRunner::StepTo(uint64_t end_ns, bool until_sent) {
  constexpr int kMostSteps = 200000;
  for (int step = 0; NextDeadline_ns(*stack_) <= end_ns; ++step) {
    if (step == kMostSteps) {
      throw ScriptError("timers fire without an end");
    }
    now_ns_ = std::max(now_ns_, NextDeadline_ns(*stack_));
    RunTimers(*stack_, now_ns_);
    FlushNow();
    if (until_sent && !sent_.empty()) {
      return;
    }
  }
  now_ns_ = end_ns;
  RunTimers(*stack_, now_ns_);
  FlushNow();
}

void ScriptRunner::ReceivePacket(const Words& words, size_t from) {
  PacketSpec spec = ParsePacket(words, from);
  const uint32_t each = spec.number("each", spec.size_bytes);
  const uint32_t total = spec.size_bytes;
  for (uint32_t done = 0; done == 0 || done < total; done += each) {
    spec.size_bytes = std::min(each, total - done);
    const WireFrame frame = codec_->Encode(spec, wire_.device, now_ns_);
    spec.seq += spec.size_bytes;
    trace_.push_back("  " + SecondsText(now_ns_ - started_ns_) + " < " + spec.text);
    auto exact = std::make_unique<uint8_t[]>(frame.bytes.size());
    std::memcpy(exact.get(), frame.bytes.data(), frame.bytes.size());
    FrameView view;
    view.data = exact.get();
    view.length_bytes = static_cast<uint32_t>(frame.bytes.size());
    view.meta = frame.meta;
    Input(*stack_, wire_.device, view, now_ns_);
    Collect();
    if (each == 0) {
      break;
    }
  }
  FlushNow();
}

void ScriptRunner::ExpectPacket(const Words& words, size_t from, uint64_t least_ns, uint64_t most_ns) {
  PacketSpec spec = ParsePacket(words, from);
  spec.is_outgoing = true;
  const uint32_t each = spec.number("each", 0);
  if (each == 0) {
    ExpectOne(spec, least_ns, most_ns);
    return;
  }
  // A run of segments; what the line says about PSH and FIN holds for the last.
  const uint32_t total = spec.size_bytes;
  const std::string flags = spec.flags;
  for (uint32_t done = 0; done < total; done += each) {
    spec.size_bytes = std::min(each, total - done);
    spec.flags = flags;
    if (done + spec.size_bytes < total) {
      std::erase_if(spec.flags, [](char flag) { return flag == 'P' || flag == 'F'; });
    }
    ExpectOne(spec, done == 0 ? least_ns : now_ns_, done == 0 ? most_ns : now_ns_);
    spec.seq += spec.size_bytes;
  }
}

void ScriptRunner::ExpectOne(const PacketSpec& spec, uint64_t least_ns, uint64_t most_ns) {
  if (sent_.empty() && most_ns > now_ns_) {
    StepTo(most_ns, true);
  }
  if (sent_.empty()) {
    throw ScriptError("expected > " + spec.text + "\n  got      nothing");
  }
  const SentFrame sent = std::move(sent_.front());
  sent_.pop_front();
  codec_->Match(spec, sent.frame, wire_.device);
  if (sent.at_ns < least_ns || sent.at_ns > most_ns) {
    throw ScriptError("expected > " + spec.text + "\n  between " + SecondsText(least_ns - started_ns_) + " and " +
                      SecondsText(most_ns - started_ns_) + ", it came at " + SecondsText(sent.at_ns - started_ns_));
  }
}

void ScriptRunner::ExpectSilence(const std::string& why) {
  if (!sent_.empty()) {
    throw ScriptError("expected no packet " + why + "\n  got      > " + codec_->Describe(sent_.front().frame) + " at " +
                      SecondsText(sent_.front().at_ns - started_ns_));
  }
}

std::string ScriptRunner::Trace() const {
  std::string text = "the packets so far:\n";
  const size_t most = 60;
  for (size_t i = trace_.size() > most ? trace_.size() - most : 0; i < trace_.size(); ++i) {
    text += trace_[i] + "\n";
  }
  return text;
}

}  // namespace junction::net
