// SPDX-License-Identifier: Apache-2.0
#include "net/test/packet_spec.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>

namespace junction::net {
namespace {

// Modifiers with a value, and those without.
constexpr std::array kWithValue = {"win",    "urg",    "from", "to",   "sport", "dport", "ttl",   "tos",  "id",
                                   "each",   "gso",    "mtu",  "seq",  "mac",   "quote", "about", "frag", "content",
                                   "length", "offset", "data", "type", "code",  "dst",   "isn",   "pad"};
constexpr std::array kWithout = {"badsum",  "badipsum",    "blank",    "good",     "nodf",      "new",
                                 "unicast", "unsolicited", "nosum",    "urgent",   "options",   "badlen",
                                 "short",   "override",    "hopbyhop", "destopts", "weird",     "routing",
                                 "anyport", "anydata",     "zero",     "nots",     "solicited", "unknown"};

bool IsFlags(const std::string& word) {
  return !word.empty() && word.find_first_not_of("SFRPUEW.") == std::string::npos;
}

// "1:101(100)"
void ParseSequence(const std::string& word, PacketSpec& spec) {
  const size_t colon = word.find(':', 1);
  const size_t open = word.find('(');
  if (colon == std::string::npos || open == std::string::npos || word.back() != ')') {
    throw ScriptError("not a sequence range: " + word);
  }
  spec.seq = ParseNumber(word.substr(0, colon));
  const int64_t end = ParseNumber(word.substr(colon + 1, open - colon - 1));
  spec.size_bytes = static_cast<uint32_t>(ParseNumber(word.substr(open + 1, word.size() - open - 2)));
  if (end - spec.seq != spec.size_bytes) {
    throw ScriptError("the range does not have that length: " + word);
  }
}

void ParseOptions(const std::string& word, PacketSpec& spec) {
  spec.has_options = true;
  const std::string inner = word.substr(1, word.size() - 2);
  if (inner == "...") {
    spec.has_any_options = true;
    return;
  }
  std::stringstream list(inner);
  std::string item;
  while (std::getline(list, item, ',')) {
    std::stringstream parts(item);
    OptionSpec option;
    parts >> option.name;
    std::string value;
    while (parts >> value) {
      option.values.push_back(value);
    }
    spec.options.push_back(option);
  }
}

size_t ParseHead(const std::vector<std::string>& words, size_t at, PacketSpec& spec) {
  const auto next = [&]() -> const std::string& {
    if (at >= words.size()) {
      throw ScriptError("the packet is incomplete");
    }
    return words[at++];
  };
  const std::string& first = next();
  if (IsFlags(first)) {
    spec.flags = first;
    ParseSequence(next(), spec);
  } else if (first == "udp") {
    spec.kind = PacketKind::kUdp;
    spec.size_bytes = static_cast<uint32_t>(ParseNumber(next()));
  } else if (first == "icmp") {
    spec.kind = PacketKind::kIcmpError;
    spec.name = next();
  } else if (first == "echo" || first == "reply") {
    spec.kind = first == "echo" ? PacketKind::kEcho : PacketKind::kEchoReply;
    spec.size_bytes = static_cast<uint32_t>(ParseNumber(next()));
  } else if (first == "ask" || first == "answer" || first == "announce") {
    spec.kind = first == "ask" ? PacketKind::kAsk : first == "answer" ? PacketKind::kAnswer : PacketKind::kAnnounce;
    spec.target = next();
  } else if (first == "ip") {
    spec.kind = PacketKind::kProtocol;
    spec.protocol = static_cast<uint32_t>(ParseNumber(next()));
    spec.size_bytes = static_cast<uint32_t>(ParseNumber(next()));
  } else {
    throw ScriptError("not a packet: " + first);
  }
  return at;
}

}  // namespace

uint32_t PacketSpec::number(const std::string& modifier, uint32_t otherwise) const {
  const auto found = modifiers.find(modifier);
  return found == modifiers.end() ? otherwise : static_cast<uint32_t>(ParseNumber(found->second));
}

std::vector<std::string> SplitWords(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool in_options = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '#' && !in_options) {
      break;
    }
    const bool opens = c == '<' && i + 1 < line.size() && line[i + 1] != ' ';
    in_options = in_options ? c != '>' : opens;
    if ((c == ' ' || c == '\t') && !in_options) {
      if (!word.empty()) {
        words.push_back(word);
      }
      word.clear();
      continue;
    }
    word += c;
  }
  if (!word.empty()) {
    words.push_back(word);
  }
  return words;
}

int64_t ParseNumber(const std::string& word) {
  const size_t plus = word.find('+', 1);
  if (plus != std::string::npos) {
    return ParseNumber(word.substr(0, plus)) + ParseNumber(word.substr(plus + 1));
  }
  char* end = nullptr;
  const int64_t value = std::strtoll(word.c_str(), &end, 0);
  if (word.empty() || *end != 0) {
    throw ScriptError("not a number: " + word);
  }
  return value;
}

PacketSpec ParsePacket(const std::vector<std::string>& words, size_t from) {
  PacketSpec spec;
  size_t at = ParseHead(words, from, spec);
  for (; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word.front() == '<') {
      ParseOptions(word, spec);
    } else if (std::ranges::find(kWithout, word) != kWithout.end()) {
      spec.modifiers[word] = "1";
    } else if (at + 1 < words.size() && word == "ack") {
      spec.ack = ParseNumber(words[++at]);
    } else if (at + 1 < words.size() && std::ranges::find(kWithValue, word) != kWithValue.end()) {
      spec.modifiers[word] = words[at + 1];
      ++at;
    } else {
      throw ScriptError("not known: " + word);
    }
  }
  if (spec.kind == PacketKind::kTcp && spec.has_flag('.') != spec.ack.has_value()) {
    throw ScriptError("the flag '.' and `ack N` go together");
  }
  for (size_t i = from; i < words.size(); ++i) {
    spec.text += (i == from ? "" : " ") + words[i];
  }
  return spec;
}

}  // namespace junction::net
