#include "serve/metrics.h"
#include "serve/routes.h"
#include "serve/services.h"

namespace minnow {

void add_metrics_routes(Routes& routes) {
  routes.push_back({"GET", "/metrics", Dialect::kLlamaServer, Scope::kManage, [](const HttpRequest&, Services& services) -> Outcome {
                      return HttpResponse{200, "text/plain; version=0.0.4; charset=utf-8", services.metrics.text(services.models)};
                    }});
}

}  // namespace minnow
