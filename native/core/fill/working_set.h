// The pages that the first requests after a wake touch: filled before all others.
//
// A hint that stands beside the image (working-set.bin): a missing or broken one costs time, never correctness.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace appshot {

// Of each process: what a first request needs, about, is there before the program runs. The filler begins to copy it as soon as its place is
// mapped; the process comes from the other end when it has nothing else to do.
constexpr size_t kFirstPages = 768;

// A page that a program missed.
struct TouchedPage {
  uint32_t pid = 0;   // virtual
  uint32_t wake = 0;  // when, for the last time: wakes are numbered
  uint64_t address = 0;
  uint32_t rank = 0;  // its place in the order of first use; from kAroundRank on it only lay near one that was missed, from kGuessedRank on not even that
  uint32_t life = 0;  // for so many wakes after that one it is filled in advance
};
static_assert(sizeof(TouchedPage) == 24);
constexpr uint32_t kAroundRank = 1u << 30;
// Of an image that was never woken: 16 MiB of pages that are likely to be needed.
constexpr uint32_t kGuessedRank = 1u << 31;
constexpr size_t kMostGuessed = 4096;

// What to fill in advance: each page once, sorted by rank. Empty where there is none, or it is broken.
std::vector<TouchedPage> readWorkingSet(const std::string& imageDir);

// Adds what was missed at one more wake (`wake` and `life` are filled in here). Pages that were filled in advance are not missed, so nobody
// knows which of them are still needed: each is no longer filled after some wakes, not all at the same. One that was missed late, for the
// first time, is tried again soon: garbage collections pass by thousands. One that is missed again soon after that comes back for long. Errors
// are ignored: it is a hint.
void addToWorkingSet(const std::string& imageDir, const std::vector<TouchedPage>& pages);

// For an image that was never woken. A page of which nobody knows whether it is needed is forgotten after 1 to 8 wakes, and comes back if
// it is missed: so a program learns what it needs, a little with each wake. Errors are ignored.
void guessWorkingSet(const std::string& imageDir, const std::vector<TouchedPage>& pages);

// The image that a program was woken from tells best what the next wake will touch. `guessed` is added, as in guessWorkingSet.
void copyWorkingSet(const std::string& fromImageDir, const std::string& toImageDir, const std::vector<TouchedPage>& guessed = {});

}  // namespace appshot
