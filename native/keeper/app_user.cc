#include "keeper/app_user.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "core/sys/error.h"

namespace appshot {

namespace {

// Above what distributions give to users and to containers' sub-ids.
constexpr uid_t kFirstOwn = 0x40000000;
constexpr uid_t kOwnCount = 0x10000000;

void refuseRoot(uid_t uid, const std::string& called) {
  if (uid == 0) throw Error("bad-request", "an application cannot run as " + called + ": give an unprivileged user");
}

AppUser userOf(const passwd& entry) {
  AppUser user{entry.pw_uid, entry.pw_gid, {}};
  int count = 0;
  ::getgrouplist(entry.pw_name, entry.pw_gid, nullptr, &count);
  user.groups.resize(static_cast<size_t>(count));
  if (::getgrouplist(entry.pw_name, entry.pw_gid, user.groups.data(), &count) < 0) user.groups = {entry.pw_gid};
  return user;
}

}  // namespace

AppUser userByName(const std::string& name) {
  passwd entry{}, *found = nullptr;
  std::vector<char> buffer(16384);
  ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found != nullptr) {
    refuseRoot(entry.pw_uid, name);
    return userOf(entry);
  }
  char* end = nullptr;
  errno = 0;
  unsigned long long id = std::strtoull(name.c_str(), &end, 10);
  bool isNumber = !name.empty() && name[0] >= '0' && name[0] <= '9' && *end == '\0' && errno == 0 && id < 0x7fffffff;
  if (!isNumber) throw Error("bad-request", "this node has no user '" + name.substr(0, 100) + "'");
  return userById(static_cast<uid_t>(id));
}

AppUser userById(uid_t uid) {
  refuseRoot(uid, "uid 0");
  passwd entry{}, *found = nullptr;
  std::vector<char> buffer(16384);
  ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr ? userOf(entry) : AppUser{uid, uid, {}};
}

AppUser ownUser(const std::string& key) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (unsigned char c : key) hash = (hash ^ c) * 0x100000001b3u;
  uid_t uid = kFirstOwn + static_cast<uid_t>((hash ^ (hash >> 32)) % kOwnCount);
  return {uid, uid, {}};
}

}  // namespace appshot
