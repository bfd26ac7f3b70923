#include "core/launch/listeners.h"

#include <doctest/doctest.h>

using namespace appshot;

namespace {

const char kHead[] = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const char kFourZeros[] = "00000000000000000000000000000000";

std::string line(const std::string& local, const std::string& state = "0A") {
  return "   0: " + local + " " + std::string(local.size() - 5, '0') + ":0000 " + state + " 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0 100 0 0 10 0\n";
}

std::string said(const std::string& tcp, const std::string& tcp6 = "", int port = 3000) { return whyUnreachable(listenersIn(kHead + tcp, kHead + tcp6), port); }

}  // namespace

TEST_CASE("a program that is not reached is told where it listens, and what to change") {
  CHECK(said("") == "it listens on no TCP port");
  CHECK(said(line("0100007F:0BB8", "01")) == "it listens on no TCP port");  // a connection
  CHECK(said(line("0100007F:0BB8")) == "it listens on 127.0.0.1:3000, which nobody reaches from outside: have it listen on 0.0.0.0");
  CHECK(said("", line("00000000000000000000000001000000:0BB8")).rfind("it listens on [::1]:3000, which nobody reaches", 0) == 0);
  CHECK(said("", line(std::string(kFourZeros) + ":0BB8")).rfind("it listens on [::]:3000, perhaps for IPv6 alone", 0) == 0);
  CHECK(said(line("0502000A:0BB8")).rfind("it listens on 10.0.2.5:3000 only", 0) == 0);
  CHECK(said("", line("0000000000000000FFFF00000100007F:0BB8")).rfind("it listens on 127.0.0.1:3000, which", 0) == 0);
  CHECK(said(line("00000000:1F90") + line("0100007F:0050"), line(std::string(kFourZeros) + ":1F90")).rfind("it listens on 80, 8080, not on that port", 0) == 0);
  CHECK(said(line("00000000:0BB8")) == "it listens on 0.0.0.0:3000, but takes no connections");
}

TEST_CASE("a table that is none says nothing") { CHECK(listenersIn("", "nonsense\n0: xyz\n").empty()); }
