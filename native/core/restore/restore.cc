#include "core/restore/restore.h"

#include <sys/socket.h>

#include <cstring>
#include <map>

#include "core/fill/filler.h"
#include "core/image/codec.h"
#include "core/image/environment.h"
#include "core/image/image.h"
#include "core/restore/mapped_files.h"
#include "core/restore/nursery.h"
#include "core/restore/phase_marks.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr int kWithinMs = 30'000;

// New processes send their userfaultfds here, each with its virtual pid.
class FillSocket {
 public:
  FillSocket() {
    int ends[2];
    sys("make a socket for userfaultfds", [&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends); });
    mine_ = UniqueFd(ends[0]);
    theirs_ = UniqueFd(ends[1]);
  }
  int theirs() const { return theirs_.get(); }

  // In the order of `plans`. All have been sent before the programs run.
  std::vector<UniqueFd> receive(const std::vector<FillPlan>& plans) {
    std::map<uint64_t, UniqueFd> byPid;
    for (size_t i = 0; i < plans.size(); i++) {
      uint64_t pid = 0;
      iovec vector{&pid, sizeof pid};
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
      msghdr message{};
      message.msg_iov = &vector;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      sys("receive a userfaultfd", [&] { return ::recvmsg(mine_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT); });
      cmsghdr* part = CMSG_FIRSTHDR(&message);
      if (!part) throw Error("internal", "a userfaultfd did not arrive");
      int fd;
      std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
      byPid[pid] = UniqueFd(fd);
    }
    std::vector<UniqueFd> uffds;
    for (const FillPlan& plan : plans) uffds.push_back(std::move(byPid[plan.pid]));
    return uffds;
  }

 private:
  UniqueFd mine_, theirs_;
};

}  // namespace

std::shared_ptr<Image> openImage(const std::string& imageDir) {
  auto image = std::make_shared<Image>(imageDir);
  checkEnvironment(image->state().environment);
  image->verifyPages();
  return image;
}

const std::string& imageMeta(const Image& image) { return image.meta(); }

std::string describeImage(const Image& image) { return describeState(image.state()); }

Restored restoreImage(const std::shared_ptr<Image>& image, const Pod& pod) {
  Restored restored;
  PhaseMarks marks;
  const State& state = image->state();
  checkMappedFiles(state, pod.init);
  std::unique_ptr<Compiled> compiled = compileImage(state, Purpose::Restore, image->pageBytes(), readWorkingSet(image->directory()));
  FillSocket fillSocket;
  UniqueFd tape(compiled->region.toMemfd("appshot-restore"));
  marks.done(restored.phases, "compile");
  StatusPage status;
  Command command = podCommand(COMMAND_RESTORE, state, pod);
  command.regionBase = compiled->region.base();
  command.regionSize = compiled->region.size();
  command.header = compiled->region.headerAddress();
  CommandSocket::Descriptors descriptors = podDescriptors(pod, status.fd());
  descriptors.tape = tape.get();
  descriptors.pages = image->pagesFd();
  descriptors.extra = fillSocket.theirs();
  Nursery::instance().socket().send(command, descriptors);
  marks.done(restored.phases, "fork");
  status.wait(compiled->region.steps(), kWithinMs);
  // The programs run already; whoever misses memory waits for this.
  if (!compiled->fills.empty())
    startFilling({image->directory(), compiled->fills, fillSocket.receive(compiled->fills), image->pagesFd(), image->pageBytes()}, pod.init);
  marks.done(restored.phases, "fill");
  restored.root = findInPod(pod, state.processes.front().pid);
  return restored;
}

}  // namespace appshot
