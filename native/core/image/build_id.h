// The identity that a linker gives to what it makes.
#pragma once

#include <string>

namespace appshot {

// The GNU build-id of an ELF file in hexadecimal; empty where it has none, or is no such file, or cannot be read.
std::string buildIdOf(const std::string& path);

}  // namespace appshot
