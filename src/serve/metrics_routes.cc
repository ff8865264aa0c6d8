#include "serve/metrics.h"
#include "serve/routes.h"
#include "serve/services.h"

namespace minnow {

void add_metrics_routes(Routes& routes) {
  routes.push_back({"GET", "/metrics", Dialect::kLlamaServer, Scope::kManage, [](const HttpRequest& http, Services& services) -> Outcome {
                      const auto may_see = [&](const std::string& model) { return http.caller.may_use(model); };
                      return HttpResponse{200, "text/plain; version=0.0.4; charset=utf-8", services.metrics.text(services.models, may_see)};
                    }});
}

}  // namespace minnow
