// SPDX-License-Identifier: Apache-2.0
#include "base/json_text.h"

#include <gtest/gtest.h>

#include "base/parse_number.h"

namespace junction {
namespace {

std::string Quoted(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

TEST(JsonString, KeepsPlainTextAndUtf8) {
  EXPECT_EQ(Quoted("plain text"), "\"plain text\"");
  EXPECT_EQ(Quoted("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"), "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"");
  EXPECT_EQ(Quoted(""), "\"\"");
}

TEST(JsonString, EscapesQuotesAndControls) {
  EXPECT_EQ(Quoted("a\"b\\c\n\t\r"), "\"a\\\"b\\\\c\\n\\t\\r\"");
  EXPECT_EQ(Quoted(std::string_view("\0\x1b\x7f", 3)), "\"\\u0000\\u001b\\u007f\"");
}

TEST(JsonString, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(Quoted("\xff"), "\"\\ufffd\"");
  EXPECT_EQ(Quoted("a\xc3"), "\"a\\ufffd\"");                                 // cut short
  EXPECT_EQ(Quoted("\xc0\xaf"), "\"\\ufffd\\ufffd\"");                        // overlong
  EXPECT_EQ(Quoted("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"");             // surrogate
  EXPECT_EQ(Quoted("\xf4\x90\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");  // past U+10FFFF
}

TEST(JsonObject, WritesFieldsInOrder) {
  std::string out;
  JsonObjectWriter writer(out);
  writer.String("a", "x\"").Unsigned("b", 18446744073709551615ULL).Signed("c", -3).Bool("d", true).Null("e");
  writer.DecimalString("f", 18446744073709551615ULL).Raw("g", "[1]").End();
  EXPECT_EQ(out, R"({"a":"x\"","b":18446744073709551615,"c":-3,"d":true,"e":null,"f":"18446744073709551615","g":[1]})");
}

TEST(ParseNumber, TakesWholeDecimalNumbersOnly) {
  EXPECT_EQ(ParseNumber<uint16_t>("65535"), 65535);
  EXPECT_EQ(ParseNumber<uint16_t>("65536"), std::nullopt);
  EXPECT_EQ(ParseNumber<uint32_t>("-1"), std::nullopt);
  EXPECT_EQ(ParseNumber<uint32_t>(""), std::nullopt);
  EXPECT_EQ(ParseNumber<uint32_t>("1 "), std::nullopt);
  EXPECT_EQ(ParseNumber<int32_t>("-12"), -12);
}

}  // namespace
}  // namespace junction
