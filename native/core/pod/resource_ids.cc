#include "core/pod/resource_ids.h"

#include <arpa/inet.h>
#include <sched.h>

#include <cstring>
#include <set>
#include <sstream>

#include "core/pod/network.h"
#include "core/pod/thread_namespace.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

// The id in the innermost namespace; empty for a task that has gone.
std::string innermostId(const std::string& task) {
  std::istringstream lines(readFileIfThere(task + "/status"));
  for (std::string line; std::getline(lines, line);)
    if (line.rfind("NSpid:", 0) == 0) return line.substr(line.find_last_of("\t ") + 1);
  return "";
}

void addTasks(const Pod& pod, std::vector<ResourceId>& ids) {
  for (pid_t pid : pod.groups.pids()) {
    if (pid == pod.init) continue;
    std::string process = "/proc/" + std::to_string(pid);
    std::string inside = innermostId(process);
    if (inside.empty()) continue;
    ids.push_back({"pid", inside, std::to_string(pid)});
    for (const std::string& tid : listDirectoryIfThere(process + "/task")) {
      std::string thread = innermostId(process + "/task/" + tid);
      if (!thread.empty() && thread != inside) ids.push_back({"thread", thread, tid});
    }
  }
}

// System V objects have numbers in their namespace only.
void addIpc(const Pod& pod, std::vector<ResourceId>& ids) {
  std::string space = readLink("/proc/" + std::to_string(pod.init) + "/ns/ipc");
  InNamespaces inPod(pod.initPidfd.get(), CLONE_NEWIPC);
  for (const char* kind : {"shm", "sem", "msg"}) {
    std::istringstream lines(readFileIfThere(std::string("/proc/sysvipc/") + kind));
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      std::istringstream fields(line);
      std::string key, id;
      if (fields >> key >> id) ids.push_back({kind, id, space + "/" + id});
    }
  }
}

struct Bound {
  std::string port;
  bool onlyInside = false;    // bound to loopback
};

// "0100007F:1F90": an IPv4 address, or an IPv6 one in four words, in the kernel's own byte order.
Bound boundAt(const std::string& text) {
  size_t colon = text.find(':');
  std::string address = text.substr(0, colon);
  Bound bound;
  bound.port = std::to_string(std::strtoul(text.c_str() + colon + 1, nullptr, 16));
  uint32_t last = static_cast<uint32_t>(std::strtoul(address.substr(address.size() - 8).c_str(), nullptr, 16));
  bool v4 = address.size() == 8 || address.compare(0, 24, "0000000000000000FFFF0000") == 0;
  bound.onlyInside = v4 ? (last & 0xff) == 127 : address == "00000000000000000000000001000000";
  return bound;
}

void addPorts(const Pod& pod, std::vector<ResourceId>& ids) {
  struct Table { const char* file; const char* type; const char* state; };
  std::string ip = textOf(pod.farmIp), space = readLink("/proc/" + std::to_string(pod.init) + "/ns/net");
  std::set<std::string> seen;
  for (Table table : {Table{"tcp", "port", "0A"}, {"tcp6", "port", "0A"}, {"udp", "udp-port", "07"}, {"udp6", "udp-port", "07"}}) {
    std::istringstream lines(readFileIfThere("/proc/" + std::to_string(pod.init) + "/net/" + table.file));
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      std::istringstream fields(line);
      std::string number, local, remote, state;
      if (!(fields >> number >> local >> remote >> state) || state != table.state) continue;
      Bound bound = boundAt(local);
      ResourceId id{table.type, bound.port, (bound.onlyInside ? space + "/" : ip + ":") + bound.port};
      if (seen.insert(id.type + id.systemId).second) ids.push_back(id);
    }
  }
}

}  // namespace

std::vector<ResourceId> resourceIdsOf(const Pod& pod) {
  std::vector<ResourceId> ids;
  addTasks(pod, ids);
  addIpc(pod, ids);
  addPorts(pod, ids);
  // The pod's only address is also the one by which it is reached.
  ids.push_back({"ip", textOf(pod.farmIp), textOf(pod.farmIp)});
  return ids;
}

}  // namespace appshot
