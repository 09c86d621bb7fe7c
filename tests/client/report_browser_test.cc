// The report's page in a real browser: headless Chromium loads it, a script of the test presses
// keys and looks, and the browser prints what became of the page. Left out where no Chromium is
// installed.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "client/report/html_report.h"
#include "tests/client/report_pages.h"
#include "tests/testing/temporary_folder.h"

namespace attend::client {
namespace {

using Json = nlohmann::json;

constexpr int kSkipped = 77;  // SKIP_RETURN_CODE of the CMakeLists.txt

std::string FindBrowser() {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    for (const char* name :
         {"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}) {
      const std::string program = folder + "/" + name;
      if (access(program.c_str(), X_OK) == 0) return program;
    }
  }
  return "";
}

class BrowserIsThere : public ::testing::Environment {
 public:
  void SetUp() override {
    if (!FindBrowser().empty()) return;
    std::puts("no Chromium in PATH: the page was not tried in a browser");
    std::exit(kSkipped);
  }
};
const auto* const kEnvironment = ::testing::AddGlobalTestEnvironment(new BrowserIsThere);

void Replace(const std::string& what, const std::string& with, std::string* text) {
  const std::size_t at = text->rfind(what);
  ASSERT_NE(at, std::string::npos);
  text->replace(at, what.size(), with);
}

// Loads the page, runs `script`, which fills `result`, and returns that. result.errors are the
// exceptions of the page.
Json Try(ReportPage page, const std::string& script, const std::string& window = "1280,900") {
  const TemporaryFolder folder;
  std::string html = WriteHtmlReport(std::move(page)).html;
  Replace("<body>",
          "<body><script>const result = {errors: []}; const press = (element, key, more) => "
          "element.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: "
          "true, ...more}));"
          "addEventListener('error', (event) => result.errors.push(event.message));"
          "addEventListener('securitypolicyviolation', (event) => "
          "result.errors.push(event.violatedDirective));"
          "</script>",
          &html);
  Replace(
      "</body>",
      "<script>(() => { const id = (name) => document.getElementById(name); const all = (what) => "
      "[...document.querySelectorAll(what)];\n" +
          script +
          "\n})(); const pre = document.createElement('pre'); pre.id = 'result'; pre.textContent = "
          "btoa(unescape(encodeURIComponent(JSON.stringify(result)))); "
          "document.body.replaceChildren(pre);"
          "</script></body>",
      &html);
  const std::string file = folder.Write("page.html", html);
  const std::string command =
      FindBrowser() +
      " --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --window-size=" + window +
      " --user-data-dir=" + folder.Path("profile") + " --dump-dom file://" + file + " 2>" +
      folder.Path("log");
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return nullptr;
  std::string dom;
  char buffer[4096];
  for (std::size_t count; (count = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    dom.append(buffer, count);
  EXPECT_EQ(pclose(pipe), 0);
  const std::string opening = "<pre id=\"result\">";
  const std::size_t begin = dom.find(opening);
  EXPECT_NE(begin, std::string::npos) << dom.substr(0, 2000);
  if (begin == std::string::npos) return nullptr;
  const std::string text =
      dom.substr(begin + opening.size(), dom.find('<', begin + 1) - begin - opening.size());
  // Base64, so that what the page wrote cannot be mistaken for markup here.
  std::string json;
  unsigned group = 0;
  int bits = 0;
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (const char c : text) {
    if (c == '=') break;
    group = group << 6 | static_cast<unsigned>(digits.find(c));
    bits += 6;
    if (bits >= 8) json += static_cast<char>(group >> (bits -= 8) & 255);
  }
  Json result = Json::parse(json, nullptr, false);
  EXPECT_FALSE(result.is_discarded()) << json;
  EXPECT_EQ(result["errors"], Json::array());
  return result;
}

std::string Readout(const std::string& row, const std::string& column, const std::string& weight) {
  const auto quoted = [](const std::string& word) { return "“\u2068" + word + "\u2069”"; };
  return quoted(row) + " → " + quoted(column) + ": " + weight;
}

TEST(Browser, TheHeatMapIsReadWithKeys) {
  const Json result = Try(SmallPage(), R"js(
    const map = id('map-scroll'), read = () => id('heat-readout').textContent;
    result.first = read();
    press(map, 'ArrowDown'); press(map, 'ArrowRight');
    result.second = read();
    press(map, 'End', {ctrlKey: true}); press(map, 'ArrowDown');
    result.last = read();
    press(map, 'm');
    result.largest = read();
    press(map, ']');
    result.next = [id('heat-layer').value, id('heat-head').selectedOptions[0].textContent, read()];
    press(map, '['); press(map, '[');
    result.before = [id('heat-layer').value, id('heat-head').selectedOptions[0].textContent];
    result.label = map.getAttribute('aria-label');
    result.live = id('heat-readout').getAttribute('aria-live');
    result.row = all('#row-table tr').map((row) => row.textContent);
    const width = () => parseFloat(id('map-space').style.width);
    const fit = width();
    press(map, '-');
    result.smaller = width() < fit;
    press(map, '0');
    result.fits = width() === fit;
  )js");
  EXPECT_EQ(result["first"], Readout("Le", "The", "60.0 %"));
  EXPECT_EQ(result["second"], Readout("chat", "cat", "60.0 %"));
  EXPECT_EQ(result["last"], Readout("assis", "sat", "60.0 %"));
  EXPECT_EQ(result["largest"], result["last"]);
  EXPECT_EQ(result["next"][0], "0");
  EXPECT_EQ(result["next"][1], "mean of 2 heads");
  EXPECT_EQ(result["next"][2], "layer 0, mean of 2 heads. " + Readout("assis", "sat", "50.0 %"));
  EXPECT_EQ(result["before"], Json({"1", "head 1"}));
  EXPECT_NE(result["label"].get<std::string>().find("3 rows, 3 columns"), std::string::npos);
  EXPECT_EQ(result["live"], "polite");
  EXPECT_EQ(result["row"][0], "cat49.1 %");  // of layer 1, head 1; its own word has 40 %
  EXPECT_EQ(result["smaller"], true);
  EXPECT_EQ(result["fits"], true);
}

TEST(Browser, TheListsChooseKindLayerAndHead) {
  const Json result = Try(SmallPage(), R"js(
    const choose = (name, value) => { id(name).value = value; id(name).dispatchEvent(new Event('change')); };
    const names = (name) => [...id(name).options].map((option) => option.textContent);
    result.kinds = names('heat-kind');
    result.layers = names('heat-layer');
    choose('heat-layer', '1');
    result.heads = names('heat-head');
    choose('heat-head', [...id('heat-head').options].find((option) => option.textContent === 'head 0').value);
    result.head = id('heat-readout').textContent;
    choose('heat-kind', '1');
    result.encoder = id('heat-readout').textContent;
    choose('heat-kind', '0');
    id('overview').open = true;
    id('overview').dispatchEvent(new Event('toggle'));
    const thumbnails = all('.thumbnail');
    result.thumbnails = thumbnails.map((one) => one.textContent);
    thumbnails[6].click();
    result.picked = [id('heat-layer').value, id('heat-head').selectedOptions[0].textContent];
    result.pressed = thumbnails.filter((one) => one.getAttribute('aria-pressed') === 'true').map((one) => one.textContent);
    choose('heat-kind', '1');
    result.only_one = id('overview').hidden;
    // The middle of the first cell has the darkest shade, the middle of the next one a light one.
    const canvas = id('map-canvas'), box = canvas.getBoundingClientRect();
    const cells = [];
    for (let x = 0; x < canvas.width; ++x) cells.push(canvas.getContext('2d').getImageData(x, canvas.height - 12, 1, 1).data[0]);
    result.darkest = Math.min(...cells);
    result.lightest = Math.max(...cells);
  )js");
  EXPECT_EQ(result["kinds"], Json({"Cross: target words read source words",
                                   "Encoder: source words read each other"}));
  EXPECT_EQ(result["layers"], Json({"mean of 4 heads", "layer 0", "layer 1"}));
  EXPECT_EQ(result["heads"], Json({"mean of 2 heads", "head 0", "head 1"}));
  EXPECT_EQ(result["head"], Readout("Le", "The", "75.0 %"));
  EXPECT_EQ(result["encoder"], Readout("The", "The", "90.0 %"));
  EXPECT_EQ(result["thumbnails"],
            Json({"mean of 4 heads", "layer 0, mean", "layer 0, head 0", "layer 0, head 1",
                  "layer 1, mean", "layer 1, head 0", "layer 1, head 1"}));
  EXPECT_EQ(result["picked"], Json({"1", "head 1"}));
  EXPECT_EQ(result["pressed"], Json({"layer 1, head 1"}));
  EXPECT_EQ(result["only_one"], true);
  EXPECT_LT(result["darkest"], 80);
  EXPECT_GT(result["lightest"], 200);
}

TEST(Browser, RowsThatReadNothingShownSaySo) {
  ReportPage page = SmallPage();
  page.kinds.erase(page.kinds.begin());
  page.kinds[0].maps[0].weights.assign(9, 0);
  page.kinds[0].maps[0].weights[8] = kReportNotKept;
  const Json result = Try(std::move(page), R"js(
    result.row = all('#row-table tr').map((row) => row.textContent);
    press(id('map-scroll'), 'End', {ctrlKey: true});
    result.not_kept = id('heat-readout').textContent;
  )js");
  ASSERT_EQ(result["row"].size(), 1u);
  EXPECT_EQ(result["row"][0].get<std::string>().rfind("Nothing that is shown", 0), 0u);
  EXPECT_EQ(result["not_kept"], Readout("sat", "sat", "not kept"));
}

TEST(Browser, RibbonsFollowWordsAndThreshold) {
  const Json result = Try(SmallPage(), R"js(
    const words = all('.word');
    result.words = words.map((word) => word.textContent);
    result.ribbons = all('.ribbon').length;
    words[1].dispatchEvent(new PointerEvent('pointerenter'));
    result.chosen = all('.is-chosen, .is-linked').map((word) => word.textContent);
    result.on = all('.ribbon.is-on').length;
    result.readout = id('ribbon-readout').textContent;
    words[1].dispatchEvent(new PointerEvent('pointerleave'));
    result.after = all('.is-chosen, .is-linked').length;
    press(words[1], 'ArrowDown');
    result.focus = document.activeElement.textContent;
    const slider = id('ribbon-threshold');
    slider.value = 50;
    slider.dispatchEvent(new Event('input'));
    result.shown = all('.ribbon').filter((one) => one.style.display !== 'none').length;
    result.free = words[2].getAttribute('aria-label');
    result.said = slider.getAttribute('aria-valuetext');
  )js");
  EXPECT_EQ(result["words"], Json({"The", "cat", "sat", "Le", "chat", "assis"}));
  EXPECT_EQ(result["ribbons"], 3);
  EXPECT_EQ(result["chosen"], Json({"cat", "chat"}));
  EXPECT_EQ(result["on"], 1);
  EXPECT_NE(result["readout"].get<std::string>().find("80.0 %"), std::string::npos);
  EXPECT_EQ(result["after"], 0);
  EXPECT_EQ(result["focus"], "chat");
  EXPECT_EQ(result["shown"], 2);
  EXPECT_NE(result["free"].get<std::string>().find("no link"), std::string::npos);
  EXPECT_EQ(result["said"], "50 %");
}

TEST(Browser, TextOfUsersStaysText) {
  const Json result = Try(StrangePage(), R"js(
    result.title = document.title;
    result.heading = id('title').textContent;
    result.images = all('img').length;
    result.words = all('.word').length;
    result.wide = document.documentElement.scrollWidth > innerWidth;
  )js",
                          "500,900");
  EXPECT_EQ(result["title"], kHostileText);
  EXPECT_EQ(result["heading"], kHostileText);
  EXPECT_EQ(result["images"], 0);
  EXPECT_EQ(result["words"], 22);
  EXPECT_EQ(result["wide"], false) << "nothing is wider than the window";
}

TEST(Browser, TheLargestMapIsFewNodes) {
  const Json result = Try(LargePage(512, 4), R"js(
    const map = id('map-scroll');
    result.nodes = all('*').length;
    press(map, 'End', {ctrlKey: true});
    result.last = id('heat-readout').textContent;
    for (let i = 0; i < 12; ++i) press(map, '+');
    result.bottom = map.scrollTop > 0 && map.scrollLeft > 0;
    result.canvas = id('map-canvas').width < 4000 && id('map-canvas').height < 4000;
    result.milliseconds = Number(id('map-canvas').dataset.milliseconds);
  )js");
  EXPECT_LT(result["nodes"], 6000);
  EXPECT_EQ(result["last"], Readout("word511", "word511", "60.2 %"));  // 60, rounded to 8 bits
  EXPECT_EQ(result["bottom"], true);
  EXPECT_EQ(result["canvas"], true);
  RecordProperty("milliseconds_to_draw_512_by_512", result["milliseconds"].dump());
}

TEST(Browser, SentencesSayWhatTheyLeanOn) {
  const Json result = Try(SummaryPage(), R"js(
    result.marks = all('mark.sentence').map((one) => one.textContent);
    result.text = id('sentence-text').textContent;
    all('.sentence')[1].click();
    result.links = all('#sentence-links .rank-text').map((one) => one.textContent);
    result.linked = all('.sentence.is-linked').length;
    result.ranks = all('#sentence-ranks .rank-number').map((one) => one.textContent);
    press(all('.sentence')[1], 'Escape');
    result.cleared = all('.is-chosen, .is-linked').length;
    result.heat = id('heat').hidden && id('ribbons').hidden;
  )js");
  EXPECT_EQ(result["marks"], Json({"The town library opens again on Monday.",
                                   "Costs rose to 4.5 million, twice what was planned."}));
  EXPECT_EQ(result["text"], SummaryPage().summary->source.text);
  EXPECT_EQ(result["links"], Json({"The town library opens again on Monday.",
                                   "Readers will find a larger reading room."}));
  EXPECT_EQ(result["linked"], 2);
  EXPECT_EQ(result["ranks"], Json({"1.", "2.", "3.", "4.", "5.", "6.", "7."}));
  EXPECT_EQ(result["cleared"], 0);
  EXPECT_EQ(result["heat"], true);
}

TEST(Browser, WrittenSentencesNameTheirSources) {
  const Json result = Try(WrittenSummaryPage(), R"js(
    all('#written-text .sentence')[1].click();
    result.links = all('#sentence-links .rank-text').map((one) => one.textContent);
    all('#sentence-text .sentence')[0].click();
    result.back = all('#sentence-links .rank-text').map((one) => one.textContent);
  )js");
  EXPECT_EQ(result["links"][0], "Costs rose to 4.5 million, twice what was planned.");
  EXPECT_EQ(result["back"], Json({"The library is open again."}));
}

TEST(Browser, BothThemesAreReadable) {
  const Json result = Try(SmallPage(), R"js(
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const luminance = (color) => { const c = color.replace('#', '').match(/../g).map((h) => linear(parseInt(h, 16) / 255));
      return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]; };
    const value = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const contrast = (a, b) => { const [x, y] = [luminance(value(a)), luminance(value(b))].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
    const pairs = [['--text', '--page'], ['--quiet', '--page'], ['--text', '--panel'], ['--quiet', '--panel'], ['--focus', '--page'],
                   ['--text', '--note'], ['--link-text', '--link'], ['--page', '--text']];
    result.themes = [];
    for (let i = 0; i < 2; ++i) {
      result.themes.push([document.documentElement.dataset.theme, Math.min(...pairs.map(([a, b]) => contrast(a, b))),
        Math.min(...[0, 1, 2, 3].map((k) => contrast('--ribbon-' + k, '--page')))]);
      id('theme').click();
    }
  )js");
  ASSERT_EQ(result["themes"].size(), 2u);
  EXPECT_NE(result["themes"][0][0], result["themes"][1][0]);
  for (const Json& theme : result["themes"]) {
    EXPECT_GE(theme[1], 4.5) << theme;  // WCAG AA for text
    EXPECT_GE(theme[2], 3) << theme;    // and for graphics
  }
}

}  // namespace
}  // namespace attend::client
