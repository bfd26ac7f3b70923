#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "core/launch/program_start.h"
#include "core/sys/sys.h"
#include "keeper/answers.h"
#include "keeper/app_user.h"
#include "keeper/image_shelf.h"
#include "keeper/launch_plan.h"
#include "keeper/operations.h"
#include "keeper/request_fields.h"
#include "keeper/signal_names.h"

namespace appshot {

namespace {

struct ProcessRow {
  int vpid = 0;
  pid_t pid = 0;
  std::string comm, state;
};

// Nothing for a process that has gone meanwhile.
std::optional<ProcessRow> rowOf(pid_t pid) {
  ProcessRow row;
  row.pid = pid;
  std::istringstream lines(readFileIfThere("/proc/" + std::to_string(pid) + "/status"));
  for (std::string line; std::getline(lines, line);) {
    std::string value = line.substr(std::min(line.size(), line.find(':') + 2));
    if (line.rfind("Name:", 0) == 0) row.comm = value;
    if (line.rfind("State:", 0) == 0) row.state = value.substr(0, 1);
    // The last column is the id in the innermost namespace.
    if (line.rfind("NSpid:", 0) == 0) row.vpid = std::atoi(line.substr(line.find_last_of("\t ") + 1).c_str());
  }
  if (row.vpid == 0) return std::nullopt;
  return row;
}

std::vector<ProcessRow> rowsOf(const Instance& instance) {
  std::vector<ProcessRow> rows;
  for (pid_t pid : processesOf(instance)) {
    if (auto row = rowOf(pid)) rows.push_back(*row);
  }
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.vpid < b.vpid; });
  return rows;
}

std::string aidIn(RequestFields& fields) {
  std::string aid = fields.text("aid");
  checkName(aid, "AID");
  return aid;
}

InstancePtr startedInstance(const Call& call, const std::string& aid) {
  InstancePtr instance = call.keeper.instances.get(aid);
  std::lock_guard lock(instance->mutex);
  if (instance->phase == InstancePhase::kStarting) throw Error("illegal-transition", "instance " + aid + " is starting");
  return instance;
}

// A process whose namespaces a guest enters: the application's first, or another where that has ended (a daemon's parent).
pid_t someProcessOf(const Instance& instance) {
  auto rows = rowsOf(instance);
  for (const auto& row : rows) {
    if (row.pid == instance.root) return row.pid;
  }
  for (const auto& row : rows) {
    if (row.state != "Z") return row.pid;
  }
  throw Error("not-found", "no process of " + instance.aid + " is left");
}

// Waits for the guest, or kills it when the caller goes away. Its exit code.
int awaitGuest(const Guest& guest, int closedFd) {
  pollfd polls[2] = {{guest.waiterPidfd.get(), POLLIN, 0}, {closedFd, POLLIN, 0}};
  while (::poll(polls, 2, -1) < 0 && errno == EINTR) {}
  if (polls[0].revents == 0) ::kill(guest.started.pid, SIGKILL);
  siginfo_t ended{};
  sys("wait for the guest", [&] { return ::waitid(P_PIDFD, static_cast<id_t>(guest.waiterPidfd.get()), &ended, WEXITED); });
  return ended.si_code == CLD_EXITED ? ended.si_status : 128 + ended.si_status;
}

// Counts a guest for as long as it runs.
class GuestCount {
 public:
  GuestCount(Keeper& keeper, InstancePtr instance) : keeper_(keeper), instance_(std::move(instance)) {
    std::lock_guard lock(instance_->mutex);
    if (instance_->phase != InstancePhase::kRunning) throw Error("illegal-transition", "instance " + instance_->aid + " is starting or ending");
    if (instance_->parked) throw Error("illegal-transition", "instance " + instance_->aid + " is parked: unpark it first");
    ++instance_->guests;
  }
  ~GuestCount() {
    {
      std::lock_guard lock(instance_->mutex);
      --instance_->guests;
      if (instance_->phase != InstancePhase::kRunning) return;
    }
    // The application may have ended meanwhile; the init did not call the pod empty because of the guest.
    keeper_.exits.check(instance_);
  }

