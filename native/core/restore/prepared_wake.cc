#include "core/pod/file_view.h"
#include "core/restore/prepared_wake.h"

#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>

#include "core/fill/filler.h"
#include "core/fill/filler_message.h"
#include "core/image/image.h"
#include "core/pod/thread_namespace.h"
#include "core/restore/mapped_files.h"
#include "core/restore/nursery.h"
#include "core/restore/phase_marks.h"
#include "core/restore/standing.h"
#include "core/restore/waiting.h"
#include "core/sys/failpoint.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr int kWithinMs = 30'000;

// New processes send their userfaultfds into one end, each with its virtual pid; whoever has the other end holds them.
struct SocketPair {
  UniqueFd processes, other;
  SocketPair() {
    int ends[2];
    sys("make a socket for userfaultfds", [&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends); });
    processes = UniqueFd(ends[0]);
    other = UniqueFd(ends[1]);
  }
};

}  // namespace

PreparedWake::PreparedWake(std::shared_ptr<Image> image, WakeOptions wake) : image_(std::move(image)) {
  // Nothing can be called in a program that was saved in the middle of computing: it keeps the variables that it had.
  auto canBeTold = [](const Process& process) { return process.zombie || wasAtRest(process.threads.front()); };
  const std::vector<Process>& processes = image_->state().processes;
  wake.tellVariables = wake.tellVariables && std::all_of(processes.begin(), processes.end(), canBeTold);
  PageSpace space{image_->base().bytes, image_->pageBytes()};
  std::unique_ptr<Compiled> compiled = compileImage(image_->state(), Purpose::Restore, space, readWorkingSet(image_->directory()), wake);
  steps_ = std::make_shared<const std::vector<std::string>>(compiled->region.steps());
  regionBase_ = compiled->region.base();
  regionBytes_ = compiled->region.size();
  header_ = compiled->region.headerAddress();
  tape_ = UniqueFd(compiled->region.toMemfd("appshot-restore"));
  if (!compiled->fills.empty()) plans_ = writePlans(compiled->fills);
}

std::unique_ptr<PreparedWake> PreparedWake::with(WakeOptions options, const Pod& pod) const {
  if (options.oldAddress.isGiven()) {
    InNamespaces inPod(pod.initPidfd.get(), CLONE_NEWNET);
    options.oldAddress.interface = static_cast<int>(::if_nametoindex("eth0"));
  }
  return std::make_unique<PreparedWake>(image_, options);
}

// None when it has ended by now: why, its status page says.
static pid_t findIfThere(const Pod& pod, pid_t root) {
  try {
    return findInPod(pod, root);
  } catch (const Error&) {
    return -1;
  }
}

std::unique_ptr<WakeUnderWay> PreparedWake::begin(const Pod& pod) const {
  auto wake = std::make_unique<WakeUnderWay>(pod);
  wake->image_ = image_;
  wake->steps_ = steps_;
  const State& state = image_->state();
  Command command = podCommand(COMMAND_RESTORE, state, pod);
  command.regionBase = regionBase_;
  command.regionSize = regionBytes_;
  command.header = header_;
  CommandSocket::Descriptors descriptors = podDescriptors(pod, wake->status_->fd());
  descriptors.tape = tape_.get();
  descriptors.pages = image_->pagesFd();
  descriptors.base = image_->basePagesFd();
  SocketPair userfaultfds, duplicates;
  descriptors.extra = userfaultfds.processes.get();
  descriptors.duplicates = duplicates.processes.get();
  if (plans_.valid()) {
    // Room for thousands of children that a program may fork before it has all its memory.
    constexpr int kRoomBytes = 8 << 20;
    ::setsockopt(duplicates.processes.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kRoomBytes, sizeof kRoomBytes);
    startFilling({image_->directory(), plans_.get(), image_->pagesFd(), image_->pageBytes(), image_->basePagesFd(), image_->base().bytes,
                  std::move(userfaultfds.other), std::move(duplicates.other), duplicates.processes.get()}, pod);
  }
  wake->request_ = Nursery::instance().socket().ask(command, descriptors);
  // Now only the processes have that end of the first: when they have gone, nobody waits for more.
  userfaultfds.processes.reset();
  duplicates.processes.reset();
  failpoint("ask");
  return wake;
}

WakeUnderWay::WakeUnderWay(const Pod& pod) : status_(std::make_unique<StatusPage>()), pod_(pod) {}
WakeUnderWay::~WakeUnderWay() = default;

pid_t WakeUnderWay::rootVpid() const { return image_->state().processes.front().pid; }

void WakeUnderWay::furnish() {
  PhaseMarks marks;
  checkMappedFiles(image_->state(), openView(pod_).get());
  marks.done(begun_, "check");
  status_->furnish();
}

void WakeUnderWay::awaitRoot() {
  PhaseMarks marks;
  Nursery::instance().socket().await(request_);
  root_ = findIfThere(pod_, rootVpid());
  marks.done(begun_, "fork");
}

void WakeUnderWay::awaitFiles() const { status_->awaitFiles(kWithinMs); }

void WakeUnderWay::go() {
  wentUs_ = monotonicUs();
  if (!anyStands(image_->state())) return status_->open(GATE_GO);
  status_->wait(*steps_, kWithinMs, kAtGate);
  bringToStand(image_->state(), pod_, *status_);
}

Restored WakeUnderWay::await() {
  status_->wait(*steps_, kWithinMs);
  // One that a process between has made was not there yet when that one was.
  if (root_ <= 0) root_ = findIfThere(pod_, rootVpid());
  if (root_ <= 0) throw Error("internal", "process " + std::to_string(rootVpid()) + " ended as soon as it was restored");
  Restored restored;
  restored.phases.emplace_back("fill", monotonicUs() - wentUs_);
  restored.root = root_;
  restored.processes = liveProcesses(image_->state());
  return restored;
}

}  // namespace appshot
