#include "core/snapshot/collect_process.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <sstream>

#include "configurator/configurator_page.h"
#include "core/snapshot/collect_ghosts.h"
#include "core/snapshot/collect_thread.h"
#include "core/snapshot/process_questions.h"
#include "core/snapshot/remote_batch.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

// Limits of another user's process cannot be asked for without CAP_SYS_RESOURCE; /proc shows them.
void collectLimits(pid_t pid, Process& process) {
  static constexpr std::pair<const char*, int> kNames[] = {
      {"Max cpu time", RLIMIT_CPU}, {"Max file size", RLIMIT_FSIZE}, {"Max data size", RLIMIT_DATA}, {"Max stack size", RLIMIT_STACK},
      {"Max core file size", RLIMIT_CORE}, {"Max resident set", RLIMIT_RSS}, {"Max processes", RLIMIT_NPROC}, {"Max open files", RLIMIT_NOFILE},
      {"Max locked memory", RLIMIT_MEMLOCK}, {"Max address space", RLIMIT_AS}, {"Max file locks", RLIMIT_LOCKS},
      {"Max pending signals", RLIMIT_SIGPENDING}, {"Max msgqueue size", RLIMIT_MSGQUEUE}, {"Max nice priority", RLIMIT_NICE},
      {"Max realtime priority", RLIMIT_RTPRIO}, {"Max realtime timeout", RLIMIT_RTTIME}};
  process.limits.assign(RLIM_NLIMITS, {RLIM_INFINITY, RLIM_INFINITY});
  std::istringstream lines(readFile("/proc/" + std::to_string(pid) + "/limits"));
  auto value = [](const std::string& text) { return text == "unlimited" ? RLIM_INFINITY : std::strtoull(text.c_str(), nullptr, 10); };
  for (std::string line; std::getline(lines, line);)
    for (const auto& [name, resource] : kNames)
      if (line.compare(0, std::strlen(name), name) == 0) {
        std::istringstream rest(line.substr(std::strlen(name)));
        std::string soft, hard;
        rest >> soft >> hard;
        process.limits[static_cast<size_t>(resource)] = {value(soft), value(hard)};
      }
}

void collectLayout(const StoppedProcess& stopped, Process& process) {
  std::string directory = "/proc/" + std::to_string(stopped.pid);
  ProcStat stat = readProcStat(std::to_string(stopped.pid));
  MemoryLayout& layout = process.layout;
  layout.startCode = stat.number(26);
  layout.endCode = stat.number(27);
  layout.startStack = stat.number(28);
  layout.startData = stat.number(45);
  layout.endData = stat.number(46);
  layout.startBrk = stat.number(47);
  layout.argStart = stat.number(48);
  layout.argEnd = stat.number(49);
  layout.envStart = stat.number(50);
  layout.envEnd = stat.number(51);
  layout.auxv = readFile(directory + "/auxv");
  layout.exe = readLink(directory + "/exe");
}

// The entry of the preloaded configurator, if the program has it.
uint64_t configuratorEntry(pid_t pid, const std::vector<MapLine>& maps) {
  bool there = std::any_of(maps.begin(), maps.end(), [](const MapLine& line) { return line.start == APPSHOT_CONFIGURATOR_ADDRESS && line.perms[0] == 'r'; });
  if (!there) return 0;
  ConfiguratorPage page{};
  readRemote(pid, APPSHOT_CONFIGURATOR_ADDRESS, &page, sizeof page);
  return page.magic == APPSHOT_CONFIGURATOR_MAGIC ? page.entry : 0;
}

void collectLeader(StoppedProcess& stopped, RemoteScratch& scratch, Process& process) {
  Tracee& leader = stopped.threads.front();
  pid_t vtid = stopped.virtualIds.at(leader.tid());
  RemoteBatch batch(scratch);
  ThreadQuestions questions(batch);
  ProcessQuestions forAll(batch, stopped.pid);
  Thread& thread = process.threads.emplace_back();
  collectThread(leader, vtid, thread);
  batch.run(leader, stopped.vpid, vtid);
  questions.answer(thread);
  forAll.answer(process);
}

