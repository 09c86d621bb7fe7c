#include "client/report/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "client/report/report_maps.h"
#include "tests/client/report_pages.h"

namespace attend::client {
namespace {

using Json = nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::size_t CountOf(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

// What a browser would read: from the data element to the first thing that ends a script.
Json DataOf(const std::string& html) {
  const std::string opening = "<script type=\"application/json\" id=\"report-data\">";
  const std::size_t begin = html.find(opening) + opening.size();
  const Json data =
      Json::parse(html.substr(begin, html.find("</script", begin) - begin), nullptr, false);
  EXPECT_FALSE(data.is_discarded());
  return data;
}

std::string WithoutData(const std::string& html) {
  const std::size_t begin = html.find("id=\"report-data\">");
  return html.substr(0, begin) + html.substr(html.find("</script", begin));
}

std::vector<unsigned> BytesOfBase64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<unsigned> bytes;
  EXPECT_EQ(text.size() % 4, 0u);
  for (std::size_t i = 0; i + 3 < text.size(); i += 4) {
    unsigned group = 0;
    int padding = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      padding += text[i + k] == '=' ? 1 : 0;
      group =
          group << 6 | (text[i + k] == '=' ? 0u : static_cast<unsigned>(digits.find(text[i + k])));
    }
    for (int k = 0; k < 3 - padding; ++k) bytes.push_back(group >> (16 - 8 * k) & 255);
  }
  return bytes;
}

TEST(HtmlReport, HoldsTheDataThatItWasGiven) {
  const WrittenReport report = WriteHtmlReport(SmallPage());
  EXPECT_THAT(report.notes, IsEmpty());
  const Json data = DataOf(report.html);
  EXPECT_EQ(data["title"], "Attention of models/small");
  EXPECT_EQ(data["bits"], 16);
  ASSERT_EQ(data["kinds"].size(), 2u);
  const Json& cross = data["kinds"][0];
  EXPECT_EQ(cross["maps"].size(), 7u);
  EXPECT_EQ(data["axes"][cross["rows"].get<std::size_t>()]["labels"],
            Json({"Le", "chat", "assis"}));
  EXPECT_EQ(data["axes"][cross["columns"].get<std::size_t>()]["labels"],
            Json({"The", "cat", "sat"}));
  EXPECT_EQ(data["axes"].size(), 2u) << "kinds share axes";
  EXPECT_FALSE(cross["maps"][0].contains("layer"));
  const Json& head = cross["maps"][5];
  EXPECT_EQ(head["name"], "layer 1, head 0");
  const std::vector<unsigned> bytes = BytesOfBase64(head["data"].get<std::string>());
  ASSERT_EQ(bytes.size(), 18u);
  EXPECT_NEAR((bytes[8] | bytes[9] << 8) / 65534.0, 0.75, 1e-4);  // row 1, column 1
  EXPECT_EQ(data["alignment"]["links"][1], Json({1, 1, 0.8}));
  EXPECT_EQ(data["alignment"]["source"]["gaps"], Json({"", " ", " ", ""}));
  EXPECT_TRUE(data["summary"].is_null());
}

TEST(HtmlReport, NeedsNothingButItself) {
  for (const ReportPage& page : {SmallPage(), SummaryPage(), WrittenSummaryPage()}) {
    const std::string html = WithoutData(WriteHtmlReport(page).html);
    EXPECT_FALSE(std::regex_search(html, std::regex("https?://"))) << "an address";
    EXPECT_FALSE(
        std::regex_search(html, std::regex("<link|<iframe|@import|url\\(|import\\(|fetch\\(")));
    EXPECT_FALSE(std::regex_search(html, std::regex("<[^>]* (src|href)=")));
    EXPECT_FALSE(std::regex_search(
        html, std::regex("\\.(inner|outer)HTML|insertAdjacentHTML|document\\.write")));
    EXPECT_THAT(html, HasSubstr("default-src 'none'"));
    EXPECT_THAT(html, Not(HasSubstr("{{")));
  }
}

TEST(HtmlReport, NoTextLeavesItsPlace) {
  const std::string html = WriteHtmlReport(StrangePage()).html;
  EXPECT_EQ(CountOf(html, "</script"), 2u) << "the data's end and the program's";
  EXPECT_EQ(CountOf(html, "<img"), 0u);
  const Json data = DataOf(html);
  EXPECT_EQ(data["title"], kHostileText);
  const Json& labels = data["axes"][data["kinds"][0]["columns"].get<std::size_t>()]["labels"];
  EXPECT_EQ(labels[1], kHostileText);
  EXPECT_EQ(labels[2], "مرحبا");
  EXPECT_EQ(labels[9],
            "bad\xef\xbf\xbd"
            "bytes");
  EXPECT_EQ(data["alignment"]["links"].size(), 11u) << "those out of range are left out";
}

TEST(HtmlReport, StaysWithinItsBudget) {
  const int64_t budget = 300000;
  // 64 x 64 with 10 maps of 3 kinds: 328 kB with 16 bits, half of it with 8.
  const WrittenReport rounded = WriteHtmlReport(LargePage(64, 9), budget);
  EXPECT_EQ(DataOf(rounded.html)["bits"], 8);
  EXPECT_THAT(rounded.notes, ElementsAre(HasSubstr("rounded")));
  EXPECT_EQ(DataOf(rounded.html)["notes"].size(), 1u);

  const WrittenReport cut = WriteHtmlReport(LargePage(128, 9), budget);
  const Json data = DataOf(cut.html);
  EXPECT_THAT(cut.notes, ElementsAre(HasSubstr("rounded"), HasSubstr("cross: 6 of 10 maps"),
                                     HasSubstr("encoder: 6 of 10"), HasSubstr("decoder: 6 of 10")));
  EXPECT_EQ(data["notes"], Json(cut.notes));
  std::size_t bytes = 0;
  for (const Json& kind : data["kinds"]) {
    EXPECT_EQ(kind["maps"].size(), 4u);
    EXPECT_EQ(kind["maps"][0]["name"], "mean of 4 heads") << "the most wanted stay";
    for (const Json& map : kind["maps"]) bytes += map["data"].get<std::string>().size();
  }
  EXPECT_LE(bytes, static_cast<std::size_t>(budget));
}

TEST(HtmlReport, KeepsOneMapOfAKindHoweverLarge) {
  const Json data = DataOf(WriteHtmlReport(LargePage(64, 3), 10).html);
  for (const Json& kind : data["kinds"]) EXPECT_EQ(kind["maps"].size(), 1u);
}

TEST(HtmlReport, LargestDefaultPageIsBelowTenMegabytes) {
  const WrittenReport report = WriteHtmlReport(LargePage(512, 16));
  EXPECT_LT(report.html.size(), 10u << 20);
  EXPECT_EQ(DataOf(report.html)["kinds"].size(), 3u);
}

TEST(HtmlReport, RoundsWeightsAsItSays) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> weights = {0, 0.001f, 0.25f, 1, nan, -0.5f, 2};
  const std::vector<uint16_t> packed = PackWeights(weights);
  EXPECT_EQ(packed[4], kReportNotKept);
  EXPECT_EQ(packed[5], 0);
  EXPECT_EQ(packed[6], 65534);
  const ReportMap map{"", std::nullopt, std::nullopt, packed};
  const std::vector<unsigned> bytes = BytesOfBase64(EncodeMap(map, 8));
  ASSERT_EQ(bytes.size(), 7u);
  EXPECT_EQ(static_cast<int64_t>(EncodeMap(map, 8).size()), WrittenMapBytes(map, 8));
  EXPECT_EQ(static_cast<int64_t>(EncodeMap(map, 16).size()), WrittenMapBytes(map, 16));
  EXPECT_EQ(bytes[0], 0u);
  EXPECT_EQ(bytes[2], 127u);
  EXPECT_EQ(bytes[3], 254u);
  EXPECT_EQ(bytes[4], 255u);
  for (int i : {0, 1, 2, 3})
    EXPECT_NEAR(std::pow(bytes[static_cast<std::size_t>(i)] / 254.0, 2),
                weights[static_cast<std::size_t>(i)], 0.004);
}

