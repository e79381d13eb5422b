// SPDX-License-Identifier: Apache-2.0
#include "request_parser.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace {

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Digits only: no sign, no space, nothing behind them.
bool ParseNumber(std::string_view text, int base, size_t* number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *number, base);
  return error == std::errc() && stop == end;
}

bool HasToken(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (EqualsIgnoringCase(Trim(list.substr(0, comma)), token)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

size_t RequestParser::Feed(std::string_view input) {
  size_t taken = 0;
  while (taken < input.size() && state_ != State::kComplete && state_ != State::kError) {
    const std::string_view rest = input.substr(taken);
    if (state_ == State::kBody || state_ == State::kChunkData) {
      const size_t size_bytes = std::min(rest.size(), body_left_);
      request_.body.append(rest.substr(0, size_bytes));
      taken += size_bytes;
      body_left_ -= size_bytes;
      if (body_left_ == 0) state_ = state_ == State::kBody ? State::kComplete : State::kChunkEnd;
      continue;
    }
    const size_t line_end = rest.find('\n');
    const size_t size_bytes = line_end == std::string_view::npos ? rest.size() : line_end + 1;
    taken += size_bytes;
    head_bytes_ += size_bytes;
    if (head_bytes_ > kMaxHeadBytes) {
      Fail(431);
      break;
    }
    line_.append(rest.substr(0, size_bytes));
    if (line_end == std::string_view::npos) break;
    line_.pop_back();
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    OnLine();
    line_.clear();
  }
  return taken;
}

void RequestParser::OnLine() {
  switch (state_) {
    case State::kRequestLine:
      return OnRequestLine();
    case State::kHeaderLine:
      return line_.empty() ? OnEndOfHead() : OnHeaderLine();
    case State::kChunkSize:
      return OnChunkSize();
    case State::kChunkEnd:
      // The chunk lines of a long body must not add up to the limit of a head.
      head_bytes_ = 0;
      if (!line_.empty()) return Fail(400);
      state_ = State::kChunkSize;
      return;
    case State::kTrailer:
      if (line_.empty()) state_ = State::kComplete;
      return;
    case State::kBody:
    case State::kChunkData:
    case State::kComplete:
    case State::kError:
      return;
  }
}

void RequestParser::OnRequestLine() {
  if (line_.empty()) return;  // RFC 9112, 2.2: an empty line before a request is skipped
  const size_t first = line_.find(' ');
  const size_t last = line_.rfind(' ');
  if (first == 0 || first == std::string::npos || last == first) return Fail(400);
  const std::string_view version = std::string_view(line_).substr(last + 1);
  request_.method = line_.substr(0, first);
  request_.target = line_.substr(first + 1, last - first - 1);
  if (request_.target.empty() || request_.target.find(' ') != std::string::npos) return Fail(400);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return Fail(505);
  is_http_1_0_ = version == "HTTP/1.0";
  request_.keep_alive = !is_http_1_0_;
  state_ = State::kHeaderLine;
}

void RequestParser::OnHeaderLine() {
  const std::string_view line = line_;
  const size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos) return Fail(400);
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = Trim(line.substr(colon + 1));
  if (name.find_first_of(" \t") != std::string_view::npos) return Fail(400);

  if (EqualsIgnoringCase(name, "Content-Length")) {
    size_t length = 0;
    if (!ParseNumber(value, 10, &length) || (has_length_ && length != body_left_)) return Fail(400);
    has_length_ = true;
    body_left_ = length;
  } else if (EqualsIgnoringCase(name, "Transfer-Encoding")) {
    if (is_chunked_ || !EqualsIgnoringCase(value, "chunked")) return Fail(501);
    is_chunked_ = true;
  } else if (EqualsIgnoringCase(name, "Connection")) {
    if (HasToken(value, "close")) request_.keep_alive = false;
    if (is_http_1_0_ && HasToken(value, "keep-alive")) request_.keep_alive = true;
  } else if (EqualsIgnoringCase(name, "Expect")) {
    if (!EqualsIgnoringCase(value, "100-continue")) return Fail(417);
    expects_continue_ = true;
  } else if (EqualsIgnoringCase(name, "Host")) {
    has_host_ = true;
  }
}

void RequestParser::OnEndOfHead() {
  if (!has_host_ && !is_http_1_0_) return Fail(400);
  if (is_chunked_ && (has_length_ || is_http_1_0_)) return Fail(400);
  if (body_left_ > kMaxBodyBytes) return Fail(413);
  head_bytes_ = 0;
  if (is_chunked_) {
    state_ = State::kChunkSize;
  } else if (body_left_ > 0) {
    request_.body.reserve(body_left_);
    state_ = State::kBody;
  } else {
    state_ = State::kComplete;
  }
}

void RequestParser::OnChunkSize() {
  const std::string_view size_text = std::string_view(line_).substr(0, line_.find(';'));
  if (!ParseNumber(Trim(size_text), 16, &body_left_)) return Fail(400);
  if (body_left_ > kMaxBodyBytes - request_.body.size()) return Fail(413);
  state_ = body_left_ > 0 ? State::kChunkData : State::kTrailer;
}

void RequestParser::Fail(int status) {
  state_ = State::kError;
  error_status_ = status;
}

bool RequestParser::TakeExpectsContinue() {
  const bool is_waiting = state_ == State::kBody || state_ == State::kChunkSize;
  return is_waiting && std::exchange(expects_continue_, false);
}

Request RequestParser::Take() {
  Request request = std::move(request_);
  *this = RequestParser();
  return request;
}
