// What an instance finds at /run/appshot/self: who it is, and where its redirected paths lead. Written before it runs.
#pragma once

#include <string>
#include <vector>

#include "core/template/evaluation.h"
#include "keeper/instance.h"

namespace appshot {

class Keeper;

// `identity` and the result's spec have to outlive it.
Evaluation evaluationOf(const InstanceSpec& spec, const Identity& identity);

// Gives the instance, which has its pod by now, its identity, and tells whether variables of its program have changed with it.
void takeIdentity(Keeper& keeper, Instance& instance);

// The same, and writes it down for it:
//   instance.json   who it is
//   environment     NAME=value, each ended by a zero byte: variables that are not what the saved program has them to be
//   redirect/N      links to where the N-th REDIR rule leads, from 1
// `self` is where that directory is now.
void becomeItself(Keeper& keeper, Instance& instance, const std::string& self);

// The text of instance.json.
std::string describeSelf(const Instance& instance);

// What the program's variables have to become when it comes out of an image: those whose value differs from that of the
// instance that was saved.
std::vector<std::string> changedEnvironment(const Instance& instance);

}  // namespace appshot
