// How a thread waited when its image was made: what that says about what may be done in its process meanwhile.
#pragma once

#include "core/image/model.h"

namespace appshot {

// In the kernel, in whatever call: it is in the middle of no code of its own.
bool wasAtRest(const Thread& thread);

// For something from outside, in a call that a program makes from its main loop.
bool waitedForEvents(const Thread& thread);

// For another thread of its process to wake it, and for nothing else.
bool waitedForThreads(const Thread& thread);

// How many threads of the process may go on before the rest of it is there: those that nothing can move until another thread runs, where
// no signal is on its way to any. They are told from the others by goesAhead().
size_t countGoingAhead(const State& state, const Process& process);
bool threadsGoAhead(const State& state, const Process& process);
bool goesAhead(const Process& process, const Thread& thread);

}  // namespace appshot