 private:
  Keeper& keeper_;
  InstancePtr instance_;
};

}  // namespace

Answer listProcesses(Call call) {
  RequestFields fields(call.params, "ps");
  std::string aid = aidIn(fields);
  fields.done();
  InstancePtr instance = startedInstance(call, aid);
  Answer rows = Answer::array();
  for (const auto& row : rowsOf(*instance)) rows.push_back({{"vpid", row.vpid}, {"pid", row.pid}, {"comm", row.comm}, {"state", row.state}});
  return rows;
}

Answer killProcesses(Call call) {
  RequestFields fields(call.params, "kill");
  std::string aid = aidIn(fields);
  int signal = signalNumber(fields.text("signal"));
  auto vpid = static_cast<int>(fields.number("vpid", 1, 1 << 22, 0));
  fields.done();
  InstancePtr instance = startedInstance(call, aid);
  auto rows = rowsOf(*instance);
  bool rootLives = std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.pid == instance->root; });
  int sent = 0;
  for (const auto& row : rows) {
    // Without a vpid: the application's first process, or all of them where that one has ended.
    bool meant = vpid != 0 ? row.vpid == vpid : !rootLives || row.pid == instance->root;
    if (meant && ::kill(row.pid, signal) == 0) ++sent;
  }
  if (sent == 0) throw Error("not-found", "instance " + instance->aid + " has no process " + (vpid != 0 ? std::to_string(vpid) : "left"));
  return Answer::object();
}

Answer execGuest(Call call) {
  RequestFields fields(call.params, "exec");
  std::string aid = aidIn(fields);
  auto command = fields.texts("command");
  std::string cwd = fields.text("cwd", "");
  fields.done();
  InstancePtr instance = startedInstance(call, aid);
  Program program = programOf(instance->spec);
  program.command = command;
  if (!cwd.empty()) program.cwd = cwd;
  if (program.command.empty() || program.command[0].empty()) throw Error("bad-request", "exec: a command is needed");
  if (call.fds.size() != 3) throw Error("bad-request", "exec: three descriptors are needed: stdin, stdout, stderr");
  GuestCount counted(call.keeper, instance);
  UniqueFd like = sysFd("open pidfd", [&] { return static_cast<int>(::syscall(SYS_pidfd_open, someProcessOf(*instance), 0)); });
  const int stdio[3] = {call.fds[0].get(), call.fds[1].get(), call.fds[2].get()};
  Guest guest = startGuest(program, *instance->pod, like.get(), stdio);
  // The caller's ends must close when the guest's do.
  call.fds.clear();
  return {{"code", awaitGuest(guest, call.closedFd)}};
}

Answer listInstances(Call call) {
  RequestFields fields(call.params, "list");
  bool withImages = fields.flag("images", true);
  fields.done();
  Answer running = Answer::array();
  for (const auto& instance : call.keeper.instances.all()) {
    InstancePhase phase;
    bool parked;
    {
      std::lock_guard lock(instance->mutex);
      phase = instance->phase;
      parked = instance->parked;
    }
    if (phase == InstancePhase::kStarting) continue;
    CgroupUsage usage = usageOf(*instance);
    running.push_back({{"aid", instance->aid},
                       {"state", phase == InstancePhase::kSnapshotting ? "snapshotting" : parked ? "parked" : "running"},
                       {"ip", textOf(instance->pod->farmIp)},
                       {"port", instance->spec.port},
                       {"pids", processesOf(*instance).size()},
                       {"memoryBytes", usage.memoryBytes},
                       {"cpuUs", usage.cpuUs}});
  }
  Answer images = Answer::array();
  std::vector<std::string> ids = withImages ? imagesIn(call.keeper.places) : std::vector<std::string>{};
  for (const auto& id : ids) images.push_back({{"id", id}, {"bytes", noteOfImage(call.keeper.places, id).bytes}});
  return {{"running", running}, {"images", images}, {"podsFree", call.keeper.pods.ready()}};
}

}  // namespace appshot
