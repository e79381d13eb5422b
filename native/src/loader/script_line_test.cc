// SPDX-License-Identifier: Apache-2.0
#include "loader/script_line.h"

#include <gtest/gtest.h>

#include <string>

namespace junction {
namespace {

struct Case {
  std::string head;
  ScriptLineResult result;
  std::string interpreter;
  std::string argument;
};

class ScriptLines : public testing::TestWithParam<Case> {};

TEST_P(ScriptLines, AreReadAsLinuxDoes) {
  ScriptLine line;
  ASSERT_EQ(ParseScriptLine(GetParam().head, line), GetParam().result);
  EXPECT_EQ(line.interpreter, GetParam().interpreter);
  EXPECT_EQ(line.argument, GetParam().argument);
}

using enum ScriptLineResult;
INSTANTIATE_TEST_SUITE_P(Heads, ScriptLines,
                         testing::Values(Case{"#!/bin/sh\necho", kScript, "/bin/sh", ""},
                                         Case{"#! \t/bin/sh", kScript, "/bin/sh", ""},
                                         Case{"#!/usr/bin/env  -S a b \t\nx", kScript, "/usr/bin/env", "-S a b"},
                                         Case{std::string("#!/bin/sh\0x", 11), kScript, "/bin/sh", ""},
                                         Case{"", kNotAScript, "", ""}, Case{"#", kNotAScript, "", ""},
                                         Case{"\177ELF", kNotAScript, "", ""}, Case{"#!", kBroken, "", ""},
                                         Case{"#!  \n/bin/sh", kBroken, "", ""},
                                         Case{"#!/" + std::string(kScriptHead_bytes, 'a'), kBroken, "", ""},
                                         Case{"#!/bin/sh " + std::string(kScriptHead_bytes, 'a'), kScript, "/bin/sh",
                                              std::string(kScriptHead_bytes - 10, 'a')}));

}  // namespace
}  // namespace junction
