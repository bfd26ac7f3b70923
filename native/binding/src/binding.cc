// The binding: converts, runs, converts.
#include <napi.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/sys/error.h"
#include "engine_client.h"
#include "keeper/wire.h"
#include "keeper_start.h"

namespace {

using appshot::ClientNews;
using appshot::EngineClient;

Napi::Error codedError(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

// `facts` as JSON text: the TypeScript side parses it.
Napi::Error withFacts(Napi::Env env, Napi::Error error, const std::string& facts) {
  if (!facts.empty()) error.Set("factsJson", Napi::String::New(env, facts));
  return error;
}

std::string textArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsString()) throw Napi::TypeError::New(info.Env(), std::string(name) + " has to be a string");
  return info[index].As<Napi::String>().Utf8Value();
}

Napi::Function functionArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsFunction()) throw Napi::TypeError::New(info.Env(), std::string(name) + " has to be a function");
  return info[index].As<Napi::Function>();
}

std::vector<int> descriptorsArgument(const Napi::CallbackInfo& info, size_t index) {
  std::vector<int> fds;
  if (info[index].IsUndefined()) return fds;
  if (!info[index].IsArray()) throw Napi::TypeError::New(info.Env(), "descriptors has to be an array of numbers");
  auto array = info[index].As<Napi::Array>();
  if (array.Length() > appshot::kMostDescriptors) throw Napi::RangeError::New(info.Env(), "descriptors has too many entries");
  for (uint32_t i = 0; i < array.Length(); ++i) {
    Napi::Value value = array[i];
    if (!value.IsNumber()) throw Napi::TypeError::New(info.Env(), "descriptors has to be an array of numbers");
    fds.push_back(value.As<Napi::Number>().Int32Value());
  }
  return fds;
}

class KeeperConnection;

// Finds the keeper, or starts it, which takes a while: beside the event loop.
class Connecting : public Napi::AsyncWorker {
 public:
  Connecting(Napi::Env env, KeeperConnection& connection, std::string directory, std::string program)
      : Napi::AsyncWorker(env, "appshot keeper"), connection_(connection), directory_(std::move(directory)), program_(std::move(program)) {}

  void Execute() override;
  void OnOK() override;

 private:
  KeeperConnection& connection_;
  std::string directory_, program_;
  appshot::KeeperSocket made_;
  ClientNews failure_{ClientNews::Kind::kClosed, 0, "", "", ""};
};