TEST(HtmlReport, SummariesKeepTheirLayout) {
  const ReportPage page = SummaryPage();
  const Json summary = DataOf(WriteHtmlReport(page).html)["summary"];
  ASSERT_EQ(summary["sentences"].size(), 7u);
  std::string text;
  for (std::size_t i = 0; i < summary["gaps"].size(); ++i) {
    text += summary["gaps"][i].get<std::string>();
    if (i < summary["sentences"].size()) text += summary["sentences"][i]["text"].get<std::string>();
  }
  EXPECT_EQ(text, page.summary->source.text);
  EXPECT_EQ(summary["sentences"][2]["rank"], 2);
  EXPECT_EQ(summary["sentences"][2]["selected"], true);
  EXPECT_EQ(summary["links"].size(), 14u) << "one is out of range";
  const Json written = DataOf(WriteHtmlReport(WrittenSummaryPage()).html)["summary"]["written"];
  EXPECT_EQ(written["sentences"][1]["text"], "The repair cost 4.5 million.");
  EXPECT_TRUE(written["sentences"][1]["score"].is_null());
}

TEST(HtmlReport, SpansThatDoNotFitLeaveTheTextWhole) {
  ReportPage page = SummaryPage();
  page.summary->source.sentences[3].end = 100000;
  const Json summary = DataOf(WriteHtmlReport(page).html)["summary"];
  EXPECT_EQ(summary["gaps"], Json({page.summary->source.text}));
  EXPECT_THAT(summary["sentences"], IsEmpty());
  EXPECT_THAT(summary["links"], IsEmpty());
  page = SmallPage();
  page.alignment->source.words[1].start = 90;
  EXPECT_EQ(DataOf(WriteHtmlReport(page).html)["alignment"]["source"]["gaps"],
            Json({"", " ", " ", ""}));
}

TEST(HtmlReport, AnEmptyPageIsAPage) {
  const Json data = DataOf(WriteHtmlReport(ReportPage()).html);
  EXPECT_THAT(data["kinds"], IsEmpty());
  EXPECT_TRUE(data["alignment"].is_null());
}

}  // namespace
}  // namespace attend::client
