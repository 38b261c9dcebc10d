#include "loaders/splits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "runtime/core/error.h"

namespace xrai {
namespace splits_test {

TEST(GroupRule, ReadsThePatientOfThePublicNames) {
  const GroupRule rule;
  EXPECT_EQ(rule.group_of("train/PNEUMONIA/person12_bacteria_34.jpeg"), "person12");
  EXPECT_EQ(rule.group_of("PNEUMONIA/person12_virus_5_2.jpeg"), "person12");
  EXPECT_EQ(rule.group_of("NORMAL/IM-0115-0001.jpeg"), "IM-0115");
  EXPECT_EQ(rule.group_of("NORMAL/IM-0115-0001-0002.jpeg"), "IM-0115");
  EXPECT_EQ(rule.group_of("NORMAL/NORMAL2-IM-0115-0001.jpeg"), "IM-0115");
  EXPECT_EQ(rule.group_of("NORMAL/NORMAL-4512-3.jpeg"), "NORMAL-4512");
  EXPECT_EQ(rule.group_of("BACTERIA-99-1.jpeg"), "BACTERIA-99");
  EXPECT_EQ(rule.group_of("VIRUS-99-1.jpeg"), "VIRUS-99");
}

TEST(GroupRule, OtherNamesAreGroupsOfTheirOwn) {
  const GroupRule rule;
  for (const char* name : {"A/1.png", "A/person_x.png", "A/personal12.png", "A/IMG-1.png", "A/person3abc.png"}) {
    EXPECT_FALSE(rule.knows(name)) << name;
    EXPECT_EQ(rule.group_of(name), std::string(name).substr(0, std::string(name).size() - 4));
  }
  EXPECT_NE(rule.group_of("A/1.png"), rule.group_of("B/1.png"));
}

TEST(GroupRule, TakesTheFirstCaptureGroupOfAnExpression) {
  const GroupRule rule("(pat[0-9]+)_");
  EXPECT_EQ(rule.group_of("A/pat7_view2.png"), "pat7");
  EXPECT_EQ(rule.group_of("A/other.png"), "A/other");
  EXPECT_EQ(GroupRule("pat[0-9]+").group_of("A/pat7_view2.png"), "pat7");
  EXPECT_THROW(GroupRule("(["), Error);
}

TEST(NameFamily, TellsTheSeriesApart) {
  EXPECT_EQ(name_family("N/IM-0115-0001.jpeg"), "IM");
  EXPECT_EQ(name_family("N/NORMAL2-IM-0115-0001.jpeg"), "NORMAL2");
  EXPECT_EQ(name_family("P/person12_bacteria_34.jpeg"), "bacteria");
  EXPECT_EQ(name_family("P/person12_virus_34_2.jpeg"), "virus");
  EXPECT_EQ(name_family("P/person12.jpeg"), "");
  EXPECT_EQ(name_family("P/scan.png"), "");
}

TEST(ParseSplits, ReadsNamesAndParts) {
  const auto splits = parse_splits("train=0.7,val=0.1,test=0.2");
  ASSERT_EQ(splits.size(), 3U);
  EXPECT_EQ(splits[1].name, "val");
  EXPECT_NEAR(splits[1].fraction, 0.1, 1e-12);
  EXPECT_EQ(parse_splits("test=1")[0].name, "test");
}

TEST(ParseSplits, RefusesWhatDoesNotAddUp) {
  for (const char* text : {"", "train", "train=", "train=0.5", "train=1,val=0", "train=0.5,train=0.5", "tarin=1",
                           "train=0.8,val=0.3", "train=nan", "train=-1,val=2", "train=1,"})
    EXPECT_THROW(parse_splits(text), Error) << text;
}

struct Pictures {
  std::vector<std::string> groups, strata;
};

Pictures many_pictures() {
  Pictures pictures;
  std::mt19937 random(3);  // NOLINT: the same pictures every time
  for (int group = 0; group < 800; ++group) {
    const std::size_t size = 1 + random() % (group % 10 == 0 ? 20 : 4);
    for (std::size_t i = 0; i < size; ++i) {
      pictures.groups.push_back("person" + std::to_string(group));
      pictures.strata.push_back(group % 4 == 0 ? "normal" : i % 3 == 0 ? "virus" : "bacteria");
    }
  }
  return pictures;
}

TEST(GroupedSplit, GroupsNeverStraddle) {
  const Pictures pictures = many_pictures();
  const auto fractions = parse_splits("train=0.7,val=0.1,test=0.2");
  const auto split = grouped_stratified_split(pictures.groups, pictures.strata, fractions, 1);
  std::map<std::string, std::set<int>> splits_of_group;
  for (std::size_t i = 0; i < split.size(); ++i) splits_of_group[pictures.groups[i]].insert(split[i]);
  for (const auto& [group, splits] : splits_of_group) EXPECT_EQ(splits.size(), 1U) << group;
}

TEST(GroupedSplit, EveryStratumIsDividedByTheFractions) {
  const Pictures pictures = many_pictures();
  const auto fractions = parse_splits("train=0.7,val=0.1,test=0.2");
  const auto split = grouped_stratified_split(pictures.groups, pictures.strata, fractions, 1);
  std::map<std::string, std::vector<double>> counts;
  for (std::size_t i = 0; i < split.size(); ++i) {
    counts[pictures.strata[i]].resize(3);
    counts[pictures.strata[i]][static_cast<std::size_t>(split[i])] += 1.0;
  }
  for (const auto& [stratum, parts] : counts) {
    const double total = parts[0] + parts[1] + parts[2];
    for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(parts[k] / total, fractions[k].fraction, 0.02) << stratum << k;
  }
}

TEST(GroupedSplit, TheOrderOfThePicturesDoesNotMatter) {
  Pictures pictures = many_pictures();
  const auto fractions = parse_splits("train=0.85,val=0.15");
  const auto split = grouped_stratified_split(pictures.groups, pictures.strata, fractions, 5);
  std::reverse(pictures.groups.begin(), pictures.groups.end());
  std::reverse(pictures.strata.begin(), pictures.strata.end());
  auto reversed = grouped_stratified_split(pictures.groups, pictures.strata, fractions, 5);
  std::reverse(reversed.begin(), reversed.end());
  EXPECT_EQ(split, reversed);
}

TEST(GroupedSplit, AnotherSeedIsAnotherSplit) {
  const Pictures pictures = many_pictures();
  const auto fractions = parse_splits("train=0.85,val=0.15");
  EXPECT_EQ(grouped_stratified_split(pictures.groups, pictures.strata, fractions, 1),
            grouped_stratified_split(pictures.groups, pictures.strata, fractions, 1));
  EXPECT_NE(grouped_stratified_split(pictures.groups, pictures.strata, fractions, 1),
            grouped_stratified_split(pictures.groups, pictures.strata, fractions, 2));
}

TEST(GroupedSplit, AFewGroupsStillGiveEachPartOfEachClass) {
  std::vector<std::string> groups;
  std::vector<std::uint8_t> labels;
  for (int i = 0; i < 8; ++i) {
    groups.push_back("patient" + std::to_string(i));
    labels.push_back(static_cast<std::uint8_t>(i % 2));
  }
  const auto split = grouped_stratified_split(groups, labels, parse_splits("train=0.75,val=0.25"), 1);
  for (const int label : {0, 1}) {
    int n_val = 0;
    for (std::size_t i = 0; i < split.size(); ++i) n_val += labels[i] == label && split[i] == 1 ? 1 : 0;
    EXPECT_EQ(n_val, 1) << label;
  }
}

TEST(GroupedSplit, OnePartTakesAll) {
  const Pictures pictures = many_pictures();
  const auto split = grouped_stratified_split(pictures.groups, pictures.strata, parse_splits("test=1"), 1);
  EXPECT_THAT(split, ::testing::Each(0));
}

}  // namespace splits_test
}  // namespace xrai
