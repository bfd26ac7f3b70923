// Where everything of an engine is.
#pragma once

#include <string>

namespace appshot {

struct Places {
  std::string engine;                    // DIR, as realpath() has it

  std::string socket() const { return engine + "/keeper.sock"; }
  std::string lock() const { return engine + "/keeper.lock"; }
  std::string keeperLog() const { return engine + "/keeper.log"; }
  std::string settings() const { return engine + "/keeper.json"; }
  std::string layers() const { return engine + "/layers"; }
  std::string images() const { return engine + "/images"; }
  std::string image(const std::string& id) const { return images() + "/" + id; }
  std::string instances() const { return engine + "/instances"; }
  std::string instance(const std::string& aid) const { return instances() + "/" + aid; }
  // What the instance finds at /run/appshot/self.
  std::string self(const std::string& aid) const { return instance(aid) + "/self"; }
  std::string state(const std::string& aid) const { return instance(aid) + "/state.json"; }
  std::string log(const std::string& aid) const { return self(aid) + "/log"; }
  std::string work(const std::string& aid) const { return instance(aid) + "/work"; }
  std::string berths() const { return engine + "/berths"; }
  std::string berth(const std::string& id) const { return berths() + "/" + id; }
  std::string trash() const { return engine + "/trash"; }
};

}  // namespace appshot
