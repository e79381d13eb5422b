// SPDX-License-Identifier: Apache-2.0
#include "loader/script_line.h"

namespace junction {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

ScriptLineResult ParseScriptLine(std::span<const char> head, ScriptLine& line) {
  if (head.size() < 2 || head[0] != '#' || head[1] != '!') {
    return ScriptLineResult::kNotAScript;
  }
  if (head.size() > kScriptHead_bytes) {
    head = head.first(kScriptHead_bytes);
  }
  size_t end = 2;
  while (end < head.size() && head[end] != '\n' && head[end] != '\0') {
    ++end;
  }
  const bool is_cut = end == head.size() && head.size() == kScriptHead_bytes;
  size_t start = 2;
  while (start < end && IsBlank(head[start])) {
    ++start;
  }
  size_t stop = start;
  while (stop < end && !IsBlank(head[stop])) {
    ++stop;
  }
  if (start == stop || (is_cut && stop == end)) {
    return ScriptLineResult::kBroken;
  }
  size_t argument = stop;
  while (argument < end && IsBlank(head[argument])) {
    ++argument;
  }
  while (end > argument && IsBlank(head[end - 1])) {
    --end;
  }
  line.interpreter = std::string_view(head.data() + start, stop - start);
  line.argument = std::string_view(head.data() + argument, end - argument);
  return ScriptLineResult::kScript;
}

}  // namespace junction
