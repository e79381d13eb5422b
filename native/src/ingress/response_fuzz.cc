// SPDX-License-Identifier: Apache-2.0
// Fuzz target of all that is done to a function's bytes: the client reads one answer with one framing.
#include <algorithm>
#include <cstdint>

#include "ingress/fuzz_parts.h"
#include "ingress/head_writer.h"

namespace junction::ingress {
namespace {

void CheckForwarded(const MessageHead& head, const ResponsePlan& plan, bool to_head) {
  BufferPool pool;
  Rng rng({1, 2, 3, 4});
  CallIdentity call;
  call.Take(MessageHead(), rng, 1'700'000'000'000'000'000);
  const bool chunked = plan.body == BodyKind::kChunked || plan.body == BodyKind::kUntilClose;
  const std::string text = TakeText(
      WriteResponseHead(
          {.head = head, .plan = plan, .call = &call, .date = "Mon, 23 Nov 2026 18:51:00 GMT", .chunked = chunked},
          pool),
      pool);
  MessageHead next;
  JUNCTION_CHECK(ParseResponseHead(text, next) == HeadResult::kComplete && next.raw.size() == text.size());
  JUNCTION_CHECK(next.status == head.status && next.reason == head.reason && next.version_minor == 1);
  const auto next_plan = PlanResponse(next, to_head);
  JUNCTION_CHECK(next_plan.has_value() && next_plan->keep_alive);
  JUNCTION_CHECK(next_plan->body == (chunked ? BodyKind::kChunked : plan.body) &&
                 CountFields(next, FieldId::kConnection) == 0);
  JUNCTION_CHECK(CountFields(next, FieldId::kContentLength) <= 1 && CountFields(next, FieldId::kTransferEncoding) <= 1);
  JUNCTION_CHECK(CountFields(next, FieldId::kXCallId) == (head.status >= 200 ? 1u : 0u));
}

}  // namespace
}  // namespace junction::ingress

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace junction::ingress;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  MessageHead head;
  if (ParseResponseHead(bytes, head) != HeadResult::kComplete) {
    return 0;
  }
  CheckHeadEnd(bytes, head);
  for (const bool to_head : {false, true}) {
    if (const auto plan = PlanResponse(head, to_head)) {
      CheckForwarded(head, *plan, to_head);
      CheckBody(bytes.substr(head.raw.size()), plan->body, plan->length);
    }
  }
  return 0;
}
