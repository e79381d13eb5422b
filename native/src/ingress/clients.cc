// SPDX-License-Identifier: Apache-2.0
// Hot path: per request one read, one parse, no allocation but from the pool.
#include "ingress/clients.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>

#include "ingress/acceptor.h"
#include "ingress/dispatcher.h"
#include "ingress/function_entry.h"
#include "ingress/function_table.h"
#include "ingress/head_writer.h"
#include "ingress/relay.h"
#include "ingress/scheduler_bell.h"
#include "ingress/socket.h"
#include "ingress/target.h"

namespace junction::ingress {
namespace {

// Requests read in one go from a client that pipelines, before others have their turn.
constexpr int kRequestsATurn = 16;
// How much of an unwanted body is read to keep a connection, and how much and how long before one is closed for good:
// a close with unread bytes is a reset, which may overtake the answer (RFC 9112 section 9.6).
constexpr uint64_t kMostDiscarded = 256 * 1024;
constexpr uint64_t kMostLingered = 4 * 1024 * 1024;
constexpr uint64_t kLinger_ms = 2'000;

// For requests that the client gave up before they were answered, as nginx counts them.
constexpr uint16_t kClientClosed = 499;

}  // namespace

Clients::~Clients() {
  AbortAll();
  Sweep();
}

void Clients::Add(UniqueFd fd, const sockaddr_storage& peer) {
  auto* const client = new ClientConnection;
  client->fd = std::move(fd);
  client->peer_ip_length = static_cast<uint8_t>(FormatIp(peer, client->peer_ip));
  client->is_local = IsLoopback(peer);
  // Bytes have often come along with the connection: one read saves a round through epoll.
  client->readable = true;
  if (auto added = core_.loop.Add(client->fd.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *client); !added) {
    core_.events.OnError("client connection: " + added.error().message);
    core_.shared.connections.fetch_sub(1, std::memory_order_relaxed);
    delete client;
    return;
  }
  all_.PushBack(*client);
  ++count_;
  core_.counters.connections_accepted.Add();
  core_.counters.connections_open.Add();
  EnterIdle(*client);
  Advance(*client);
}

void Clients::EnterIdle(ClientConnection& client) {
  client.phase = ClientConnection::Phase::kIdle;
  if (!client.ListNode<IdleTag>::linked()) {
    idle_.PushBack(client);
  }
  core_.loop.SetDeadline(client, core_.loop.now_ms() + core_.options.idle_timeout_ms);
}

void Clients::Advance(ClientConnection& client) {
  for (int i = 0; i < kRequestsATurn; ++i) {
    switch (client.phase) {
      case ClientConnection::Phase::kIdle:
      case ClientConnection::Phase::kHead:
        if (ReadHead(client) != HeadStep::kBegun) {
          return;
        }
        break;
      case ClientConnection::Phase::kExchange:
        return;
      case ClientConnection::Phase::kDiscard:
        if (!Discard(client)) {
          return;
        }
        break;
      case ClientConnection::Phase::kLinger:
        Linger(client);
        return;
    }
    if (client.closed) {
      return;
    }
  }
  core_.loop.MakeReady(client);
}

Clients::HeadStep Clients::ReadHead(ClientConnection& client) {
  for (;;) {
    if (client.in != nullptr && !client.in->empty()) {
      if (const HeadStep step = ParseHead(client); step != HeadStep::kWait) {
        return step;
      }
      if (const HeadStep step = MakeRoom(client); step != HeadStep::kWait) {
        return step;
      }
    }
    if (!client.readable) {
      if (client.in != nullptr && client.in->empty()) {
        GiveBack(core_.buffers, client.in);
      }
      return HeadStep::kWait;
    }
    if (client.in == nullptr) {
      client.in = core_.buffers.Take();
    }
    switch (ReadOnce(client.fd.get(), *client.in, client.readable, client.peer_closed)) {
      case ReadResult::kData:
      case ReadResult::kBlocked:
        break;
      case ReadResult::kEnd:
      case ReadResult::kFailed:
        Close(client, false);
        return HeadStep::kClosed;
    }
  }
}

Clients::HeadStep Clients::ParseHead(ClientConnection& client) {
  Buffer& in = *client.in;
  const bool is_first_look = client.phase == ClientConnection::Phase::kIdle;
  if (is_first_look) {
    // One empty line before a request is overlooked (RFC 9112 section 2.2).
    if (in.unread().front() == '\r') {
      if (in.unread().size() == 1) {
        return HeadStep::kWait;
      }
      if (in.unread()[1] == '\n') {
        in.begin += 2;
        if (in.empty()) {
          return HeadStep::kWait;
        }
      }
    }
    client.phase = ClientConnection::Phase::kHead;
    client.ListNode<IdleTag>::Unlink();
    client.head_end.Reset();
  } else if (client.head_end.Find(in.unread()) == HeadEndFinder::Result::kIncomplete) {
    return HeadStep::kWait;
  }
  switch (ParseRequestHead(in.unread(), core_.head)) {
    case HeadResult::kComplete:
      if (core_.head.raw.size() > core_.options.header_limit_bytes) {
        break;
      }
      BeginExchange(client);
      return HeadStep::kBegun;
    case HeadResult::kIncomplete:
      if (is_first_look && client.head_end.Find(in.unread()) == HeadEndFinder::Result::kIncomplete) {
        core_.loop.SetDeadline(client, core_.loop.now_ms() + core_.options.header_timeout_ms);
        return HeadStep::kWait;
      }
      [[fallthrough]];
    case HeadResult::kMalformed:
      RefuseHead(client, 400, "malformed request");
      return HeadStep::kBegun;
    case HeadResult::kBadVersion:
      RefuseHead(client, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
      return HeadStep::kBegun;
    case HeadResult::kTooManyFields:
      break;
  }
  RefuseHead(client, 431, "request line and headers are too long");
  return HeadStep::kBegun;
}

Clients::HeadStep Clients::MakeRoom(ClientConnection& client) {
  Buffer& in = *client.in;
  const size_t size = in.unread().size();
  if (size >= core_.options.header_limit_bytes) {
    RefuseHead(client, 431, "request line and headers are too long");
    return HeadStep::kBegun;
  }
  if (in.space() == 0) {
    const uint64_t wanted = std::min<uint64_t>(uint64_t{size} * 4, core_.options.header_limit_bytes + uint64_t{4096});
    client.in = core_.buffers.Grow(client.in, static_cast<uint32_t>(wanted));
  }
  return HeadStep::kWait;
}

void Clients::BeginExchange(ClientConnection& client) {
  const MessageHead& head = core_.head;
  auto plan = PlanRequest(head);
  if (!plan) {
    RefuseHead(client, plan.error().status, plan.error().reason);
    return;
  }
  client.in->begin += static_cast<uint32_t>(head.raw.size());
  StartRequest(client, *plan);
}

void Clients::StartRequest(ClientConnection& client, const RequestPlan& plan) {
  const MessageHead& head = core_.head;
  Exchange& x = client.exchange;
  client.phase = ClientConnection::Phase::kExchange;
  x.start_ns = core_.loop.now_ns();
  x.keep_alive = plan.keep_alive;
  x.to_http10 = head.version_minor == 0;
  x.to_head = head.method == "HEAD";
  x.expects_continue = plan.expects_continue;
  x.method = MethodIndex(head.method);
  x.request_body = BodyDecoder(plan.body, plan.length);
  x.body_begin = x.body_end = client.in->begin;
  x.call.Take(head, core_.rng, UnixNs());

  const auto target = SplitTarget(head.method, head.target);
  if (!target) {
    x.route = RouteIndex(head.target);
    Answer(client, {.status = target.error().status, .error = target.error().reason});
    return;
  }
  if (target->is_function) {
    x.route = kFunctionRoute;
    x.function = core_.table->Find(target->function_name);
    if (x.function == nullptr) {
      Answer(client, {.status = 404, .error = "no such function"});
      return;
    }
    ++x.function->users;
  } else {
    x.route = RouteIndex(target->path);
  }
  const std::string_view peer_ip(client.peer_ip, client.peer_ip_length);
  x.request_head = WriteRequestHead({.head = head, .plan = plan, .target = *target, .call = x.call, .peer_ip = peer_ip},
                                    core_.rng, core_.buffers);
  core_.dispatcher->Start(client);
}

void Clients::RefuseHead(ClientConnection& client, uint16_t status, std::string_view reason) {
  // Where the next request begins is unknown, so this one is the last.
  client.phase = ClientConnection::Phase::kExchange;
  client.exchange.start_ns = core_.loop.now_ns();
  client.exchange.keep_alive = false;
  client.exchange.method = MethodIndex({});
  client.exchange.route = RouteIndex({});
  client.in->begin = client.in->end;
  client.readable = true;
  Answer(client, {.status = status, .error = reason});
}

void Clients::Answer(ClientConnection& client, const Reply& reply) {
  Exchange& x = client.exchange;
  JUNCTION_CHECK(x.stage != Exchange::Stage::kAnswering);
  if (x.stage == Exchange::Stage::kHeld || x.stage == Exchange::Stage::kQueued) {
    core_.dispatcher->Leave(client);
  }
  core_.relay->DropUpstream(client);
  client.out.Clear();
  GiveBack(core_.buffers, x.answer_head);
  x.stage = Exchange::Stage::kOwnAnswer;
  x.status = reply.status;
  // A client that waits for 100 sends its body or not, after this answer: one cannot know.
  x.keep_alive = x.keep_alive && !core_.draining && !(x.expects_continue && !x.request_body.done());
  const bool is_understood = !x.call.id().empty();
  const OwnAnswer answer{
      .status = reply.status,
      .error = reply.error,
      .hop = reply.hop,
      .function = x.function != nullptr ? std::string_view(x.function->route->shared->name) : std::string_view(),
      .limit = reply.limit,
      .retry_after_s = reply.retry_after_s,
      .call = is_understood ? &x.call : nullptr,
      .duration_ns = core_.loop.ReadClock() - x.start_ns,
      .date = core_.date.Get(UnixNs()),
      .close = !x.keep_alive,
      .to_http10 = x.to_http10,
      .to_head = x.to_head,
  };
  x.answer_head = WriteOwnAnswer(answer, core_.buffers);
  client.out.AddText(x.answer_head->unread());
  x.answer_done = true;
  x.deadline_ms = kNever;
  x.queue_deadline_ms = kNever;
  client.stall_deadline_ms = kNever;
  UpdateDeadline(client);
  core_.relay->Pump(client);
}

void Clients::Finish(ClientConnection& client) {
  Exchange& x = client.exchange;
  const bool body_done = x.request_body.done();
  const bool keep_alive = x.keep_alive && !core_.draining;
  ReleaseExchange(client, x.status);
  client.stall_deadline_ms = kNever;
  if (!keep_alive) {
    EndConnection(client, !body_done || client.readable || (client.in != nullptr && !client.in->empty()));
    return;
  }
  if (!body_done) {
    client.phase = ClientConnection::Phase::kDiscard;
    client.discard_left = kMostDiscarded;
    core_.loop.SetDeadline(client, core_.loop.now_ms() + core_.options.stall_timeout_ms);
    core_.loop.MakeReady(client);
    return;
  }
  EnterIdle(client);
  if (client.in != nullptr && client.in->empty()) {
    GiveBack(core_.buffers, client.in);
  }
  if (client.in != nullptr || client.readable) {
    core_.loop.MakeReady(client);
  } else if (!client.is_local || !core_.loop.has_links()) {
    core_.loop.Expect(&client.think_gap);
  }
  // A client of this machine runs on our core when we sleep, while an instance that is reached over a link spins on another: to spin here
  // would take the client's core from it.
}

void Clients::ReleaseExchange(ClientConnection& client, uint16_t counted_status) {
  Exchange& x = client.exchange;
  const uint64_t duration_ns = core_.loop.ReadClock() - x.start_ns;
  core_.counters.http.Record(HttpKey(x.method, x.route, counted_status), duration_ns);
  core_.relay->DropUpstream(client);
  if (x.function != nullptr) {
    core_.dispatcher->Done(client, counted_status, duration_ns);
  }
  client.out.Clear();
  GiveBack(core_.buffers, x.request_head);
  GiveBack(core_.buffers, x.answer);
  GiveBack(core_.buffers, x.answer_head);
  const BodyDecoder request_body = x.request_body;  // kDiscard goes on with it
  x = Exchange();
  x.request_body = request_body;
}

bool Clients::Discard(ClientConnection& client) {
  BodyDecoder& body = client.exchange.request_body;
  for (;;) {
    if (client.in != nullptr && !client.in->empty()) {
      Buffer& in = *client.in;
      size_t consumed = 0;
      size_t produced = 0;
      char* const bytes = in.data() + in.begin;
      if (!body.Decode(bytes, in.unread().size(), bytes, consumed, produced) || consumed > client.discard_left) {
        EndConnection(client, true);
        return false;
      }
      in.begin += static_cast<uint32_t>(consumed);
      client.discard_left -= consumed;
      if (body.done()) {
        EnterIdle(client);
        return true;
      }
    }
    if (!client.readable) {
      GiveBack(core_.buffers, client.in);
      return false;
    }
    if (client.in == nullptr) {
      client.in = core_.buffers.Take();
    }
    client.in->begin = client.in->end = 0;
    const ReadResult read = ReadOnce(client.fd.get(), *client.in, client.readable, client.peer_closed);
    if (read == ReadResult::kEnd || read == ReadResult::kFailed) {
      Close(client, false);
      return false;
    }
  }
}

void Clients::EndConnection(ClientConnection& client, bool may_have_unread) {
  if (!may_have_unread) {
    Close(client, false);
    return;
  }
  shutdown(client.fd.get(), SHUT_WR);
  client.phase = ClientConnection::Phase::kLinger;
  client.discard_left = kMostLingered;
  core_.loop.SetDeadline(client, core_.loop.now_ms() + kLinger_ms);
  GiveBack(core_.buffers, client.in);
  core_.loop.MakeReady(client);
}

void Clients::Linger(ClientConnection& client) {
  Buffer* const scratch = core_.buffers.Take();
  // A few reads a turn: a client that floods gets no more than its share.
  for (int i = 0; i < kRequestsATurn && client.readable; ++i) {
    scratch->end = 0;
    const ReadResult read = ReadOnce(client.fd.get(), *scratch, client.readable, client.peer_closed);
    if (read == ReadResult::kEnd || read == ReadResult::kFailed || scratch->end > client.discard_left) {
      core_.buffers.Give(scratch);
      Close(client, false);
      return;
    }
    client.discard_left -= scratch->end;
  }
  core_.buffers.Give(scratch);
  if (client.readable) {
    core_.loop.MakeReady(client);
  }
}

void Clients::Abort(ClientConnection& client) {
  CancelExchange(client);
  Close(client, false);
}

void Clients::CutAnswer(ClientConnection& client) {
  // Where only the end of the connection ends the answer, an orderly one would be a lie: reset instead.
  const Exchange& x = client.exchange;
  const bool has_length = x.stage != Exchange::Stage::kAnswering || x.answer_chunked ||
                          x.answer_body.kind() == BodyKind::kLength || x.answer_body.kind() == BodyKind::kNone;
  CancelExchange(client);
  Close(client, !has_length);
}

void Clients::CancelExchange(ClientConnection& client) {
  if (client.phase != ClientConnection::Phase::kExchange) {
    return;
  }
  const Exchange::Stage stage = client.exchange.stage;
  if (stage == Exchange::Stage::kHeld || stage == Exchange::Stage::kQueued) {
    core_.dispatcher->Leave(client);
  }
  const bool has_answer = stage == Exchange::Stage::kAnswering || stage == Exchange::Stage::kOwnAnswer;
  ReleaseExchange(client, has_answer ? client.exchange.status : kClientClosed);
}

void Clients::Close(ClientConnection& client, bool reset) {
  if (reset) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    // Without it the end looks orderly to a client that has no length to go by; nothing better can be done then.
    (void)setsockopt(client.fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }
  client.closed = true;
  core_.loop.Forget(client);
  core_.loop.ForgetPredictor(&client.think_gap);
  client.fd.Reset();
  GiveBack(core_.buffers, client.in);
  client.ListNode<ClientTag>::Unlink();
  client.ListNode<IdleTag>::Unlink();
  --count_;
  core_.counters.connections_open.Sub();
  core_.shared.connections.fetch_sub(1, std::memory_order_relaxed);
  closed_.push_back(&client);
  core_.acceptor->OnConnectionClosed();
}

void Clients::UpdateDeadline(ClientConnection& client) {
  const Exchange& x = client.exchange;
  core_.loop.SetDeadline(client, std::min({x.deadline_ms, x.queue_deadline_ms, client.stall_deadline_ms}));
}

void Clients::SetStall(ClientConnection& client, bool waits) {
  if (waits) {
    client.stall_deadline_ms = core_.loop.now_ms() + core_.options.stall_timeout_ms;
    UpdateDeadline(client);
  } else if (client.stall_deadline_ms != kNever) {
    client.stall_deadline_ms = kNever;
    UpdateDeadline(client);
  }
}

bool Clients::HasLeft(ClientConnection& client) {
  // A client that has closed its side is taken to have given up, as by other servers: a half-closed one that still waits
  // cannot be told from it. But while the body is being read its reader comes to the end by itself, and requests that
  // stand between this one and the end are still served.
  const Exchange& x = client.exchange;
  if (!x.request_body.done()) {
    return x.stage == Exchange::Stage::kHeld || x.stage == Exchange::Stage::kQueued;
  }
  if (client.in != nullptr && !client.in->empty()) {
    return false;
  }
  char byte;
  const ssize_t got = recv(client.fd.get(), &byte, 1, MSG_PEEK);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

void Clients::OnEvent(ClientConnection& client, uint32_t events) {
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    client.readable = true;
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    client.peer_closed = true;
  }
  if (client.phase != ClientConnection::Phase::kExchange) {
    Advance(client);
    return;
  }
  if ((events & (EPOLLHUP | EPOLLERR)) != 0 || (client.peer_closed && HasLeft(client))) {
    Abort(client);
    return;
  }
  core_.relay->Pump(client);
}

void Clients::OnReady(ClientConnection& client) {
  if (client.phase != ClientConnection::Phase::kExchange) {
    Advance(client);
  } else if (client.exchange.stage == Exchange::Stage::kQueued) {
    core_.dispatcher->TryQueued(client);
  } else {
    core_.relay->Pump(client);
  }
}

void Clients::OnDeadline(ClientConnection& client) {
  core_.counters.connections_timed_out.Add(client.phase != ClientConnection::Phase::kExchange ? 1 : 0);
  switch (client.phase) {
    case ClientConnection::Phase::kHead:
      RefuseHead(client, 408, "the request's headers did not come in time");
      return;
    case ClientConnection::Phase::kExchange:
      core_.dispatcher->OnDeadline(client);
      return;
    case ClientConnection::Phase::kIdle:
    case ClientConnection::Phase::kDiscard:
    case ClientConnection::Phase::kLinger:
      Close(client, false);
      return;
  }
}

bool Clients::CloseOneIdle() {
  ClientConnection* const client = idle_.Front();
  if (client == nullptr) {
    return false;
  }
  Close(*client, false);
  return true;
}

void Clients::CloseIdle() {
  IntrusiveList<ClientConnection, ClientTag> rest;
  while (ClientConnection* const client = all_.PopFront()) {
    rest.PushBack(*client);
    // One whose request is on its way in may finish it; the head's own timeout applies.
    if (client->phase == ClientConnection::Phase::kIdle && (client->in == nullptr || client->in->empty())) {
      Close(*client, false);
    }
  }
  all_.Append(rest);
}

uint64_t Clients::AbortAll() {
  uint64_t under_way = 0;
  while (ClientConnection* const client = all_.Front()) {
    under_way += client->phase == ClientConnection::Phase::kExchange ? 1 : 0;
    Abort(*client);
  }
  return under_way;
}

void Clients::Sweep() {
  for (ClientConnection* const client : closed_) {
    delete client;
  }
  closed_.clear();
}

}  // namespace junction::ingress
