// SPDX-License-Identifier: Apache-2.0
// Hot path: one pass over the fields, runs of lines that stay are copied at once, no allocation for usual sizes.
#include "ingress/head_writer.h"

#include "ingress/text_writer.h"

namespace junction::ingress {
namespace {

// Room for all that is added to a head, beyond what is counted by its own length.
constexpr size_t kAddedRoom = 768;

constexpr std::string_view kCrLf = "\r\n";

void WriteField(TextWriter& writer, std::string_view name_and_colon, std::string_view value) {
  writer.Text(name_and_colon);
  writer.Text(value);
  writer.Text(kCrLf);
}

/// Copies field lines, those left out by `keep` excepted.
template <typename Keep>
void CopyFields(const MessageHead& head, TextWriter& writer, Keep keep) {
  uint32_t run = head.fields_begin;
  uint32_t end = run;
  for (const HeadField& field : head.fields) {
    if (!keep(field)) {
      writer.Text(head.raw.substr(run, field.line_begin - run));
      run = field.line_end;
    }
    end = field.line_end;
  }
  if (end > run) {
    writer.Text(head.raw.substr(run, end - run));
  }
}

bool IsHopByHop(FieldId id) {
  switch (id) {
    case FieldId::kConnection:
    case FieldId::kKeepAlive:
    case FieldId::kProxyAuthenticate:
    case FieldId::kProxyAuthorization:
    case FieldId::kProxyConnection:
    case FieldId::kTe:
    case FieldId::kTrailer:
    case FieldId::kTransferEncoding:
    case FieldId::kUpgrade:
      return true;
    default:
      return false;
  }
}

/// What a request already says of its way here.
struct ForwardFacts {
  bool has_forwarded_for = false;
  bool has_forwarded_host = false;
  bool keeps_trace = false;
  std::string_view host;
};

ForwardFacts ReadForwardFacts(const MessageHead& head) {
  ForwardFacts facts;
  uint32_t traceparents = 0;
  for (const HeadField& field : head.fields) {
    switch (field.id) {
      case FieldId::kHost:
        facts.host = head.Value(field);
        break;
      case FieldId::kXForwardedFor:
        facts.has_forwarded_for = true;
        break;
      case FieldId::kXForwardedHost:
        facts.has_forwarded_host = true;
        break;
      case FieldId::kTraceparent:
        facts.keeps_trace = ++traceparents == 1 && IsTraceparent(head.Value(field));
        break;
      default:
        break;
    }
  }
  return facts;
}

void WriteForwardedFor(const RequestRewrite& rewrite, bool has_list, TextWriter& writer) {
  if (rewrite.peer_ip.empty() && !has_list) {
    return;
  }
  writer.Text("X-Forwarded-For: ");
  bool is_first = true;
  const auto add = [&](std::string_view value) {
    if (!value.empty()) {
      writer.Text(is_first ? std::string_view() : std::string_view(", "));
      writer.Text(value);
      is_first = false;
    }
  };
  if (has_list) {
    for (const HeadField& field : rewrite.head.fields) {
      if (field.id == FieldId::kXForwardedFor) {
        add(rewrite.head.Value(field));
      }
    }
  }
  add(rewrite.peer_ip);
  writer.Text(kCrLf);
}

bool KeepRequestField(const RequestRewrite& rewrite, const ForwardFacts& facts, const HeadField& field) {
  switch (field.id) {
    case FieldId::kExpect:  // answered by the ingress
    case FieldId::kXCallId:
    case FieldId::kXStartTime:
    case FieldId::kXForwardedFor:
      return false;
    case FieldId::kHost:
      return rewrite.target.authority.empty();
    case FieldId::kTraceparent:
    case FieldId::kTracestate:
      return facts.keeps_trace;
    case FieldId::kContentLength:
    case FieldId::kXForwardedHost:
      return true;
    default:
      return !IsHopByHop(field.id) &&
             !(rewrite.plan.has_connection_options && IsConnectionOption(rewrite.head, rewrite.head.Name(field)));
  }
}

}  // namespace

Buffer* WriteRequestHead(const RequestRewrite& rewrite, Rng& rng, BufferPool& pool) {
  const MessageHead& head = rewrite.head;
  // Each value can stand twice at most: Host comes again as X-Forwarded-Host.
  Buffer* const out = pool.Take(static_cast<uint32_t>(head.raw.size() * 2 + rewrite.target.path.size() + kAddedRoom));
  TextWriter writer(out->data(), out->capacity);
  const ForwardFacts facts = ReadForwardFacts(head);
  const std::string_view host = rewrite.target.authority.empty() ? facts.host : rewrite.target.authority;

  writer.Text(head.method);
  writer.Char(' ');
  if (rewrite.target.add_slash) {
    writer.Char('/');
  }
  writer.Text(rewrite.target.path);
  writer.Text(" HTTP/1.1\r\n");
  if (facts.host.empty() || !rewrite.target.authority.empty()) {
    bool has_line = false;
    for (const HeadField& field : head.fields) {
      has_line = has_line || field.id == FieldId::kHost;
    }
    if (!has_line || !rewrite.target.authority.empty()) {
      WriteField(writer, "Host: ", host.empty() ? std::string_view("function") : host);
    }
  }
  CopyFields(head, writer, [&](const HeadField& field) { return KeepRequestField(rewrite, facts, field); });
  WriteField(writer, "X-Call-Id: ", rewrite.call.id());
  WriteField(writer, "X-Start-Time: ", rewrite.call.start_time());
  WriteForwardedFor(rewrite, facts.has_forwarded_for, writer);
  if (!facts.has_forwarded_host && !host.empty()) {
    WriteField(writer, "X-Forwarded-Host: ", host);
  }
  if (!facts.keeps_trace) {
    char traceparent[kTraceparentLength];
    WriteTraceparent(traceparent, rng);
    WriteField(writer, "traceparent: ", std::string_view(traceparent, kTraceparentLength));
  }
  if (rewrite.plan.body == BodyKind::kChunked) {
    writer.Text("Transfer-Encoding: chunked\r\n");
  }
  writer.Text(kCrLf);
  out->end = static_cast<uint32_t>(writer.size());
  return out;
}

Buffer* WriteResponseHead(const ResponseRewrite& rewrite, BufferPool& pool) {
  const MessageHead& head = rewrite.head;
  Buffer* const out = pool.Take(static_cast<uint32_t>(head.raw.size() + kAddedRoom));
  TextWriter writer(out->data(), out->capacity);
  writer.Text("HTTP/1.1 ");
  writer.Decimal(head.status);
  writer.Char(' ');
  writer.Text(head.reason);
  writer.Text(kCrLf);

  bool has_date = false;
  // A body in chunks has no length; 1xx and 204 never have one (RFC 9110 section 8.6).
  bool keep_length = !rewrite.chunked && head.status >= 200 && head.status != 204;
  CopyFields(head, writer, [&](const HeadField& field) {
    switch (field.id) {
      case FieldId::kContentLength: {
        const bool keep = keep_length;
        keep_length = false;  // equal ones become one
        return keep;
      }
      case FieldId::kDate:
        has_date = true;
        return true;
      case FieldId::kXCallId:
      case FieldId::kXStartTime:
      case FieldId::kXDurationSeconds:
        return rewrite.call == nullptr;
      default:
        return !IsHopByHop(field.id) &&
               !(rewrite.plan.has_connection_options && IsConnectionOption(head, head.Name(field)));
    }
  });
  if (head.status >= 200) {
    if (rewrite.call != nullptr) {
      WriteField(writer, "X-Call-Id: ", rewrite.call->id());
      WriteField(writer, "X-Start-Time: ", rewrite.call->start_time());
      writer.Text("X-Duration-Seconds: ");
      writer.Seconds(rewrite.duration_ns);
      writer.Text(kCrLf);
    }
    if (!has_date) {
      WriteField(writer, "Date: ", rewrite.date);
    }
    if (rewrite.chunked) {
      writer.Text("Transfer-Encoding: chunked\r\n");
    }
    if (rewrite.close) {
      writer.Text("Connection: close\r\n");
    } else if (rewrite.to_http10) {
      writer.Text("Connection: keep-alive\r\n");
    }
  }
  writer.Text(kCrLf);
  out->end = static_cast<uint32_t>(writer.size());
  return out;
}

}  // namespace junction::ingress