// new KeeperConnection(directory, keeperProgram, onEvent(json), onClosed(code, message))
//   connect(): Promise<void>            once
//   call(method, params, fds?): Promise<string>
//   close(): void
class KeeperConnection : public Napi::ObjectWrap<KeeperConnection> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "KeeperConnection",
                       {InstanceMethod<&KeeperConnection::connect>("connect"), InstanceMethod<&KeeperConnection::call>("call"),
                        InstanceMethod<&KeeperConnection::close>("close")});
  }

  explicit KeeperConnection(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<KeeperConnection>(info),
        directory_(textArgument(info, 0, "directory")),
        program_(textArgument(info, 1, "keeperProgram")),
        onEvent_(Napi::Persistent(functionArgument(info, 2, "onEvent"))),
        onClosed_(Napi::Persistent(functionArgument(info, 3, "onClosed"))),
        context_(info.Env(), "appshot keeper") {}

  void connected(appshot::KeeperSocket made) {
    Napi::Env env = Env();
    if (closing_) return closed(env, {ClientNews::Kind::kClosed, 0, "the connection to the engine's keeper was closed", "unavailable", ""});
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    try {
      auto client = std::make_unique<EngineClient>([this](std::vector<ClientNews> news) { deliver(news); });
      client->start(loop, std::move(made.socket), std::move(made.bell));
      client_ = std::move(client);
    } catch (const appshot::Error& error) {
      return closed(env, {ClientNews::Kind::kClosed, 0, error.what(), error.code(), ""});
    }
    // Node.js goes down, or a worker of it, while the connection is open: the loop has to let go of it first.
    napi_add_async_cleanup_hook(env, [](napi_async_cleanup_hook_handle, void* self) { static_cast<KeeperConnection*>(self)->letGo(); }, this, &goingDown_);
    connected_ = true;
    std::exchange(connecting_, nullptr)->Resolve(env.Undefined());
  }

  void closed(Napi::Env env, const ClientNews& news) {
    bool wasConnected = std::exchange(connected_, false);
    Napi::Error error = codedError(env, news.code, news.text);
    if (connecting_) std::exchange(connecting_, nullptr)->Reject(error.Value());
    for (auto& [id, deferred] : std::exchange(pending_, {})) deferred.Reject(error.Value());
    if (wasConnected) onClosed_.Call({Napi::String::New(env, news.code), Napi::String::New(env, news.text)});
    letGo();
    Unref();
  }

 private:
  // The loop does so in a later turn, when this object may be gone.
  void letGo() {
    if (EngineClient* client = client_.release())
      client->close([client, hook = goingDown_] {
        napi_remove_async_cleanup_hook(hook);
        delete client;
      });
  }

  Napi::Value connect(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    if (std::exchange(begun_, true)) throw codedError(env, "bad-request", "connect was called already");
    // Held until the connection is closed: the loop calls back into this object.
    Ref();
    connecting_ = std::make_unique<Napi::Promise::Deferred>(env);
    Napi::Promise promise = connecting_->Promise();
    (new Connecting(env, *this, directory_, program_))->Queue();
    return promise;
  }

  Napi::Value call(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::string method = textArgument(info, 0, "method");
    std::string params = textArgument(info, 1, "params");
    std::vector<int> fds = descriptorsArgument(info, 2);
    auto deferred = Napi::Promise::Deferred::New(env);
    auto refuse = [&](const std::string& code, const std::string& message) {
      deferred.Reject(codedError(env, code, message).Value());
      return deferred.Promise();
    };
    if (params.size() + method.size() > appshot::kLongestMessage / 2) return refuse("bad-request", "the parameters of " + method.substr(0, 100) + " are too long");
    if (!nlohmann::json::accept(params)) return refuse("bad-request", "the parameters of " + method.substr(0, 100) + " are not JSON");
    double id = ++lastId_;
    std::string text = "{\"id\":" + std::to_string(static_cast<uint64_t>(id)) + ",\"method\":" + nlohmann::json(method).dump() + ",\"params\":" + params + "}";
    try {
      if (!connected_ || !client_->send(std::move(text), fds)) return refuse("unavailable", "there is no connection to the engine's keeper");
    } catch (const appshot::Error& error) {
      return refuse("bad-request", error.what());
    }
    pending_.emplace(id, deferred);
    return deferred.Promise();
  }

  Napi::Value close(const Napi::CallbackInfo& info) {
    closing_ = true;
    if (connected_) closed(info.Env(), {ClientNews::Kind::kClosed, 0, "the connection to the engine's keeper ended", "unavailable", ""});
    return info.Env().Undefined();
  }

  // From the event loop: what was promised is settled before it goes on.
  void deliver(const std::vector<ClientNews>& all) {
    Napi::Env env = Env();
    Napi::HandleScope scope(env);
    Napi::CallbackScope callback(env, context_);
    for (const ClientNews& news : all) {
      // Closed by who was told of the one before.
      if (!connected_) return;
      try {
        if (news.kind == ClientNews::Kind::kEvent) onEvent_.Call({Napi::String::New(env, news.text)});
        else if (news.kind == ClientNews::Kind::kClosed) closed(env, news);
        else settle(env, news);
      } catch (const Napi::Error& error) {
        // Thrown by a listener, which nobody called who could catch it.
        napi_fatal_exception(env, error.Value());
      }
    }
  }

  void settle(Napi::Env env, const ClientNews& news) {
    auto found = pending_.find(news.id);
    if (found == pending_.end()) return;
    auto deferred = found->second;
    pending_.erase(found);
    if (news.kind == ClientNews::Kind::kValue) deferred.Resolve(Napi::String::New(env, news.text));
    else deferred.Reject(withFacts(env, codedError(env, news.code, news.text), news.facts).Value());
  }

  std::string directory_, program_;
  Napi::FunctionReference onEvent_, onClosed_;
  Napi::AsyncContext context_;
  std::unique_ptr<EngineClient> client_;
  napi_async_cleanup_hook_handle goingDown_ = nullptr;
  std::unique_ptr<Napi::Promise::Deferred> connecting_;
  std::map<double, Napi::Promise::Deferred> pending_;
  bool begun_ = false, connected_ = false, closing_ = false;
  double lastId_ = 0;
};

void Connecting::Execute() {
  try {
    made_ = appshot::connectToKeeper(directory_, program_);
  } catch (const appshot::Error& error) {
    failure_.code = error.code();
    failure_.text = error.what();
  } catch (const std::exception& error) {
    failure_.code = "internal";
    failure_.text = error.what();
  }
}

void Connecting::OnOK() {
  if (failure_.code.empty()) connection_.connected(std::move(made_));
  else connection_.closed(Env(), failure_);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("KeeperConnection", KeeperConnection::define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(appshot, init)
