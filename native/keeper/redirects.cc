#include "keeper/redirects.h"

#include <limits.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "core/pod/base_view.h"
#include "core/pod/thread_namespace.h"
#include "core/sys/sys.h"
#include "core/template/references.h"
#include "keeper/copy_tree.h"
#include "keeper/self.h"

namespace appshot {

namespace {

// The part of a path before its first tag, with links resolved that stand there already: what comes later is the program's own
// doing and is not followed. Runs in the view.
std::string withRealPrefix(const std::string& path) {
  size_t end = path.rfind('/', path.find('<'));
  for (; end != std::string::npos && end > 0; end = path.rfind('/', end - 1)) {
    char real[PATH_MAX];
    if (::realpath(path.substr(0, end).c_str(), real) != nullptr) return (std::string(real) == "/" ? "" : real) + path.substr(end);
  }
  return path;
}

void seed(const InstanceSpec& spec, const std::string& from, const std::string& place, bool isDirectory) {
  if (openEntry(place).exists()) return;
  Entry to = openEntry(place, true, spec.uid, spec.gid);
  Entry source = openEntry(from);
  if (source.exists()) copyTree(source, to, spec.uid, spec.gid);
  // Making one through a link that leads nowhere would fail.
  else if (isDirectory) openEntry(place + "/.", true, spec.uid, spec.gid);
}

// The path itself becomes a link to the instance's own entry.
void putLink(const std::string& from, size_t number) {
  Entry entry = openEntry(from, true);
  if (entry.exists()) removeTree(entry);
  sys("make link " + from, [&] { return ::symlinkat(redirectLink(number).c_str(), entry.parent.get(), entry.name.c_str()); });
}

void settleRules(InstanceSpec& spec) {
  for (Rule& rule : spec.rules) {
    if (!rule.is(RuleKind::Redirect)) continue;
    rule.subject = withRealPrefix(rule.subject);
    rule.value = withRealPrefix(rule.value);
  }
  checkRedirects(spec);
}

}  // namespace

void checkRedirects(const InstanceSpec& spec) {
  for (const Rule& rule : spec.rules) {
    bool ownsFiles = rule.is(RuleKind::Override) && rule.qualifier == "path" && rule.value != "share";
    for (const ViewBind& bind : spec.binds)
      if (ownsFiles && isBelow(rule.subject, bind.at))
        throw Error("bad-request", "rules, line " + std::to_string(rule.line) + ": " + rule.subject + " is in " + bind.at + ", which all instances see as it is on this machine");
    if (rule.is(RuleKind::Override) && rule.qualifier == "port" && rule.subject == std::to_string(spec.port))
      throw Error("bad-request", "rules, line " + std::to_string(rule.line) + ": port " + rule.subject + " is the one by which the application is reached");
    if (!rule.is(RuleKind::Redirect)) continue;
    std::string what = "rules, line " + std::to_string(rule.line) + ": " + rule.subject + " cannot be redirected: ";
    if (isBelow(spec.cwd, rule.subject)) throw Error("bad-request", what + "the program's directory " + spec.cwd + " is in it");
    for (const Rule& other : spec.rules)
      if (&other != &rule && other.is(RuleKind::Redirect) && isBelow(rule.subject, other.subject)) throw Error("bad-request", what + "it lies in " + other.subject);
    for (const ViewBind& bind : spec.binds)
      if (isBelow(rule.subject, bind.at) || isBelow(bind.at, rule.subject)) throw Error("bad-request", what + "the volume or file " + bind.at + " of this machine is shown there");
    if (isBelow("/run/appshot", rule.subject) || isBelow("/proc", rule.subject) || isBelow("/sys", rule.subject)) throw Error("bad-request", what + "it belongs to the system");
  }
}

std::vector<std::string> redirectPlaces(const Instance& instance) { return evaluationOf(instance.spec, instance.spec.identity).redirects(); }

namespace {

bool isDuplicatedPath(const Rule& rule) { return rule.is(RuleKind::Override) && rule.qualifier == "path" && rule.value == "duplicate"; }

// Once, at launch: images have the copies in their layers.
void duplicatePaths(const InstanceSpec& spec, const Pod& pod) {
  if (std::none_of(spec.rules.begin(), spec.rules.end(), isDuplicatedPath)) return;
  InNamespaces inPod(pod.initPidfd.get(), CLONE_NEWNS);
  for (const Rule& rule : spec.rules) {
    if (!isDuplicatedPath(rule)) continue;
    Entry entry = openEntry(rule.subject);
    if (!entry.exists()) throw Error("bad-request", "rules, line " + std::to_string(rule.line) + ": " + rule.subject + ", which is to be duplicated, does not exist");
    copyUp(entry);
  }
}

}  // namespace

void placeRedirects(Instance& instance, bool isLaunch) {
  InstanceSpec& spec = instance.spec;
  if (isLaunch) duplicatePaths(spec, *instance.pod);
  if (evaluationOf(spec, spec.identity).redirects().empty()) return;
  InNamespaces inPod(instance.pod->initPidfd.get(), CLONE_NEWNS);
  if (isLaunch) settleRules(spec);
  std::vector<std::string> places = redirectPlaces(instance), former = evaluationOf(spec, instance.former).redirects();
  size_t number = 0;
  for (const Rule& rule : spec.rules) {
    if (!rule.is(RuleKind::Redirect)) continue;
    const std::string& place = places[number];
    if (isLaunch) seed(spec, rule.subject, place, rule.hasQualifier);
    else if (former[number] != place) seed(spec, former[number], place, rule.hasQualifier);
    number++;
    if (isLaunch) putLink(rule.subject, number);
  }
}

}  // namespace appshot
