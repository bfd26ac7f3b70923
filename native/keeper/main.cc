// appshot-keeper --dir DIR: the daemon that keeps the instances of one engine directory. Started by the binding.
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/fill/filler.h"
#include "core/sys/failpoint.h"
#include "core/sys/sys.h"
#include "keeper/daemon.h"
#include "keeper/keeper.h"
#include "keeper/server.h"

namespace appshot {

namespace {

// As `mkdir -p -m 700`.
void makeDirectories(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) throwErrno("make directory " + part, errno);
    if (slash == std::string::npos) return;
  }
}

struct Arguments {
  std::string directory;
  bool foreground = false;
  KeeperSettings settings;
};

Arguments readArguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--dir") == 0 && i + 1 < argc) {
      arguments.directory = argv[++i];
    } else if (std::strcmp(argv[i], "--foreground") == 0) {
      arguments.foreground = true;
    } else {
      throw Error("bad-request", std::string("unknown argument ") + argv[i]);
    }
  }
  if (arguments.directory.empty()) throw Error("bad-request", "--dir DIR is needed");
  makeDirectories(arguments.directory);
  char real[PATH_MAX];
  if (::realpath(arguments.directory.c_str(), real) == nullptr) throwErrno("find directory " + arguments.directory, errno);
  arguments.directory = real;
  std::string self = readLink("/proc/self/exe");
  std::string beside = self.substr(0, self.rfind('/'));
  arguments.settings.initPath = beside + "/appshot-init";
  arguments.settings.configuratorPath = beside + "/appshot-configurator.so";
  return arguments;
}

Server* stopping = nullptr;

void stopOnSignal() {
  struct sigaction action {};
  action.sa_handler = [](int) {
    if (stopping != nullptr) stopping->stop();
  };
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
}

int run(const Arguments& arguments, Daemon& daemon) {
  Places places{arguments.directory};
  if (!daemon.lock(places.lock())) {
    daemon.ready();  // another keeper is there already
    return 0;
  }
  if (::getuid() != 0) throw Error("bad-request", "the engine needs root");
  sys("become a subreaper", [] { return ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); });
  ::umask(022);
  if (const char* wanted = std::getenv("APPSHOT_FAILPOINTS"); wanted && std::strcmp(wanted, "1") == 0) Failpoints::enable();
  Keeper keeper(places, arguments.settings);
  Server server(keeper);
  stopping = &server;
  stopOnSignal();
  keeper.onTell([&](const std::string& text) { server.send(text); });
  keeper.start();
  server.listen(places.socket());
  daemon.ready();
  constexpr int kIdleMs = 2000;
  server.serve(kIdleMs);
  server.close();
  keeper.close();
  daemon.unlock();
  return 0;
}

}  // namespace

}  // namespace appshot

int main(int argc, char** argv) {
  // Its threads, of which there are as many as operations at a time, would each keep what it once needed in an arena of its own: a megabyte.
  ::mallopt(M_ARENA_MAX, 2);
  appshot::becomeFillerIfAsked(argc, argv);
  appshot::Daemon daemon;
  try {
    auto arguments = appshot::readArguments(argc, argv);
    if (!arguments.foreground) daemon.detach(appshot::Places{arguments.directory}.keeperLog());
    return appshot::run(arguments, daemon);
  } catch (const appshot::Error& error) {
    daemon.failed(error.code(), error.what());
    return 1;
  } catch (const std::exception& error) {
    daemon.failed("internal", error.what());
    return 1;
  }
}
