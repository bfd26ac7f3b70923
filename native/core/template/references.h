// What a redirected path is called in an image, whichever instance it is saved from or comes back as.
#pragma once

#include <string>
#include <vector>

#include "core/image/model.h"

namespace appshot {

// Where an instance finds who it is.
inline constexpr const char* kSelfInView = "/run/appshot/self";

// The link of the N-th REDIR rule, from 1: it leads to another place in each instance.
std::string redirectLink(size_t number);

// Replaces paths that lie where a redirection led (`places`, in the order of the rules) by the link that leads there: the image
// then holds the reference, not what it came out as.
void keepReferences(State& state, const std::vector<std::string>& places);

}  // namespace appshot
