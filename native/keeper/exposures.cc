#include "keeper/exposures.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/sys/error.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr const char* kUsualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string parentOf(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool isFile(const std::string& path) {
  struct stat st;
  return ::stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode);
}

bool isDirectory(const std::string& path) {
  struct stat st;
  return ::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

std::vector<std::string> namesIn(const std::string& directory) {
  try {
    return listDirectory(directory);
  } catch (const Error&) {
    return {};
  }
}

// Where a command without a slash is on the host; empty when it is nowhere.
std::string searchCommand(const std::string& command, const std::string& path) {
  std::istringstream directories(path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    std::string candidate = directory + "/" + command;
    if (!directory.empty() && isFile(candidate) && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

// What runs a script, as its first line says; empty where it is none.
std::string interpreterOf(const std::string& script) {
  std::ifstream file(script);
  std::string line, path;
  char mark[2] = {};
  if (!file.read(mark, 2) || mark[0] != '#' || mark[1] != '!' || !std::getline(file, line)) return "";
  std::istringstream(line.substr(0, PATH_MAX)) >> path;
  return path;
}

class Exposures {
 public:
  Exposures(InstanceSpec& spec, const std::string& engine, const BaseViews& bases) : spec_(spec), engine_(engine), bases_(bases) {}

  // A program comes with its installation: PREFIX/bin/node needs PREFIX/lib. Both where it is named and where links lead to.
  void program(const std::string& path) {
    std::string real = realPathOf(path);
    if (real.empty() || !isFile(real)) return;
    installation(path);
    for (std::string link = path; !link.empty(); link = linkedFrom(link)) installation(link);
    installation(real);
  }
  void script(const std::string& path) {
    std::string interpreter = interpreterOf(path);
    if (!interpreter.empty() && interpreter[0] == '/') program(interpreter);
  }
  void file(const std::string& path) { expose(path, parentOf(path)); }
  void directory(const std::string& path) { expose(path, path); }

 private:
  // Each link of a chain is looked up by itself: python -> python3 -> ~/.pyenv/…/python3.11.
  static std::string linkedFrom(const std::string& path) {
    std::string to = readLink(path);
    return to.empty() || to[0] == '/' ? to : parentOf(path) + "/" + to;
  }
  void installation(const std::string& path) {
    std::string directory = parentOf(path);
    bool hasPrefix = directory.size() > 5 && directory.substr(directory.size() - 4) == "/bin";
    expose(path, hasPrefix ? parentOf(directory) : directory);
  }
  void expose(const std::string& path, const std::string& directory) {
    if (!bases_.isHiddenFrom(path, spec_.uid, spec_.gid) || isBelow(path, engine_)) return;
    if (spec_.ownTreeForCwd && isBelow(path, spec_.cwd)) return;
    for (const auto& bind : spec_.binds) {
      if (isBelow(path, bind.at)) return;
    }
    // Not the whole of /tmp for the sake of one file in it; nor a directory with the engine in it.
    bool tooMuch = isBelow(engine_, directory);
    for (const auto& place : hiddenPlaces()) tooMuch = tooMuch || isBelow(place.path, directory);
    const std::string& shown = tooMuch ? path : directory;
    spec_.binds.push_back({shown, shown, true});
  }

  InstanceSpec& spec_;
  const std::string& engine_;
  const BaseViews& bases_;
};

// Node.js looks for packages in the node_modules of each directory above, and links of workspaces lead to where they stand.
void exposePackages(const std::string& cwd, Exposures& exposures) {
  for (std::string above = parentOf(cwd); above != "/"; above = parentOf(above))
    if (isDirectory(above + "/node_modules")) exposures.directory(above + "/node_modules");
  std::string own = cwd + "/node_modules/";
  auto follow = [&](const std::string& path) {
    std::string real = readLink(path).empty() ? "" : realPathOf(path);
    // Whatever else a link leads to is not shown for it.
    if (isFile(real + "/package.json")) exposures.directory(real);
  };
  for (const std::string& name : namesIn(own)) {
    follow(own + name);
    if (name[0] == '@')
      for (const std::string& scoped : namesIn(own + name)) follow(own + name + "/" + scoped);
  }
}

void exposeCommand(InstanceSpec& spec, const std::string& engine, const BaseViews& bases) {
  Exposures exposures(spec, engine, bases);
  for (size_t i = 0; i < spec.command.size(); ++i) {
    const std::string& word = spec.command[i];
    bool isPath = word[0] == '/' || (i == 0 && word.find('/') != std::string::npos);
    std::string path = !isPath ? "" : word[0] == '/' ? word : spec.cwd + "/" + word;
    std::string real = path.empty() ? "" : realPathOf(path);
    if (real.empty() || !isFile(real)) continue;
    if (i == 0) {
      exposures.program(path);
      exposures.script(real);
    }
    exposures.file(path);
    exposures.file(real);
  }
}

// Fills in PATH and finds the command on the host; its directory is put last into a PATH that was not given.
void completePath(InstanceSpec& spec, const std::string& searchPath, const std::string& engine, const BaseViews& bases) {
  std::string* given = findVariable(spec.env, "PATH");
  std::string usual = given ? given->substr(5) : kUsualPath;
  std::string found;
  if (spec.command[0].find('/') == std::string::npos) {
    found = searchCommand(spec.command[0], usual);
    if (found.empty() && !given) {
      found = searchCommand(spec.command[0], searchPath);
      if (!found.empty()) usual += ":" + parentOf(found);
    }
  }
  if (!given) spec.env.push_back("PATH=" + usual);
  if (found.empty()) return;
  Exposures exposures(spec, engine, bases);
  exposures.program(found);
  exposures.script(realPathOf(found));
}

}  // namespace

std::string realPathOf(const std::string& path) {
  char real[PATH_MAX];
  return ::realpath(path.c_str(), real) == nullptr ? "" : real;
}

std::string* findVariable(std::vector<std::string>& env, const std::string& name) {
  for (auto& entry : env) {
    if (entry.rfind(name + "=", 0) == 0) return &entry;
  }
  return nullptr;
}

void exposeWhatItUses(InstanceSpec& spec, const std::string& searchPath, const std::string& engine, const BaseViews& bases) {
  exposeCommand(spec, engine, bases);
  completePath(spec, searchPath, engine, bases);
  Exposures exposures(spec, engine, bases);
  if (spec.ownTreeForCwd) exposePackages(spec.cwd, exposures);
}

}  // namespace appshot