// Each answers for itself while the next is looked at from outside.
void collectThreads(StoppedProcess& stopped, size_t from, size_t to, RemoteScratch& scratch, Process& process) {
  struct Asked {
    Asked(RemoteScratch& scratch, size_t part) : batch(scratch, part), questions(batch) {}
    RemoteBatch batch;
    ThreadQuestions questions;
  };
  std::deque<Asked> asked;
  for (size_t i = from; i < to; i++) {
    Tracee& tracee = stopped.threads[i];
    pid_t vtid = stopped.virtualIds.at(tracee.tid());
    collectThread(tracee, vtid, process.threads.emplace_back());
    asked.emplace_back(scratch, i - from).batch.start(tracee, stopped.vpid, vtid);
  }
  for (size_t i = from; i < to; i++) {
    asked[i - from].batch.finish();
    asked[i - from].questions.answer(process.threads[i]);
  }
}

}  // namespace

ProcessPreview previewProcess(pid_t pid, const std::vector<MapLine>& maps) {
  return {readVmFlags(std::to_string(pid)), findGadgets(pid, maps), previewWaits(pid)};
}

uint64_t syscallInstruction(pid_t pid, const Gadgets& gadgets) {
  if (gadgets.syscallReturn) return gadgets.syscallReturn;
  for (const MapLine& line : readMaps(std::to_string(pid))) {
    if (line.path != "[vdso]") continue;
    std::string code(line.end - line.start, '\0');
    readRemote(pid, line.start, code.data(), code.size());
    size_t found = code.find("\x0f\x05");
    if (found != std::string::npos) return line.start + found;
  }
  throw Error("unsupported-state", "process " + std::to_string(virtualPid(pid)) + " has no system call instruction to borrow");
}

void collectProcess(StoppedProcess& stopped, const ProcessPreview& preview, const std::vector<MapLine>& maps, Process& process) {
  std::string who = std::to_string(stopped.pid), directory = "/proc/" + who;
  std::map<std::string, std::string> status = readProcStatus(who);
  process.umask = static_cast<uint32_t>(std::strtoul(status["Umask"].c_str(), nullptr, 8));
  process.cwd = readLink(directory + "/cwd");
  process.cwdDeleted = isNameless(process.cwd);
  if (process.cwdDeleted) process.cwd = placeAbove(stopped.pid, process.cwd);
  process.exitSignal = static_cast<int32_t>(readProcStat(who).number(38));
  process.personality = static_cast<uint32_t>(std::strtoul(readFileIfThere(directory + "/personality").c_str(), nullptr, 16));
  process.coredumpFilter = static_cast<uint32_t>(std::strtoul(readFileIfThere(directory + "/coredump_filter").c_str(), nullptr, 16));
  process.root = readLink(directory + "/root");
  process.oomScoreAdj = static_cast<int32_t>(std::strtol(readFileIfThere(directory + "/oom_score_adj").c_str(), nullptr, 10));
  process.gadgetSyscall = preview.gadgets.syscallReturn;
  process.gadgetSigreturn = preview.gadgets.sigreturn;

  Tracee& leader = stopped.threads.front();
  uint64_t instruction = syscallInstruction(stopped.pid, preview.gadgets);
  process.configurator = configuratorEntry(stopped.pid, maps);
  for (Tracee& tracee : stopped.threads) noteWait(tracee, preview.waits);
  RemoteScratch scratch(leader, instruction);
  collectLeader(stopped, scratch, process);
  for (size_t from = 1; from < stopped.threads.size(); from += RemoteBatch::kParts)
    collectThreads(stopped, from, std::min(stopped.threads.size(), from + RemoteBatch::kParts), scratch, process);
  // /proc has named the threads that timers tell as the node knows them.
  for (PosixTimer& timer : process.posixTimers)
    if (auto told = stopped.virtualIds.find(timer.tid); told != stopped.virtualIds.end()) timer.tid = told->second;
  process.queued = peekSignals(leader.tid(), true);
  for (const Tracee& tracee : stopped.threads) process.stopSignal = std::max(process.stopSignal, tracee.stopSignal());
  // Where not all have come to a stand yet, nobody has been told.
  process.stopUntold = process.stopSignal != 0 && std::any_of(stopped.threads.begin(), stopped.threads.end(), [](const Tracee& tracee) { return tracee.stopSignal() == 0; });
  collectLimits(stopped.pid, process);
  collectLayout(stopped, process);
}

}  // namespace appshot
