// SPDX-License-Identifier: Apache-2.0
// The only file that includes Boost.Beast (Debian's libboost-dev, header only). Its parser is used for the head alone:
// body framing is decided in framing.cc, which is stricter (no lists in Content-Length, no codings but chunked).
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cstring>

#include "ingress/head_parser.h"
#include "ingress/http_chars.h"

namespace junction::ingress {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using beast::string_view;

/// Collects what the parser reports as offsets into the parsed bytes.
template <bool isRequest>
class HeadCollector final : public http::basic_parser<isRequest> {
 public:
  HeadCollector(std::string_view bytes, MessageHead& head) : bytes_(bytes), head_(head) {
    head_.fields.clear();
    this->header_limit(static_cast<uint32_t>(bytes.size() + 1));
    this->body_limit(boost::none);
    this->skip(true);
  }

  bool too_many_fields() const { return too_many_fields_; }
  bool malformed() const { return malformed_; }

 private:
  std::string_view Text(string_view text) const { return {text.data(), text.size()}; }
  bool IsInside(string_view text) const {
    return text.empty() || (text.data() >= bytes_.data() && text.data() + text.size() <= bytes_.data() + bytes_.size());
  }
  void Refuse(beast::error_code& ec) {
    malformed_ = true;
    ec = http::error::bad_value;
  }

  void on_request_impl(http::verb, string_view method, string_view target, int version, beast::error_code&) override {
    head_.method = Text(method);
    head_.target = Text(target);
    head_.version_minor = static_cast<uint8_t>(version - 10);
    head_.fields_begin = static_cast<uint32_t>(target.data() + target.size() + 11 - bytes_.data());  // SP version CR LF
  }

  void on_response_impl(int code, string_view reason, int version, beast::error_code&) override {
    head_.status = static_cast<uint16_t>(code);
    head_.reason = Text(reason);
    head_.version_minor = static_cast<uint8_t>(version - 10);
    head_.fields_begin = static_cast<uint32_t>(reason.data() + reason.size() + 2 - bytes_.data());
  }

  void on_field_impl(http::field, string_view name, string_view value, beast::error_code& ec) override {
    if (head_.fields.size() == kMaxFields) {
      too_many_fields_ = true;
      ec = http::error::header_limit;
      return;
    }
    if (!IsInside(name) || !IsInside(value)) {
      return Refuse(ec);  // a folded value, which the parser has joined elsewhere: obs-fold (RFC 9112 section 5.2)
    }
    const char* const begin = bytes_.data();
    const char* const value_begin = value.empty() ? name.data() + name.size() + 1 : value.data();
    for (const char* p = name.data() + name.size() + 1; p < value_begin; ++p) {
      if (*p != ' ' && *p != '\t') {
        return Refuse(ec);  // obs-fold whose first line is empty
      }
    }
    const char* line_end = value_begin + value.size();
    const char* const end = begin + bytes_.size();
    while (line_end < end && (*line_end == ' ' || *line_end == '\t')) {
      ++line_end;
    }
    if (end - line_end < 2 || line_end[0] != '\r' || line_end[1] != '\n') {
      return Refuse(ec);
    }
    line_end += 2;
    if (line_end < end && (*line_end == ' ' || *line_end == '\t')) {
      return Refuse(ec);  // obs-fold
    }
    head_.fields.push_back(HeadField{
        .line_begin = static_cast<uint32_t>(name.data() - begin),
        .name_end = static_cast<uint32_t>(name.data() + name.size() - begin),
        .value_begin = static_cast<uint32_t>(value_begin - begin),
        .value_end = static_cast<uint32_t>(value_begin + value.size() - begin),
        .line_end = static_cast<uint32_t>(line_end - begin),
        .id = IdentifyField(Text(name)),
    });
  }

  void on_header_impl(beast::error_code&) override {}
  void on_body_init_impl(boost::optional<uint64_t> const&, beast::error_code&) override {}
  size_t on_body_impl(string_view body, beast::error_code&) override { return body.size(); }
  void on_chunk_header_impl(uint64_t, string_view, beast::error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, string_view body, beast::error_code&) override { return body.size(); }
  void on_finish_impl(beast::error_code&) override {}

  std::string_view bytes_;
  MessageHead& head_;
  bool too_many_fields_ = false;
  bool malformed_ = false;
};

/// True when the first line ends in a version that is well-formed and not one of ours.
bool EndsInForeignVersion(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find('\r'));
  if (line.size() < 8) {
    return false;
  }
  const std::string_view version = line.substr(line.size() - 8);
  return version.starts_with("HTTP/") && IsChar(version[5], chars::kDigit) && version[6] == '.' &&
         IsChar(version[7], chars::kDigit) && version != "HTTP/1.0" && version != "HTTP/1.1";
}

template <bool isRequest>
HeadResult Parse(std::string_view bytes, MessageHead& head) {
  HeadCollector<isRequest> collector(bytes, head);
  beast::error_code ec;
  const size_t used = collector.put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
  if (collector.malformed()) {
    return HeadResult::kMalformed;
  }
  if (collector.too_many_fields()) {
    return HeadResult::kTooManyFields;
  }
  if (ec == http::error::need_more) {
    return HeadResult::kIncomplete;
  }
  if (ec == http::error::bad_version) {
    return isRequest && EndsInForeignVersion(bytes) ? HeadResult::kBadVersion : HeadResult::kMalformed;
  }
  if (ec || !collector.is_header_done()) {
    return HeadResult::kMalformed;
  }
  if (!isRequest && head.status < 100) {
    return HeadResult::kMalformed;
  }
  head.raw = bytes.substr(0, used);
  return HeadResult::kComplete;
}

}  // namespace

HeadEndFinder::Result HeadEndFinder::Find(std::string_view bytes) {
  while (looked_at_ < bytes.size()) {
    const void* const found = std::memchr(bytes.data() + looked_at_, '\n', bytes.size() - looked_at_);
    if (found == nullptr) {
      looked_at_ = bytes.size();
      break;
    }
    const size_t at = static_cast<size_t>(static_cast<const char*>(found) - bytes.data());
    if (at == line_begin_ || bytes[at - 1] != '\r') {
      return Result::kMalformed;
    }
    looked_at_ = at + 1;
    if (at - 1 == line_begin_) {
      return Result::kFound;
    }
    line_begin_ = at + 1;
  }
  return Result::kIncomplete;
}

HeadResult ParseRequestHead(std::string_view bytes, MessageHead& head) { return Parse<true>(bytes, head); }

HeadResult ParseResponseHead(std::string_view bytes, MessageHead& head) { return Parse<false>(bytes, head); }

}  // namespace junction::ingress
