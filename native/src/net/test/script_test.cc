// SPDX-License-Identifier: Apache-2.0
// Each script of ../scripts is a test for each family it is for. Those in ../scripts/negative must fail, and with the words that their
// line `# fails: …` names: they prove that the runner sees what goes wrong.
#include <filesystem>
#include <fstream>

#include "net/test/script_runner.h"

namespace junction::net {
namespace {

struct ScriptCase {
  std::string path;
  bool is_v6;
};

std::vector<ScriptCase> CasesIn(const std::string& folder, bool recurses) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const bool is_negative = entry.path().parent_path().filename() == "negative";
    if (entry.path().extension() == ".pkt" && (recurses || !is_negative)) {
      paths.push_back(entry.path());
    }
  }
  std::ranges::sort(paths);
  std::vector<ScriptCase> cases;
  for (const std::string& path : paths) {
    for (const bool is_v6 : FamiliesOf(path)) {
      cases.push_back({path, is_v6});
    }
  }
  return cases;
}

std::string NameOf(const ::testing::TestParamInfo<ScriptCase>& info) {
  const std::filesystem::path path(info.param.path);
  std::string name =
      path.parent_path().filename().string() + "_" + path.stem().string() + (info.param.is_v6 ? "_v6" : "_v4");
  std::ranges::replace_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}

void PrintTo(const ScriptCase& script, std::ostream* out) { *out << script.path; }

class Script : public ::testing::TestWithParam<ScriptCase> {};
TEST_P(Script, GoesAsWritten) {
  ScriptRunner runner(GetParam().is_v6);
  const std::string failure = runner.Run(GetParam().path);
  EXPECT_TRUE(failure.empty()) << failure;
}
INSTANTIATE_TEST_SUITE_P(Scripts, Script, ::testing::ValuesIn(CasesIn(JUNCTION_SCRIPTS, false)), NameOf);

class NegativeScript : public ::testing::TestWithParam<ScriptCase> {};
TEST_P(NegativeScript, Fails) {
  std::ifstream file(GetParam().path);
  std::string words;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("# fails: ")) {
      words = line.substr(9);
    }
  }
  ASSERT_NE(words, "") << "the script does not say how it fails";
  ScriptRunner runner(GetParam().is_v6);
  const std::string failure = runner.Run(GetParam().path);
  EXPECT_FALSE(failure.empty()) << "the script should have failed";
  EXPECT_NE(failure.find(words), std::string::npos) << failure;
}
INSTANTIATE_TEST_SUITE_P(Scripts, NegativeScript, ::testing::ValuesIn(CasesIn(JUNCTION_SCRIPTS "/negative", true)),
                         NameOf);

}  // namespace
}  // namespace junction::net
