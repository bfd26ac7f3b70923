#pragma once

#include <string>

namespace appshot {

// Asks ext4 to put each new directory in `path`, with what is in it, into a part of the disk of its own (chattr +T): it does not give the
// number of a file that was removed minutes ago to another one, and looks at all of those for each file that it makes. Where
// instances come and go in one part there are thousands (docs/adr/0211). Other file systems have nothing of the kind.
void spreadDirectoriesIn(const std::string& path);

}  // namespace appshot
