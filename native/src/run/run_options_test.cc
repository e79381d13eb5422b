// SPDX-License-Identifier: Apache-2.0
#include "run/run_options.h"

#include <gtest/gtest.h>

#include "run/env_file.h"

namespace junction {
namespace {

std::vector<std::string> Faults(const std::vector<std::string>& args) {
  auto options = ParseRunOptions(args);
  return options ? std::vector<std::string>{} : options.error();
}

TEST(RunOptions, ReadsAllOptions) {
  const auto options = ParseRunOptions({
      "a.conf",
      "--name",
      "aes-1",
      "--hostname=aes",
      "--chroot_path",
      "/img",
      "--read_only_root",
      "--env",
      "A=1",
      "-E",
      "B=x=y",
      "--uid",
      "33",
      "--gid",
      "34",
      "--uid_base",
      "268435456",
      "--cwd",
      "/srv",
      "--mount",
      "/s:/var/s:ro",
      "--mount",
      "/d:/d",
      "--host",
      "gateway=127.0.0.1",
      "--host",
      "six=::1",
      "--resolv_conf",
      "r",
      "--instance_dir",
      "i",
      "--control",
      "c",
      "--notify",
      "n",
      "--cgroup",
      "/c1",
      "--cgroup",
      "/c2",
      "--log_max_bytes",
      "65536",
      "--scratch_max_bytes",
      "1048576",
      "--strace",
      "--loglevel",
      "7",
      "--env_file",
      "e",
      "--",
      "prog",
      "--help",
      "--",
  });
  ASSERT_TRUE(options.has_value()) << options.error()[0];
  EXPECT_EQ(options->config_path, "a.conf");
  EXPECT_EQ(options->name, "aes-1");
  EXPECT_EQ(options->hostname, "aes");
  EXPECT_EQ(options->chroot_path, "/img");
  EXPECT_TRUE(options->has_read_only_root);
  EXPECT_EQ(options->env, (std::vector<std::string>{"A=1", "B=x=y"}));
  EXPECT_EQ(options->env_file, "e");
  EXPECT_EQ(options->uid, 33);
  EXPECT_EQ(options->gid, 34);
  EXPECT_EQ(options->uid_base, 268435456);
  EXPECT_EQ(options->cwd, "/srv");
  ASSERT_EQ(options->mounts.size(), 2);
  EXPECT_EQ(options->mounts[0].host_path, "/s");
  EXPECT_EQ(options->mounts[0].guest_path, "/var/s");
  EXPECT_TRUE(options->mounts[0].is_read_only);
  EXPECT_FALSE(options->mounts[1].is_read_only);
  ASSERT_EQ(options->hosts.size(), 2);
  EXPECT_EQ(options->hosts[0].name, "gateway");
  EXPECT_EQ(options->hosts[1].address, "::1");
  EXPECT_EQ(options->resolv_conf, "r");
  EXPECT_EQ(options->instance_dir, "i");
  EXPECT_EQ(options->control_path, "c");
  EXPECT_EQ(options->notify_path, "n");
  EXPECT_EQ(options->cgroup_dirs, (std::vector<std::string>{"/c1", "/c2"}));
  EXPECT_EQ(options->log_max_bytes, 65536);
  EXPECT_EQ(options->scratch_max_bytes, 1048576);
  EXPECT_TRUE(options->has_strace);
  EXPECT_EQ(options->log_level, 7);
  EXPECT_EQ(options->program, (std::vector<std::string>{"prog", "--help", "--"}));
}

TEST(RunOptions, ReportsAllFaultsTogether) {
  const auto faults = Faults(
      {"--chroot_path", "relative", "--uid", "65536", "--env", "=x", "--mount", "/a", "--host", "a=b", "--what"});
  ASSERT_EQ(faults.size(), 8);  // six of the options, no configuration, no program
  EXPECT_EQ(faults[0], "--chroot_path: 'relative' is not an absolute path");
  EXPECT_EQ(faults[5], "unknown option --what");
  EXPECT_EQ(faults[6], "the configuration file is missing");
  EXPECT_EQ(faults[7], "'-- program [args...]' is missing");
}

TEST(RunOptions, ANicHasASocketForItsPeers) {
  const auto options = ParseRunOptions({"c", "--links", "2", "--instance_dir", "/i", "--netns", "/n", "--", "p"});
  ASSERT_TRUE(options.has_value()) << options.error()[0];
  EXPECT_EQ(options->links, 2);
  EXPECT_EQ(options->links_path, "/i/links.sock");
  EXPECT_EQ(options->netns_path, "/n");
  EXPECT_EQ(ParseRunOptions({"c", "--links", "0", "--links_path", "l", "--", "p"})->links_path, "l");
  EXPECT_FALSE(ParseRunOptions({"c", "--", "p"})->links.has_value());
  EXPECT_EQ(Faults({"c", "--links", "8", "--instance_dir", "/i", "--", "p"}).size(), 1);
  EXPECT_EQ(Faults({"c", "--links", "1", "--", "p"}).size(), 1) << "no place for the socket";
  EXPECT_EQ(Faults({"c", "--links_path", "l", "--", "p"}).size(), 1);
  EXPECT_EQ(Faults({"c", "--netns", "/n", "--", "p"}).size(), 1);
  EXPECT_EQ(Faults({"c", "--links", "1", "--links_path", "l", "--netns", "/n", "--clone_of", "t"}).size(), 1);
  EXPECT_EQ(Faults({"--links", "1", "--links_path", "l", "--add_to", "t", "--", "p"}).size(), 2);
}

TEST(RunOptions, ACloneTakesNoProgramAndNothingThatIsItsTemplates) {
  const auto options = ParseRunOptions({"c", "--clone-of", "dir", "--control", "f", "--cgroup", "/c"});
  ASSERT_TRUE(options.has_value()) << options.error()[0];
  EXPECT_EQ(options->clone_of, "dir");
  EXPECT_EQ(Faults({"c", "--clone_of", "dir", "--", "prog"}),
            std::vector<std::string>{"--clone_of takes no program: it is the template's"});
  EXPECT_EQ(Faults({"c", "--clone_of", "dir", "--uid", "1", "--read_only_root"}),
            (std::vector<std::string>{"--read_only_root does not go with --clone_of: it is the template's",
                                      "--uid does not go with --clone_of: it is the template's"}));
}

TEST(RunOptions, DoesNotShowTheValueOfABadVariable) {
  EXPECT_EQ(Faults({"c", "--env", "=secret", "--", "p"})[0], "--env: '' is not NAME=VALUE");
}

TEST(RunOptions, RefusesWhatIsGivenTwiceAndWhatIsLeftOver) {
  EXPECT_EQ(Faults({"c", "--uid", "1", "--uid", "2", "--", "p"}).size(), 1);
  EXPECT_EQ(Faults({"c", "d", "--", "p"}).size(), 1);
  EXPECT_EQ(Faults({"c", "--strace=1", "--", "p"}).size(), 1);
  EXPECT_EQ(Faults({"c", "--uid", "--", "p"}).size(), 1);
  EXPECT_EQ(Faults({"c", "--"}).size(), 1);
  EXPECT_EQ(Faults({"c", "--", ""}).size(), 1);
  EXPECT_EQ(Faults({"c", "--uid_base", "0", "--", "p"}).size(), 1);  // host ids below 65536 are the host's own
}

TEST(RunOptions, AFurtherProgramHasFewOptions) {
  const auto options = ParseRunOptions({"--add-to", "/i", "--attach", "-E", "A=1", "--cwd", "/w", "--", "p", "q"});
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->add_to, "/i");
  EXPECT_TRUE(options->has_attach);
  EXPECT_EQ(options->program, (std::vector<std::string>{"p", "q"}));
  EXPECT_EQ(Faults({"--add_to", "/i", "--", "p", "q"}).size(), 0);
  EXPECT_EQ(Faults({"config", "--add_to", "/i", "--", "p"})[0],
            "'config' is too much: --add_to takes no configuration");
  EXPECT_EQ(Faults({"--add_to", "/i", "--uid", "1", "--strace", "--", "p"}).size(), 2);
  EXPECT_EQ(Faults({"--add_to", "/i"})[0], "'-- program [args...]' is missing");
  EXPECT_EQ(Faults({"config", "--attach", "--", "p"})[0], "--attach goes with --add_to only");
}

TEST(RunOptions, HelpNeedsNothingElse) {
  ASSERT_TRUE(ParseRunOptions({"--help"}).has_value());
  EXPECT_TRUE(ParseRunOptions({"-h", "--what"})->wants_help);
  EXPECT_EQ(ParseRunOptions({"--make_mntns", "/n"})->make_mntns, "/n");
  EXPECT_EQ(Faults({"c", "--make_mntns", "/n"}), std::vector<std::string>{"--make_mntns goes alone"});
  EXPECT_NE(RunHelp().find("--chroot_path DIR"), std::string::npos);
}

TEST(EnvFile, ReadsEntriesEndedByNul) {
  const auto env = ParseEnvFile(std::string_view("A=1\0B=two\nlines\0C=\0", 19));
  ASSERT_TRUE(env.has_value());
  EXPECT_EQ(*env, (std::vector<std::string>{"A=1", "B=two\nlines", "C="}));
  EXPECT_EQ(ParseEnvFile("A=1")->size(), 1);
  EXPECT_TRUE(ParseEnvFile("")->empty());
}

TEST(EnvFile, RefusesAnEntryWithoutAName) {
  EXPECT_EQ(ParseEnvFile(std::string_view("A=1\0secret", 10)).error().message, "entry 2 is not NAME=VALUE");
  EXPECT_FALSE(ParseEnvFile(std::string_view("A=1\0\0B=2", 8)).has_value());
}

}  // namespace
}  // namespace junction
