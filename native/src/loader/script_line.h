// SPDX-License-Identifier: Apache-2.0
// The `#!` line of a script, as Linux reads it (execve(2), "Interpreter scripts").
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace junction {

/// Linux looks at this many bytes of a file (BINPRM_BUF_SIZE).
inline constexpr size_t kScriptHead_bytes = 256;

struct ScriptLine {
  std::string_view interpreter;  // views into the head
  std::string_view argument;     // everything after the interpreter, one argument; may be empty
};

enum class ScriptLineResult {
  kNotAScript,
  kScript,
  kBroken,  // `#!` without an interpreter, or one cut off by the end of the head: ENOEXEC
};

/// `head`: the first bytes of the file, at most kScriptHead_bytes of them are looked at.
ScriptLineResult ParseScriptLine(std::span<const char> head, ScriptLine& line);

}  // namespace junction
