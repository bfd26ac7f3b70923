#include "core/image/codec.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "core/sys/error.h"

namespace appshot {

using nlohmann::json;

// Packed tables travel as byte strings.
template <typename Entry>
static json packed(const std::vector<Entry>& table) {
  auto* bytes = reinterpret_cast<const uint8_t*>(table.data());
  return json::binary({bytes, bytes + table.size() * sizeof(Entry)});
}

template <typename Entry>
static std::vector<Entry> unpacked(const json& from) {
  const auto& bytes = from.get_binary();
  if (bytes.size() % sizeof(Entry) != 0) throw Error("image-invalid", "a packed table has a broken size");
  std::vector<Entry> table(bytes.size() / sizeof(Entry));
  if (!table.empty()) std::memcpy(table.data(), bytes.data(), bytes.size());
  return table;
}

// A field more or less is another format: test/format_test.cc asks for a new version then.
#define APPSHOT_FIELDS NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE

APPSHOT_FIELDS(GhostFile, path, place, directory, mode, uid, gid, contents)
APPSHOT_FIELDS(SemaphoreUndo, id, number, adjustment)
APPSHOT_FIELDS(MappedFile, path, writable, size, mtimeNs, deleted, buildId, ghost)
APPSHOT_FIELDS(SignalAction, number, handler, flags, restorer, mask)
APPSHOT_FIELDS(Credentials, uid, gid, groups, capInheritable, capPermitted, capEffective, capBounding, capAmbient, noNewPrivs, secureBits)
APPSHOT_FIELDS(QueuedSignal, siginfo)
APPSHOT_FIELDS(Thread, tid, comm, registers, waitLeftNs, xstate, signalMask, altStack, altStackSize, altStackFlags, tidAddress, robustList,
               robustListSize, rseqAddress, rseqSize, rseqSignature, rseqFlags, parentDeathSignal, schedPolicy, schedPriority, nice, affinity,
               timerSlackNs, credentials, seccompFilters, ownFilters, ownFilterFlags, ioPriority, queued)
APPSHOT_FIELDS(IntervalTimer, intervalUs, valueUs)
APPSHOT_FIELDS(PosixTimer, id, clock, notify, signal, tid, sigval, intervalNs, valueNs, overrun)
APPSHOT_FIELDS(EpollWatch, fd, events, userData, target)
APPSHOT_FIELDS(InotifyWatch, wd, mask, path)
APPSHOT_FIELDS(SocketOption, level, name, value)
APPSHOT_FIELDS(QueuedMessage, bytes, from, files)
APPSHOT_FIELDS(Membership, group, interface, loopback, mode, sources)
APPSHOT_FIELDS(TcpConnection, kept, sendNext, receiveNext, outgoing, unsent, segment, sendScale, receiveScale, options, timestamp, window, state,
               endUnsent)
APPSHOT_FIELDS(OpenFile, kind, flags, path, position, deleted, contents, object, writeEnd, count, signalMask, clock, timerFlags, intervalNs, valueNs,
               watches, inotify, socketType, family, protocol, backlog, localAddress, peerAddress, options, ownerType, ownerPid, ownerSignal,
               flockType, leaseType, mode, messages, tcpEnd, connectedTo, tcp, waitsOn, memberships)
APPSHOT_FIELDS(Descriptor, fd, file, closeOnExec)
APPSHOT_FIELDS(RecordLock, fd, type, start, length, ofd)
APPSHOT_FIELDS(IpcMessage, type, bytes)
APPSHOT_FIELDS(MemoryLayout, startCode, endCode, startData, endData, startBrk, brk, startStack, argStart, argEnd, envStart, envEnd, auxv, exe)
APPSHOT_FIELDS(Environment, kernel, xfeatures, xsaveSize, cpu, vdsoHash)

static json sharedToJson(const SharedMemory& memory) {
  return {{"size", memory.size}, {"name", memory.name}, {"memfd", memory.memfd}, {"seals", memory.seals}, {"runs", packed(memory.runs)}};
}

static SharedMemory sharedFromJson(const json& from) {
  SharedMemory memory;
  from.at("size").get_to(memory.size);
  from.at("name").get_to(memory.name);
  from.at("memfd").get_to(memory.memfd);
  from.at("seals").get_to(memory.seals);
  memory.runs = unpacked<PageRun>(from.at("runs"));
  return memory;
}

static json ipcToJson(const IpcObject& object) {
  return {{"kind", object.kind}, {"id", object.id}, {"key", object.key}, {"uid", object.uid}, {"gid", object.gid}, {"mode", object.mode},
          {"destroyed", object.destroyed}, {"name", object.name}, {"messageBytes", object.messageBytes}, {"size", object.size}, {"runs", packed(object.runs)}, {"values", object.values}, {"messages", object.messages}};
}

static IpcObject ipcFromJson(const json& from) {
  IpcObject object;
  from.at("kind").get_to(object.kind);
  from.at("id").get_to(object.id);
  from.at("key").get_to(object.key);
  from.at("uid").get_to(object.uid);
  from.at("gid").get_to(object.gid);
  from.at("mode").get_to(object.mode);
  from.at("destroyed").get_to(object.destroyed);
  from.at("name").get_to(object.name);
  from.at("messageBytes").get_to(object.messageBytes);
  from.at("size").get_to(object.size);
  object.runs = unpacked<PageRun>(from.at("runs"));
  from.at("values").get_to(object.values);
  from.at("messages").get_to(object.messages);
  return object;
}

static json processToJson(const Process& p) {
  return {{"pid", p.pid}, {"ppid", p.ppid}, {"pgid", p.pgid}, {"sid", p.sid}, {"zombie", p.zombie}, {"exitStatus", p.exitStatus},
          {"threads", p.threads}, {"vmas", packed(p.vmas)}, {"runs", packed(p.runs)}, {"layout", p.layout}, {"descriptors", p.descriptors},
          {"actions", p.actions}, {"queued", p.queued}, {"timers", p.timers}, {"posixTimers", p.posixTimers}, {"locks", p.locks},
          {"limits", p.limits}, {"cwd", p.cwd}, {"root", p.root}, {"umask", p.umask}, {"dumpable", p.dumpable}, {"subreaper", p.subreaper},
          {"thpDisabled", p.thpDisabled}, {"membarrier", p.membarrier}, {"oomScoreAdj", p.oomScoreAdj},
          {"gadgetSyscall", p.gadgetSyscall}, {"gadgetSigreturn", p.gadgetSigreturn},
          {"configurator", p.configurator},
          {"comm", p.comm}, {"cwdDeleted", p.cwdDeleted}, {"exeGhost", p.exeGhost}, {"exitSignal", p.exitSignal}, {"personality", p.personality},
          {"coredumpFilter", p.coredumpFilter}, {"memoryDenials", p.memoryDenials}, {"undos", p.undos}, {"stopSignal", p.stopSignal}, {"stopUntold", p.stopUntold}};
}

static Process processFromJson(const json& from) {
  Process p;
  from.at("pid").get_to(p.pid);
  from.at("ppid").get_to(p.ppid);
  from.at("pgid").get_to(p.pgid);
  from.at("sid").get_to(p.sid);
  from.at("zombie").get_to(p.zombie);
  from.at("exitStatus").get_to(p.exitStatus);
  from.at("threads").get_to(p.threads);
  p.vmas = unpacked<Vma>(from.at("vmas"));
  p.runs = unpacked<PageRun>(from.at("runs"));
  from.at("layout").get_to(p.layout);
  from.at("descriptors").get_to(p.descriptors);
  from.at("actions").get_to(p.actions);
  from.at("queued").get_to(p.queued);
  from.at("timers").get_to(p.timers);
  from.at("posixTimers").get_to(p.posixTimers);
  from.at("locks").get_to(p.locks);
  from.at("limits").get_to(p.limits);
  from.at("cwd").get_to(p.cwd);
  from.at("root").get_to(p.root);
  from.at("umask").get_to(p.umask);
  from.at("dumpable").get_to(p.dumpable);
  from.at("subreaper").get_to(p.subreaper);
  from.at("thpDisabled").get_to(p.thpDisabled);
  from.at("membarrier").get_to(p.membarrier);
  from.at("oomScoreAdj").get_to(p.oomScoreAdj);
  from.at("gadgetSyscall").get_to(p.gadgetSyscall);
  from.at("gadgetSigreturn").get_to(p.gadgetSigreturn);
  from.at("configurator").get_to(p.configurator);
  from.at("comm").get_to(p.comm);
  from.at("cwdDeleted").get_to(p.cwdDeleted);
  from.at("exeGhost").get_to(p.exeGhost);
  from.at("exitSignal").get_to(p.exitSignal);
  from.at("personality").get_to(p.personality);
  from.at("coredumpFilter").get_to(p.coredumpFilter);
  from.at("memoryDenials").get_to(p.memoryDenials);
  from.at("undos").get_to(p.undos);
  from.at("stopSignal").get_to(p.stopSignal);
  from.at("stopUntold").get_to(p.stopUntold);
  return p;
}

static std::string toBytes(const json& value) {
  std::string bytes;
  json::to_cbor(value, bytes);
  return bytes;
}

// The library reads nested values recursively: without a bound, a crafted file ends the process.
class BoundedReader : public nlohmann::detail::json_sax_dom_parser<json> {
 public:
  using json_sax_dom_parser::json_sax_dom_parser;
  bool start_object(size_t size) { return goDown() && json_sax_dom_parser::start_object(size); }
  bool end_object() { return goUp() && json_sax_dom_parser::end_object(); }
  bool start_array(size_t size) { return goDown() && json_sax_dom_parser::start_array(size); }
  bool end_array() { return goUp() && json_sax_dom_parser::end_array(); }

