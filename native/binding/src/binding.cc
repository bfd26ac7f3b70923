// The binding: converts, runs, converts.
#include <napi.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/sys/error.h"
#include "engine_client.h"
#include "keeper/wire.h"

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
        onClosed_(Napi::Persistent(functionArgument(info, 3, "onClosed"))) {}

  ~KeeperConnection() override { unhook(); }

 private:
  // Node.js goes down while the connection is open: its thread must not outlive what it calls into.
  static void goDown(void* self) {
    auto* connection = static_cast<KeeperConnection*>(self);
    connection->hooked_ = false;
    connection->client_->close();
  }

  void unhook() {
    if (std::exchange(hooked_, false)) napi_remove_env_cleanup_hook(Env(), goDown, this);
  }

  Napi::Value connect(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    if (client_) throw codedError(env, "bad-request", "connect was called already");
    // Held until the connection is closed: the thread calls back into this object.
    Ref();
    connecting_ = std::make_unique<Napi::Promise::Deferred>(env);
    news_ = Napi::ThreadSafeFunction::New(env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}), "appshot keeper", 0, 1);
    client_ = std::make_unique<EngineClient>(directory_, program_, [this](ClientNews news) {
      bool isLast = news.kind == ClientNews::Kind::kClosed;
      auto* copy = new ClientNews(std::move(news));
      auto status = news_.BlockingCall(copy, [this](Napi::Env callEnv, Napi::Function, ClientNews* told) {
        std::unique_ptr<ClientNews> owned(told);
        if (callEnv != nullptr) deliver(callEnv, *owned);
      });
      if (status != napi_ok) delete copy;  // Node.js is going down
      // By the thread itself: released by the one that hears the news, the function could go while this call still returns from it.
      else if (isLast) news_.Release();
    });
    client_->start();
    hooked_ = napi_add_env_cleanup_hook(env, goDown, this) == napi_ok;
    return connecting_->Promise();
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
    if (client_) client_->close();
    return info.Env().Undefined();
  }

  // On the JavaScript thread.
  void deliver(Napi::Env env, const ClientNews& news) {
    Napi::HandleScope scope(env);
    switch (news.kind) {
      case ClientNews::Kind::kConnected:
        connected_ = true;
        return std::exchange(connecting_, nullptr)->Resolve(env.Undefined());
      case ClientNews::Kind::kEvent:
        onEvent_.Call({Napi::String::New(env, news.text)});
        return;
      case ClientNews::Kind::kValue:
      case ClientNews::Kind::kError:
        return settle(env, news);
      case ClientNews::Kind::kClosed:
        return closed(env, news);
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

  void closed(Napi::Env env, const ClientNews& news) {
    bool wasConnected = std::exchange(connected_, false);
    Napi::Error error = codedError(env, news.code, news.text);
    if (connecting_) std::exchange(connecting_, nullptr)->Reject(error.Value());
    for (auto& [id, deferred] : std::exchange(pending_, {})) deferred.Reject(error.Value());
    unhook();
    if (wasConnected) onClosed_.Call({Napi::String::New(env, news.code), Napi::String::New(env, news.text)});
    Unref();
  }

  std::string directory_, program_;
  Napi::FunctionReference onEvent_, onClosed_;
  Napi::ThreadSafeFunction news_;
  std::unique_ptr<EngineClient> client_;
  std::unique_ptr<Napi::Promise::Deferred> connecting_;
  std::map<double, Napi::Promise::Deferred> pending_;
  bool connected_ = false;
  bool hooked_ = false;
  double lastId_ = 0;
};

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("KeeperConnection", KeeperConnection::define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(appshot, init)
