#include "keeper/address_claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "core/pod/network.h"
#include "core/sys/sys.h"
#include "keeper/places.h"

namespace fs = std::filesystem;

namespace appshot {

namespace {

constexpr const char* kPools = "/run/appshot/pools";

UniqueFd lockPools() {
  std::error_code failed;
  fs::create_directories(kPools, failed);
  if (failed) throw Error("internal", std::string("make ") + kPools + ": " + failed.message());
  std::string path = std::string(kPools) + "/lock";
  UniqueFd fd = sysFd("open " + path, [&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); });
  sys("lock " + path, [&] { return ::flock(fd.get(), LOCK_EX); });
  return fd;
}

std::string fileOf(const std::string& prefix) { return std::string(kPools) + "/" + prefix; }

bool keeperRuns(const std::string& engine) {
  UniqueFd fd(::open(Places{engine}.lock().c_str(), O_RDWR | O_CLOEXEC));
  return fd.valid() && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0;
}

bool hasInstances(const std::string& engine) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(Places{engine}.instances(), failed)) {
    if (fs::exists(entry.path() / "state.json", failed)) return true;
  }
  return false;
}

// Some network of the machine contains the prefix, or is in it. A pod's own routes are /32.
bool isRouted(const std::string& prefix) {
  uint32_t wanted = ntohl(addressOf(prefix + ".0").s_addr);
  std::istringstream lines(readFile("/proc/net/route"));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string link, destination, gateway, flags, references, use, metric, mask;
    fields >> link >> destination >> gateway >> flags >> references >> use >> metric >> mask;
    uint32_t to = ntohl(static_cast<uint32_t>(std::strtoul(destination.c_str(), nullptr, 16)));
    uint32_t bits = ntohl(static_cast<uint32_t>(std::strtoul(mask.c_str(), nullptr, 16)));
    if (bits == 0 || bits == 0xffffffff) continue;
    uint32_t common = bits & 0xffffff00;
    if ((to & common) == (wanted & common)) return true;
  }
  return false;
}

bool isFree(const std::string& prefix) {
  std::string holder = readFileIfThere(fileOf(prefix));
  if (!holder.empty() && (keeperRuns(holder) || hasInstances(holder))) return false;
  return !isRouted(prefix);
}

}  // namespace

std::string claimAddresses(const std::string& engine, const std::string& owner) {
  UniqueFd lock = lockPools();
  for (const auto& name : listDirectory(kPools)) {
    if (name != "lock" && readFileIfThere(fileOf(name)) == engine) return name;
  }
  unsigned start = static_cast<unsigned>(std::strtoul(owner.c_str(), nullptr, 16));
  for (unsigned i = 0; i < 256; ++i) {
    std::string prefix = "10.213." + std::to_string((start + i) % 256);
    if (!isFree(prefix)) continue;
    std::string path = fileOf(prefix);
    UniqueFd fd = sysFd("claim " + path, [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600); });
    writeAll(fd.get(), engine.data(), engine.size(), "claim " + path);
    return prefix;
  }
  throw Error("no-address", "every /24 of 10.213.0.0/16 is in use on this machine");
}

void releaseAddresses(const std::string& prefix) {
  UniqueFd lock = lockPools();
  ::unlink(fileOf(prefix).c_str());
}

std::vector<in_addr> addressesOf(const std::string& prefix) {
  std::vector<in_addr> addresses;
  for (int last = 2; last < 255; ++last) addresses.push_back(addressOf(prefix + "." + std::to_string(last)));
  return addresses;
}

}  // namespace appshot
