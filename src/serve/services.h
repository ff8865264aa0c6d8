// What handlers may use.
#pragma once

#include <string>

#include "respond/model_pool.h"
#include "serve/answer_format.h"
#include "serve/http_types.h"

namespace minnow {

class Metrics;        // metrics.h
class ResponseStore;  // response_store.h: stored answers of /v1/responses

struct Services {
  ModelPool& models;
  Metrics& metrics;
  ResponseStore& responses;
  double started_unix;  // seconds
};

// The model that a request names, loaded, if the caller may use it: else kNotFound, as for a model that does not exist.
// An empty name is the only model, or the first one given on the command line.
ModelLease model_for(const HttpRequest& request, const std::string& name, Services& services, KeepAlive keep_alive = {});

}  // namespace minnow
