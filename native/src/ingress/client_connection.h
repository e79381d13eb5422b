// SPDX-License-Identifier: Apache-2.0
// A client's connection and the one request that it has under way. Requests that follow (pipelining) stay in the buffer
// or the socket until the answer before them is complete.
#pragma once

#include <array>
#include <cstdint>

#include "base/unique_fd.h"
#include "ingress/body_decoder.h"
#include "ingress/buffer_pool.h"
#include "ingress/call_identity.h"
#include "ingress/event_loop.h"
#include "ingress/head_parser.h"
#include "ingress/outgoing.h"
#include "ingress/spin_governor.h"

namespace junction::ingress {

struct FunctionEntry;
struct ReplicaPool;
struct UpstreamConnection;
struct ClientTag;
struct IdleTag;
struct WaitTag;

/// One request and its answer.
struct Exchange {
  enum class Stage : uint8_t {
    kNone,
    kHeld,       // waits for a first replica          -> kSent, kOwnAnswer
    kQueued,     // waits for a place (max_inflight)   -> kSent, kOwnAnswer
    kSent,       // has a next hop; nothing of the final answer has been passed on -> kAnswering, kOwnAnswer
    kAnswering,  // the answer's head is on its way to the client
    kOwnAnswer,  // the ingress answers itself
  };

  Stage stage = Stage::kNone;
  bool keep_alive = true;         // the client's connection stays open behind this exchange
  bool to_http10 = false;         // the client speaks HTTP/1.0
  bool to_head = false;           // HEAD
  bool expects_continue = false;  // and has not been told to continue yet
  bool replayable = true;         // the whole request, as far as it was sent, is still in our buffers
  bool retried = false;           // has been sent again once because a pooled connection was stale
  bool request_cut = false;       // the next hop takes no more of the request; its answer may still come
  bool answer_done = false;       // all of the answer has been read (and, if any, decoded)
  bool answer_chunked = false;    // the client gets it in chunks
  bool answer_seen = false;       // a byte of the final answer has gone out: it can only be cut off now
  bool upstream_keep_alive = false;
  bool counts = false;  // counted in flight at its function
  uint8_t method = 0;   // MethodIndex
  uint8_t route = 0;    // RouteIndex
  uint16_t status = 0;  // that the client gets

  FunctionEntry* function = nullptr;       // null: the API's, or none
  UpstreamConnection* upstream = nullptr;  // from kSent on, until its answer has been read
  ReplicaPool* pool = nullptr;             // whose place it takes up
  std::array<ReplicaPool*, 4> tried{};     // could not be connected to
  uint8_t tried_count = 0;

  Buffer* request_head = nullptr;  // as sent to the next hop; kept for a replay
  Outgoing to_upstream;
  BodyDecoder request_body;
  // Decoded body in the client's buffer that has been or is being sent: [body_begin, body_end), before buffer->begin.
  uint32_t body_begin = 0;
  uint32_t body_end = 0;

  Buffer* answer = nullptr;       // as read from the next hop
  Buffer* answer_head = nullptr;  // as sent to the client
  BodyDecoder answer_body;
  HeadEndFinder answer_end;

  uint64_t start_ns = 0;
  uint64_t deadline_ms = kNever;        // of the whole exchange
  uint64_t queue_deadline_ms = kNever;  // of kQueued
  CallIdentity call;
};

struct ClientConnection : EventTarget, ListNode<ClientTag>, ListNode<IdleTag>, ListNode<WaitTag> {
  ClientConnection() : EventTarget(Kind::kClient) {}

  enum class Phase : uint8_t {
    kIdle,      // between requests, no byte of the next has come -> kHead
    kHead,      // reads a head                                   -> kExchange, kIdle (blank line only)
    kExchange,  // see Exchange::Stage                            -> kIdle, kHead, kDiscard, kLinger
    kDiscard,   // reads on to the end of a body nobody wants     -> kIdle, kHead
    kLinger,    // has shut down its side and drops what comes, so that the last answer is not lost in a reset
  };

  UniqueFd fd;
  Phase phase = Phase::kIdle;
  bool readable = false;
  bool is_local = false;     // of this machine, over loopback
  bool peer_closed = false;  // EPOLLRDHUP, EPOLLHUP or EPOLLERR has come
  bool broken = false;       // EPOLLERR or EPOLLHUP: both directions are dead
  Buffer* in = nullptr;      // null when there are no bytes
  HeadEndFinder head_end;
  Outgoing out;
  uint64_t stall_deadline_ms = kNever;  // by then the client must have taken or sent something
  uint64_t discard_left = 0;            // bytes that kDiscard and kLinger still put up with
  GapPredictor think_gap;
  uint8_t peer_ip_length = 0;
  char peer_ip[46];
  Exchange exchange;
};

}  // namespace junction::ingress
