// SPDX-License-Identifier: Apache-2.0
#include "ingress/target.h"

#include <gtest/gtest.h>

#include <string>

namespace junction::ingress {
namespace {

struct Row {
  const char* target;
  bool is_function;
  const char* name;
  const char* next;  // what the next hop gets
};

TEST(SplitTarget, TakesTheFunctionOffAndLeavesTheRestAsItIs) {
  for (const Row& row : {
           Row{"/function/aes", true, "aes", "/"},
           Row{"/function/aes/", true, "aes", "/"},
           Row{"/function/aes?x=1", true, "aes", "/?x=1"},
           Row{"/function/aes?a/b", true, "aes", "/?a/b"},
           Row{"/function/aes/a%2Fb//c/../d?e=%20", true, "aes", "/a%2Fb//c/../d?e=%20"},
           Row{"/function/env.openfaas-fn/x", true, "env.openfaas-fn", "/x"},
           Row{"/function/", true, "", "/"},
           Row{"/function", true, "", "/"},
           Row{"/function/%61es", true, "%61es", "/"},
           Row{"/functions/aes", false, "", "/functions/aes"},
           Row{"/function?x", false, "", "/function?x"},
           Row{"//function/aes", false, "", "//function/aes"},
           Row{"/system/../function/aes", false, "", "/system/../function/aes"},
           Row{"/", false, "", "/"},
           Row{"http://host:80/function/aes/x", true, "aes", "/x"},
           Row{"HTTPS://host", false, "", "/"},
           Row{"http://host?x=1", false, "", "/?x=1"},
       }) {
    const auto target = SplitTarget("GET", row.target);
    ASSERT_TRUE(target.has_value()) << row.target;
    EXPECT_EQ(target->is_function, row.is_function) << row.target;
    EXPECT_EQ(target->function_name, row.name) << row.target;
    EXPECT_EQ((target->add_slash ? "/" : "") + std::string(target->path), row.next) << row.target;
  }
}

TEST(SplitTarget, GivesTheAuthorityOfAnAbsoluteTarget) {
  EXPECT_EQ(SplitTarget("GET", "http://host:80/x")->authority, "host:80");
  EXPECT_EQ(SplitTarget("GET", "/x")->authority, "");
}

TEST(SplitTarget, RefusesOtherForms) {
  for (const char* target :
       {"host:80", "*", "ftp://host/x", "http://", "http://u@host/", "http://ho st/", "x", "/a#b", "/function/aes#x"}) {
    const auto split = SplitTarget("GET", target);
    ASSERT_FALSE(split.has_value()) << target;
    EXPECT_EQ(split.error().status, 400) << target;
  }
  EXPECT_TRUE(SplitTarget("OPTIONS", "*").has_value());
  EXPECT_EQ(SplitTarget("CONNECT", "host:80").error().status, 405);
  EXPECT_EQ(SplitTarget("TRACE", "/function/aes").error().status, 405);
}

TEST(IsFunctionName, TakesTheContractsCharacters) {
  EXPECT_TRUE(IsFunctionName("aZ-_0.9"));
  EXPECT_FALSE(IsFunctionName(""));
  EXPECT_FALSE(IsFunctionName("a%62"));
  EXPECT_FALSE(IsFunctionName("a b"));
  EXPECT_TRUE(IsFunctionName(std::string(255, 'a')));
  EXPECT_FALSE(IsFunctionName(std::string(256, 'a')));
}

}  // namespace
}  // namespace junction::ingress
