// System calls that a thread was taken out of by our stop, and how they are made again so that nothing is noticed of it.
#pragma once

#include <sys/user.h>

#include <cstdint>

namespace appshot {

// The kernel says EINTR after any stop in a few calls that it does not restart by itself (signal(7), "Interruption by stop signals").
// True where the thread stands in one that has taken nothing yet and can be made again. Where such a call has a time limit in memory
// it stays interrupted: its program reckons the rest from its clock.
bool isInterruptedWait(const user_regs_struct& registers);

// The call counts its time for itself, in the kernel, and the registers tell no more than the whole.
bool countsItsTime(const user_regs_struct& registers);

// Gives a call that is made again what is left of its time: `leftNs`, -1 where that is not known.
// False where the program is better told that it was woken (with 0).
bool shortenWait(user_regs_struct& registers, int64_t leftNs);

// The thread stands in front of the call in orig_rax.
void makeAgain(user_regs_struct& registers);

}  // namespace appshot