 private:
  static constexpr int kMaxDepth = 32;
  bool goDown() {
    if (++depth_ > kMaxDepth) throw Error("image-invalid", "a record is nested too deeply");
    return true;
  }
  bool goUp() {
    depth_--;
    return true;
  }
  int depth_ = 0;
};

// One place where what the library says of broken input becomes an Error.
template <typename Read>
static auto decoding(const std::string& bytes, Read&& read) {
  try {
    json value;
    BoundedReader reader(value, true);
    if (!json::sax_parse(bytes, &reader, json::input_format_t::cbor)) throw Error("image-invalid", "a record cannot be read");
    return read(value);
  } catch (const json::exception& error) {
    throw Error("image-invalid", std::string("a record cannot be read: ") + error.what());
  }
}

std::string encodeProcess(const Process& process) { return toBytes(processToJson(process)); }

Process decodeProcess(const std::string& bytes) { return decoding(bytes, processFromJson); }

std::string encodeCommon(const State& state) {
  json shared = json::array();
  for (const SharedMemory& memory : state.sharedMemory) shared.push_back(sharedToJson(memory));
  json ipc = json::array();
  for (const IpcObject& object : state.ipc) ipc.push_back(ipcToJson(object));
  return toBytes({{"ipc", ipc}, {"environment", state.environment}, {"files", state.files}, {"ghosts", state.ghosts}, {"mappedFiles", state.mappedFiles}, {"sharedMemory", shared},
                  {"hostName", state.hostName}, {"ownAddress", state.ownAddress}, {"asyncIo", state.asyncIo}, {"monotonicNs", state.monotonicNs}, {"boottimeNs", state.boottimeNs}});
}

State decodeCommon(const std::string& bytes) {
  return decoding(bytes, [](const json& from) {
    State state;
    from.at("environment").get_to(state.environment);
    from.at("files").get_to(state.files);
    from.at("ghosts").get_to(state.ghosts);
    from.at("mappedFiles").get_to(state.mappedFiles);
    for (const json& memory : from.at("sharedMemory")) state.sharedMemory.push_back(sharedFromJson(memory));
    for (const json& object : from.at("ipc")) state.ipc.push_back(ipcFromJson(object));
    from.at("hostName").get_to(state.hostName);
    from.at("ownAddress").get_to(state.ownAddress);
    from.at("asyncIo").get_to(state.asyncIo);
    from.at("monotonicNs").get_to(state.monotonicNs);
    from.at("boottimeNs").get_to(state.boottimeNs);
    return state;
  });
}

static uint64_t pagesOf(const std::vector<PageRun>& runs) {
  uint64_t pages = 0;
  for (const PageRun& run : runs) pages += run.pages;
  return pages;
}

static const char* kindName(FileKind kind) {
  switch (kind) {
    case FileKind::Regular: return "file";
    case FileKind::Pipe: return "pipe";
    case FileKind::Fifo: return "fifo";
    case FileKind::Event: return "eventfd";
    case FileKind::Epoll: return "epoll";
    case FileKind::Timer: return "timerfd";
    case FileKind::Signal: return "signalfd";
    case FileKind::Inotify: return "inotify";
    case FileKind::Memfd: return "memfd";
    case FileKind::UnixPair: return "unix-pair";
    case FileKind::UnixListen: return "unix-listen";
    case FileKind::UnixOther: return "unix";
    case FileKind::TcpListen: return "tcp-listen";
    case FileKind::TcpConnected: return "tcp-connected";
    case FileKind::TcpOther: return "tcp";
    case FileKind::Udp: return "udp";
    case FileKind::Netlink: return "netlink";
    case FileKind::TcpPair: return "tcp-pair";
    case FileKind::TcpEnded: return "tcp-ended";
    case FileKind::Pidfd: return "pidfd";
    case FileKind::PosixQueue: return "posix-queue";
  }
  return "unknown";
}

std::string describeState(const State& state) {
  json processes = json::array();
  for (const Process& p : state.processes) {
    json threads = json::array();
    for (const Thread& thread : p.threads) threads.push_back({{"tid", thread.tid}, {"name", thread.comm}});
    json descriptors = json::array();
    for (const Descriptor& d : p.descriptors) {
      const OpenFile& file = state.files.at(d.file);
      descriptors.push_back({{"fd", d.fd}, {"kind", kindName(static_cast<FileKind>(file.kind))}, {"path", file.path}});
    }
    processes.push_back({{"pid", p.pid}, {"ppid", p.ppid}, {"exe", p.layout.exe}, {"threads", threads}, {"mappings", p.vmas.size()},
                         {"savedBytes", pagesOf(p.runs) * 4096}, {"descriptors", descriptors}});
  }
  json shared = json::array();
  for (const SharedMemory& memory : state.sharedMemory)
    shared.push_back({{"name", memory.name}, {"size", memory.size}, {"savedBytes", pagesOf(memory.runs) * 4096}});
  json all = {{"kernel", state.environment.kernel}, {"hostName", state.hostName}, {"processes", processes}, {"sharedMemory", shared},
              {"mappedFiles", state.mappedFiles.size()}};
  return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace appshot
