// State <-> bytes. Small things are CBOR maps with named fields (self-describing); address spaces and page runs are packed tables.
#pragma once

#include <string>

#include "core/image/model.h"

namespace appshot {

std::string encodeProcess(const Process& process);
Process decodeProcess(const std::string& bytes);       // throws Error `image-invalid`

std::string encodeCommon(const State& state);          // everything but the processes
State decodeCommon(const std::string& bytes);

// For people and scripts: JSON without memory, registers and contents.
std::string describeState(const State& state);

}  // namespace appshot
