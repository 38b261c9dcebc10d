// report.html in a real browser: no message on the console, no request to anywhere. Chromium talks to the network
// through a socket of this test only, so that every host that a page asks for is seen; a page that does misbehave
// shows that the test would notice.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

#include "tests/apps/report_samples.h"

namespace xrai {
namespace report_browser_test {

/// Listens on a free local port and writes down the host of every request, answering none.
class ListeningProxy {
 public:
  ListeningProxy() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (socket_ < 0 || bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(socket_, 16) != 0 ||
        getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no local port to listen on");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ListeningProxy(const ListeningProxy&) = delete;
  ListeningProxy& operator=(const ListeningProxy&) = delete;
  ~ListeningProxy() {
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_);
  }

  [[nodiscard]] int port() const { return port_; }
  /// Hosts that are not the browser's own (it looks for updates and the time by itself, whatever page is open).
  [[nodiscard]] std::set<std::string> hosts_of_pages() {
    const std::lock_guard lock(mutex_);
    std::set<std::string> hosts;
    for (const std::string& request : requests_) {
      const bool own = request.find("google.com") != std::string::npos ||
                       request.find("googleapis.com") != std::string::npos ||
                       request.find("gvt1.com") != std::string::npos;
      if (!own) hosts.insert(request);
    }
    return hosts;
  }

 private:
  void serve() {
    for (int connection; (connection = accept(socket_, nullptr, nullptr)) >= 0; close(connection)) {
      const timeval patience{2, 0};
      setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
      std::array<char, 512> bytes{};
      const ssize_t n = recv(connection, bytes.data(), bytes.size(), 0);
      const std::lock_guard lock(mutex_);
      std::istringstream request(std::string(bytes.data(), n > 0 ? static_cast<std::size_t>(n) : 0));
      std::string method, target;
      request >> method >> target;
      requests_.push_back(target.substr(0, target.find('?')));
    }
  }

  int socket_, port_ = 0;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

std::string output_of(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  std::array<char, 4096> bytes{};
  for (std::size_t n; (n = fread(bytes.data(), 1, bytes.size(), pipe)) > 0;) output.append(bytes.data(), n);
  pclose(pipe);
  return output;
}

class Browser : public ::testing::Test {
 protected:
  void SetUp() override {
    program = output_of("command -v chromium || command -v chromium-browser || command -v google-chrome");
    while (!program.empty() && program.back() == '\n') program.pop_back();
    if (program.empty()) GTEST_SKIP() << "no browser to open the report in: apt-get install chromium";
    folder = std::filesystem::path(::testing::TempDir()) / ("xrai_browser_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    if (open("data:text/html,it-runs").find("it-runs") == std::string::npos) {
      GTEST_SKIP() << program << " does not start here: " << text("messages").substr(0, 300)
                   << " (apt-get install chromium; the snap package needs a full system)";
    }
  }
  void TearDown() override {
    if (!folder.empty()) std::filesystem::remove_all(folder);
  }

  /// The document as the browser holds it after loading; what it says goes to folder/messages.
  std::string open(const std::string& address) {
    return output_of("timeout 90 '" + program +
                     "' --headless --no-sandbox --disable-gpu --disable-dev-shm-usage "
                     "--no-first-run --disable-background-networking --disable-component-update --disable-sync "
                     "--disable-default-apps --disable-extensions --user-data-dir='" +
                     (folder / "profile").string() + "' --proxy-server=127.0.0.1:" + std::to_string(proxy.port()) +
                     " '--proxy-bypass-list=<-loopback>' --enable-logging=stderr --log-level=0 --v=0 --dump-dom '" +
                     address + "' 2>'" + (folder / "messages").string() + "'");
  }
  [[nodiscard]] std::string text(const char* name) const {
    std::ostringstream all;
    all << std::ifstream(folder / name, std::ios::binary).rdbuf();
    return all.str();
  }
  [[nodiscard]] std::string write(const char* name, const std::string& page) const {
    std::ofstream(folder / name, std::ios::binary) << page;
    return "file://" + (folder / name).string();
  }
  [[nodiscard]] std::string console() const {
    std::string lines;
    std::istringstream messages(text("messages"));
    for (std::string line; std::getline(messages, line);) {
      if (line.find("CONSOLE") != std::string::npos) lines += line + "\n";
    }
    return lines;
  }

  ListeningProxy proxy;
  std::string program;
  std::filesystem::path folder;
};

TEST_F(Browser, ReportLoadsWithoutMessageAndWithoutRequest) {
  ReportInput input = sample_report({"NORMAL", "PNEUMONIA<script>alert(1)</script>"});
  for (Mistake& m : input.mistakes) m.source = "\"><img src=http://xrai.invalid/leak.png onerror=alert(1)>";
  const std::string document = open(write("report.html", report_html(input)));
  EXPECT_NE(document.find("Most confident mistakes"), std::string::npos) << "the page was not loaded";
  EXPECT_NE(document.find("</footer>"), std::string::npos) << "the page ends early";
  EXPECT_EQ(console(), "");
  EXPECT_EQ(proxy.hosts_of_pages(), std::set<std::string>());
}

TEST_F(Browser, APageThatMisbehavesIsNoticed) {
  (void)open(write("bad.html",
                   "<html><body><script>not_defined();</script><img src=\"http://xrai.invalid/x.png\"/>"
                   "</body></html>"));
  EXPECT_NE(console().find("not_defined"), std::string::npos);
  EXPECT_EQ(proxy.hosts_of_pages().count("http://xrai.invalid/x.png"), 1u);
}

}  // namespace report_browser_test
}  // namespace xrai
