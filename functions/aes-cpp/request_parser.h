// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

struct Request {
  std::string method;
  std::string target;
  std::string body;
  bool keep_alive = true;
};

// Reads one HTTP/1.1 request (RFC 9112) piece by piece. Bodies come with a Content-Length or chunked.
// What could be read in two ways (both lengths, two different ones, a space before a colon) is refused.
class RequestParser {
 public:
  static constexpr size_t kMaxHeadBytes = 64 * 1024;
  static constexpr size_t kMaxBodyBytes = 64 * 1024 * 1024;  // bounds the memory of one request

  // Takes bytes from the front of `input` and returns how many. It stops at the end of the request,
  // so that what follows belongs to the next one.
  size_t Feed(std::string_view input);

  bool complete() const { return state_ == State::kComplete; }
  // The status to answer a request that cannot be read, or 0. The connection must end after it.
  int error_status() const { return error_status_; }
  // Whether no byte of a request has arrived yet.
  bool idle() const { return state_ == State::kRequestLine && line_.empty(); }
  // Says once, when the head has been read, that the client waits for "100 Continue".
  bool TakeExpectsContinue();
  // Takes the complete request and starts over.
  Request Take();

 private:
  enum class State {
    kRequestLine,  // -> kHeaderLine
    kHeaderLine,   // until an empty line -> kBody, kChunkSize or kComplete
    kBody,         // Content-Length bytes -> kComplete
    kChunkSize,    // -> kChunkData, or kTrailer after the last chunk
    kChunkData,    // -> kChunkEnd
    kChunkEnd,     // the line end behind the data -> kChunkSize
    kTrailer,      // until an empty line -> kComplete
    kComplete,     // Take() -> kRequestLine
    kError,        // no exit: error_status() says why
  };

  void OnLine();
  void OnRequestLine();
  void OnHeaderLine();
  void OnEndOfHead();
  void OnChunkSize();
  void Fail(int status);

  State state_ = State::kRequestLine;
  Request request_;
  std::string line_;
  size_t head_bytes_ = 0;
  size_t body_left_ = 0;  // of the body or of the current chunk
  bool has_length_ = false;
  bool is_chunked_ = false;
  bool has_host_ = false;
  bool expects_continue_ = false;
  bool is_http_1_0_ = false;
  int error_status_ = 0;
};
