// Whom an application runs as. Never root: an instance has no privilege that could get out.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace appshot {

struct AppUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

// A user of the node by name, or a numeric id. Throws Error `bad-request`.
AppUser userByName(const std::string& name);
AppUser userById(uid_t uid);
// An unprivileged id of the application's own, from a range that no user of the node has; the same for the same key.
AppUser ownUser(const std::string& key);

}  // namespace appshot
