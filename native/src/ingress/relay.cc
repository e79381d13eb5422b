// SPDX-License-Identifier: Apache-2.0
// Hot path: a small exchange is one write to the next hop, one read from it and one write to the client.
#include "ingress/relay.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "ingress/clients.h"
#include "ingress/dispatcher.h"
#include "ingress/framing.h"
#include "ingress/function_entry.h"
#include "ingress/head_writer.h"
#include "ingress/upstreams.h"

namespace junction::ingress {
namespace {

using Stage = Exchange::Stage;

// Reads in a row for one exchange before others have their turn.
constexpr int kStepsATurn = 16;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

bool HasNextHop(const Exchange& x) { return x.stage == Stage::kSent || x.stage == Stage::kAnswering; }

/// Room for the next read: at the start when all has been passed on, in a large buffer when reads fill the small one.
void MakeBodyRoom(BufferPool& pool, Buffer*& buffer, bool is_bulk) {
  if (buffer->begin > 0) {
    const uint32_t left = buffer->end - buffer->begin;
    std::memmove(buffer->data(), buffer->data() + buffer->begin, left);
    buffer->begin = 0;
    buffer->end = left;
  }
  if (is_bulk && buffer->capacity < BufferPool::kLarge) {
    buffer = pool.Grow(buffer, BufferPool::kLarge);
  }
}

}  // namespace

int Relay::Start(ClientConnection& client, ReplicaPool& pool, bool fresh) {
  Exchange& x = client.exchange;
  UpstreamConnection* connection = fresh ? nullptr : core_.upstreams->TakeIdle(pool);
  if (connection == nullptr) {
    auto opened = core_.upstreams->Open(pool, fresh);
    if (!opened) {
      return opened.error().code;
    }
    connection = *opened;
  }
  connection->user = &client;
  x.upstream = connection;
  x.stage = Stage::kSent;
  x.request_cut = false;
  x.to_upstream.Clear();
  x.to_upstream.AddText(x.request_head->unread());
  if (!DecodeRequestBody(client)) {
    return 0;
  }
  const std::string_view body(client.in->data() + x.body_begin, x.body_end - x.body_begin);
  const bool is_chunked = x.request_body.kind() == BodyKind::kChunked;
  if (!body.empty() || (is_chunked && x.request_body.done())) {
    x.to_upstream.AddBody(body, is_chunked, x.request_body.done());
  }
  if (x.expects_continue) {
    x.expects_continue = false;
    if (!x.request_body.done() && body.empty()) {
      client.out.AddText(kContinue);
    }
  }
  core_.loop.Expect(x.function != nullptr ? &x.function->service_gap : nullptr);
  Pump(client);
  return 0;
}

void Relay::Pump(ClientConnection& client) {
  if (PumpRequest(client) == Step::kOver) {
    return;
  }
  Step step = Step::kGoOn;
  for (int i = 0; step == Step::kGoOn; ++i) {
    if (i == kStepsATurn) {
      core_.loop.MakeReady(client);
      return;
    }
    step = PumpAnswer(client);
  }
}

// The request's way.

Relay::Step Relay::PumpRequest(ClientConnection& client) {
  Exchange& x = client.exchange;
  for (int i = 0; HasNextHop(x) && x.upstream != nullptr && !x.request_cut; ++i) {
    if (!x.to_upstream.empty()) {
      if (const Step step = SendRequest(client); step != Step::kGoOn) {
        return step;
      }
    }
    if (x.request_cut || x.request_body.done()) {
      break;
    }
    if (i == kStepsATurn) {
      core_.loop.MakeReady(client);
      break;
    }
    if (const Step step = ReadRequest(client); step != Step::kGoOn) {
      return step;
    }
  }
  return Step::kGoOn;
}

Relay::Step Relay::SendRequest(ClientConnection& client) {
  Exchange& x = client.exchange;
  UpstreamConnection& connection = *x.upstream;
  if (connection.connecting && connection.pool.replica->is_gone.load(std::memory_order_relaxed)) {
    core_.dispatcher->OnConnectFailed(client, EHOSTDOWN);
    return Step::kOver;
  }
  uint64_t sent = 0;
  switch (connection.stream.Write(x.to_upstream, sent, core_.loop.now_ns())) {
    case FlushResult::kDone:
      if (connection.connecting) {
        connection.connecting = false;
        connection.deadline_ms = kNever;
      }
      return Step::kGoOn;
    case FlushResult::kBlocked:
      return Step::kWait;
    case FlushResult::kFailed:
      break;
  }
  if (connection.connecting) {
    const int error = errno;
    core_.dispatcher->OnConnectFailed(client, error);
    return Step::kOver;
  }
  // It may have answered before it stopped listening: read on.
  x.request_cut = true;
  x.to_upstream.Clear();
  connection.readable = true;
  return Step::kGoOn;
}

bool Relay::DecodeRequestBody(ClientConnection& client) {
  Exchange& x = client.exchange;
  Buffer& in = *client.in;
  if (x.request_body.done() || in.empty()) {
    return true;
  }
  size_t consumed = 0;
  size_t produced = 0;
  if (!x.request_body.Decode(in.data() + in.begin, in.unread().size(), in.data() + x.body_end, consumed, produced)) {
    if (x.stage == Stage::kAnswering) {
      core_.clients->CutAnswer(client);
    } else {
      x.keep_alive = false;
      core_.clients->Answer(client, {.status = 400, .error = "malformed chunked body"});
    }
    return false;
  }
  in.begin += static_cast<uint32_t>(consumed);
  x.body_end += static_cast<uint32_t>(produced);
  return true;
}

Relay::Step Relay::ReadRequest(ClientConnection& client) {
  Exchange& x = client.exchange;
  // What was decoded has been sent. Keep it for a replay as long as there is room behind it.
  if (client.in->empty()) {
    if (client.in->space() == 0) {
      const bool is_bulk = client.in->capacity <= BufferPool::kSmall;
      x.replayable = false;
      MakeBodyRoom(core_.buffers, client.in, is_bulk);
      x.body_begin = x.body_end = 0;
    }
    if (!client.readable) {
      if (client.out.empty()) {
        core_.clients->SetStall(client, true);
      }
      return Step::kWait;
    }
    switch (ReadOnce(client.fd.get(), *client.in, client.readable, client.peer_closed)) {
      case ReadResult::kData:
        core_.clients->SetStall(client, false);
        break;
      case ReadResult::kBlocked:
        return Step::kGoOn;
      case ReadResult::kEnd:
      case ReadResult::kFailed:
        core_.clients->Abort(client);
        return Step::kOver;
    }
  }
  const uint32_t from = x.body_end;
  if (!DecodeRequestBody(client)) {
    return Step::kOver;
  }
  const std::string_view body(client.in->data() + from, x.body_end - from);
  const bool is_done = x.request_body.done();
  if (!body.empty() || is_done) {
    x.to_upstream.AddBody(body, x.request_body.kind() == BodyKind::kChunked, is_done);
  }
  return Step::kGoOn;
}

// The answer's way.

Relay::Step Relay::PumpAnswer(ClientConnection& client) {
  Exchange& x = client.exchange;
  if (!client.out.empty()) {
    uint64_t sent = 0;
    const FlushResult flushed = client.out.Flush(client.fd.get(), sent);
    x.answer_seen = x.answer_seen || (sent > 0 && x.stage == Stage::kAnswering);
    switch (flushed) {
      case FlushResult::kDone:
        core_.clients->SetStall(client, false);
        break;
      case FlushResult::kBlocked:
        if (x.answer_done) {
          ReleaseUpstream(client);  // the function has done its part
        }
        if (sent > 0 || client.stall_deadline_ms == kNever) {
          core_.clients->SetStall(client, true);
        }
        return Step::kWait;
      case FlushResult::kFailed:
        core_.clients->Abort(client);
        return Step::kOver;
    }
  }
  if (x.answer_done) {
    if (client.is_local && core_.options.workers == 1) {  // several would only crowd one core
      core_.placement.FollowClient(client.fd.get(), core_.loop.now_ms());
    }
    ReleaseUpstream(client);
    core_.clients->Finish(client);
    return Step::kOver;
  }
  if (!HasNextHop(x) || x.upstream == nullptr || x.upstream->connecting) {
    return Step::kWait;
  }
  if (x.answer != nullptr && !x.answer->empty()) {
    return TakeAnswer(client);
  }
  return ReadAnswer(client);
}

Relay::Step Relay::ReadAnswer(ClientConnection& client) {
  Exchange& x = client.exchange;
  UpstreamConnection& connection = *x.upstream;
  if (!connection.readable) {
    return Step::kWait;
  }
  if (x.answer == nullptr) {
    x.answer = core_.buffers.Take();
  }
  Buffer& buffer = *x.answer;
  if (buffer.empty()) {
    const bool is_bulk = x.stage == Stage::kAnswering && buffer.end == buffer.capacity;
    buffer.begin = buffer.end = 0;
    if (is_bulk) {
      MakeBodyRoom(core_.buffers, x.answer, true);
    }
  }
  switch (connection.stream.Read(*x.answer, connection.readable, connection.peer_closed, core_.loop.now_ns())) {
    case ReadResult::kData:
      return TakeAnswer(client);
    case ReadResult::kBlocked:
      return Step::kWait;
    case ReadResult::kEnd:
      return OnAnswerEnd(client, true);
    case ReadResult::kFailed:
      return OnAnswerEnd(client, false);
  }
  return Step::kWait;
}

Relay::Step Relay::TakeAnswer(ClientConnection& client) {
  Exchange& x = client.exchange;
  if (x.stage == Stage::kSent) {
    switch (TakeAnswerHead(client)) {
      case HeadStep::kBegun:
        break;
      case HeadStep::kInterim:
        return Step::kGoOn;
      case HeadStep::kNeedsMore:
        return ReadAnswer(client);
      case HeadStep::kOver:
        return Step::kOver;
    }
  }
  Buffer& buffer = *x.answer;
  size_t consumed = 0;
  size_t produced = 0;
  char* const bytes = buffer.data() + buffer.begin;
  if (!x.answer_body.Decode(bytes, buffer.unread().size(), bytes, consumed, produced)) {
    Garbage(client, "malformed chunked body");
    return Step::kOver;
  }
  buffer.begin += static_cast<uint32_t>(consumed);
  x.answer_done = x.answer_body.done();
  const bool ends_chunks = x.answer_done && x.answer_chunked;
  if (produced > 0 || ends_chunks) {
    client.out.AddBody(std::string_view(bytes, produced), x.answer_chunked, ends_chunks);
  }
  return Step::kGoOn;
}

Relay::HeadStep Relay::TakeAnswerHead(ClientConnection& client) {
  Exchange& x = client.exchange;
  const std::string_view bytes = x.answer->unread();
  if (!x.answer_end.has_looked() || x.answer_end.Find(bytes) != HeadEndFinder::Result::kIncomplete) {
    const HeadResult result = ParseResponseHead(bytes, core_.head);
    if (result == HeadResult::kComplete) {
      return core_.head.status < 200 ? PassInterim(client) : BeginAnswer(client);
    }
    const bool may_go_on = result == HeadResult::kIncomplete && !x.answer_end.has_looked() &&
                           x.answer_end.Find(bytes) == HeadEndFinder::Result::kIncomplete;
    if (!may_go_on) {
      return Garbage(client, "malformed head");
    }
  }
  if (bytes.size() >= core_.options.header_limit_bytes) {
    return Garbage(client, "its headers are too long");
  }
  if (x.answer->space() == 0) {
    const uint64_t wanted =
        std::min<uint64_t>(uint64_t{bytes.size()} * 4, core_.options.header_limit_bytes + uint64_t{4096});
    x.answer = core_.buffers.Grow(x.answer, static_cast<uint32_t>(wanted));
  }
  return HeadStep::kNeedsMore;
}

Relay::HeadStep Relay::PassInterim(ClientConnection& client) {
  Exchange& x = client.exchange;
  const MessageHead& head = core_.head;
  if (head.status == 101) {
    return Garbage(client, "it switches protocols unasked");
  }
  // 100 is between us and the next hop; HTTP/1.0 knows no interim answers.
  if (head.status != 100 && !x.to_http10) {
    const ResponsePlan plan;
    GiveBack(core_.buffers, x.answer_head);
    x.answer_head = WriteResponseHead({.head = head, .plan = plan, .date = {}}, core_.buffers);
    client.out.AddText(x.answer_head->unread());
  }
  x.answer->begin += static_cast<uint32_t>(head.raw.size());
  x.answer_end.Reset();
  return HeadStep::kInterim;
}

Relay::HeadStep Relay::BeginAnswer(ClientConnection& client) {
  Exchange& x = client.exchange;
  const MessageHead& head = core_.head;
  const auto plan = PlanResponse(head, x.to_head);
  if (!plan) {
    return Garbage(client, plan.error());
  }
  x.stage = Stage::kAnswering;
  x.status = head.status;
  x.upstream_keep_alive = plan->keep_alive;
  x.answer_body = BodyDecoder(plan->body, plan->length);
  const bool has_no_length = plan->body == BodyKind::kChunked || plan->body == BodyKind::kUntilClose;
  x.answer_chunked = has_no_length && !x.to_http10;
  x.keep_alive = x.keep_alive && !core_.draining && !(has_no_length && x.to_http10);
  GiveBack(core_.buffers, x.answer_head);
  x.answer_head = WriteResponseHead(
      {
          .head = head,
          .plan = *plan,
          .call = x.function != nullptr ? &x.call : nullptr,
          .duration_ns = core_.loop.now_ns() - x.start_ns,
          .date = core_.date.Get(UnixNs()),
          .chunked = x.answer_chunked,
          .close = !x.keep_alive,
          .to_http10 = x.to_http10,
      },
      core_.buffers);
  client.out.AddText(x.answer_head->unread());
  x.answer->begin += static_cast<uint32_t>(head.raw.size());
  return HeadStep::kBegun;
}

Relay::Step Relay::OnAnswerEnd(ClientConnection& client, bool orderly) {
  Exchange& x = client.exchange;
  if (x.stage == Stage::kSent) {
    if (x.answer == nullptr || x.answer->empty()) {
      core_.dispatcher->OnNoAnswer(client);
      return Step::kOver;
    }
    Garbage(client, "its head ends early");
    return Step::kOver;
  }
  if (!orderly || !x.answer_body.Finish()) {
    core_.clients->CutAnswer(client);
    return Step::kOver;
  }
  x.answer_done = true;
  client.out.AddBody({}, x.answer_chunked, true);
  return Step::kGoOn;
}

Relay::HeadStep Relay::Garbage(ClientConnection& client, const char* what) {
  Exchange& x = client.exchange;
  if (x.stage == Stage::kAnswering && x.answer_seen) {
    core_.clients->CutAnswer(client);
    return HeadStep::kOver;
  }
  x.stage = Stage::kSent;
  const bool is_api = x.function == nullptr;
  const std::string error = std::string("the ") + (is_api ? "API" : "function") + " does not answer in HTTP: " + what;
  core_.clients->Answer(client, {.status = 502, .error = error, .hop = is_api ? "api" : "function"});
  return HeadStep::kOver;
}

// The end of a connection's use.

void Relay::ReleaseUpstream(ClientConnection& client) {
  Exchange& x = client.exchange;
  UpstreamConnection* const connection = x.upstream;
  if (connection == nullptr) {
    return;
  }
  const bool keep = x.upstream_keep_alive && x.request_body.done() && x.to_upstream.empty() && !x.request_cut &&
                    (x.answer == nullptr || x.answer->empty());
  x.upstream = nullptr;
  core_.upstreams->Release(*connection, keep);
  core_.dispatcher->ReleasePlace(client);
}

void Relay::DropConnection(ClientConnection& client) {
  Exchange& x = client.exchange;
  if (UpstreamConnection* const connection = x.upstream) {
    x.upstream = nullptr;
    x.to_upstream.Clear();
    core_.upstreams->Release(*connection, false);
  }
}

void Relay::DropUpstream(ClientConnection& client) {
  DropConnection(client);
  core_.dispatcher->ReleasePlace(client);
}

}  // namespace junction::ingress
