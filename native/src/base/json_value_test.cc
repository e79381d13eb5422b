// SPDX-License-Identifier: Apache-2.0
#include "base/json_value.h"

#include <gtest/gtest.h>

#include "base/json_text.h"

namespace junction {
namespace {

TEST(JsonValue, ReadsObjectsArraysAndPlainValues) {
  const auto value = ParseJson(R"( {"op":"sync", "n": -12, "list":[{"id":"a"},{}, [], true, null]} )");
  ASSERT_TRUE(value.has_value()) << value.error().message;
  EXPECT_EQ(*value->Find("op")->AsString(), "sync");
  EXPECT_EQ(value->Find("n")->AsInteger(), -12);
  ASSERT_EQ(value->Find("list")->AsArray()->size(), 5);
  EXPECT_EQ(*(*value->Find("list")->AsArray())[0].Find("id")->AsString(), "a");
  EXPECT_EQ(value->Find("none"), nullptr);
  EXPECT_EQ(value->AsString(), nullptr);
  EXPECT_EQ(value->Find("op")->Find("x"), nullptr);
}

TEST(JsonValue, ReadsEscapes) {
  EXPECT_EQ(*ParseJson(R"("a\"\\\/\b\f\n\r\t\u0041\u00e4\u20ac\ud83d\ude00")")->AsString(),
            "a\"\\/\b\f\n\r\tA\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
}

TEST(JsonValue, ReadsWhatWeWrite) {
  std::string text;
  AppendJsonString(text, "quotes \" and \x01 controls \n");
  EXPECT_EQ(*ParseJson(text)->AsString(), "quotes \" and \x01 controls \n");
}

TEST(JsonValue, RefusesWhatIsNoJson) {
  for (const char* text : {"",
                           "{",
                           "[1,",
                           "[1 2]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{a:1}",
                           "tru",
                           "nul",
                           "\"x",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\ud800\"",
                           "\"\\udc00x\"",
                           "1 2",
                           "1.5",
                           "1e3",
                           "99999999999999999999",
                           "\"\x01\"",
                           "[1,]",
                           "-",
                           "+1"}) {
    EXPECT_FALSE(ParseJson(text).has_value()) << text;
  }
}

TEST(JsonValue, BoundsNesting) {
  EXPECT_TRUE(ParseJson(std::string(16, '[') + std::string(16, ']')).has_value());
  EXPECT_FALSE(ParseJson(std::string(100000, '[')).has_value());
}

}  // namespace
}  // namespace junction
