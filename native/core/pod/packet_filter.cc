#include "core/pod/packet_filter.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/pod/owner.h"
#include "core/pod/pod.h"
#include "core/pod/thread_namespace.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

// Runs `nft -f -` with `rules` on its standard input.
void runNft(const std::string& rules, const std::string& step) {
  int in[2], out[2];
  sys(step, [&] { return ::pipe2(in, O_CLOEXEC); });
  UniqueFd inRead(in[0]), inWrite(in[1]);
  sys(step, [&] { return ::pipe2(out, O_CLOEXEC); });
  UniqueFd outRead(out[0]), outWrite(out[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, inRead.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, outWrite.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, outWrite.get(), 2);
  const char* argv[] = {"nft", "-f", "-", nullptr};
  const char* env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", nullptr};
  pid_t pid = -1;
  int err = ENOENT;
  for (const char* path : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft", "/usr/local/sbin/nft"}) {
    err = ::posix_spawn(&pid, path, &actions, nullptr, const_cast<char**>(argv), const_cast<char**>(env));
    if (err == 0) break;
  }
  posix_spawn_file_actions_destroy(&actions);
  if (err != 0) throwErrno(step + ": run nft (package nftables)", err);
  inRead.reset();
  outWrite.reset();
  writeAll(inWrite.get(), rules.data(), rules.size(), step);
  inWrite.reset();
  std::string said;
  char buffer[4096];
  for (ssize_t n; (n = sys(step, [&] { return ::read(outRead.get(), buffer, sizeof buffer); })) > 0;) said.append(buffer, static_cast<size_t>(n));
  int status = 0;
  sys(step, [&] { return ::waitpid(pid, &status, 0); });
  if (status != 0) throw Error("internal", step + ": nft said: " + said);
}

}  // namespace

void installPacketFilter(const std::string& owner, bool egress) {
  const std::string table = "table inet " + tableNameOf(owner);
  const std::string pods = "\"" + linkPrefixOf(owner) + "*\"";
  // `tcp flags & (syn|ack) == syn` opens a connection; everything else of TCP belongs to one that the node opened.
  std::string rules = table + "\ndelete " + table + "\n" + table + " {\n";
  rules += " chain fromPods {\n"
           "  tcp flags & (syn | ack) == syn reject with tcp reset\n"
           "  meta l4proto tcp accept\n"
           "  icmp type { echo-reply, destination-unreachable } accept\n"
           "  drop\n }\n";
  rules += " chain input { type filter hook input priority filter; policy accept;\n  iifname " + pods + " jump fromPods\n }\n";
  rules += " chain forward { type filter hook forward priority filter; policy accept;\n";
  if (egress) {
    rules += "  iifname " + pods + " oifname != \"as*\" accept\n  oifname " + pods + " ct state established,related accept\n";
  }
  rules += "  iifname " + pods + " drop\n  oifname " + pods + " drop\n }\n";
  if (egress) {
    rules += " chain outward { type nat hook postrouting priority srcnat; policy accept;\n  iifname " + pods + " masquerade\n }\n";
  }
  rules += "}\n";
  runNft(rules, "install packet filter " + tableNameOf(owner));
}

void removePacketFilter(const std::string& owner) {
  const std::string table = "table inet " + tableNameOf(owner);
  runNft(table + "\ndelete " + table + "\n", "remove packet filter " + tableNameOf(owner));
}

// In the pod itself, whose end it does not outlive, and whatever address the pod is given.
void keepPortsInside(const Pod& pod, const std::vector<uint16_t>& ports) {
  if (ports.empty()) return;
  std::string list;
  for (uint16_t port : ports) list += (list.empty() ? "" : ", ") + std::to_string(port);
  std::string rules = "table inet appshot {\n chain input { type filter hook input priority filter; policy accept;\n"
                      "  iifname lo accept\n"
                      "  tcp dport { " + list + " } reject with tcp reset\n"
                      "  udp dport { " + list + " } reject\n }\n}\n";
  InNamespaces inPod(pod.initPidfd.get(), CLONE_NEWNET);
  runNft(rules, "keep ports inside of " + pod.name);
}

}  // namespace appshot
