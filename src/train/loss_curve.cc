#include "train/loss_curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace minnow {
namespace {

constexpr double kWidth = 800, kHeight = 400, kLeft = 60, kRight = 20, kTop = 20, kBottom = 40;
constexpr int64_t kColumns = 360;

// Means of neighbouring points, at most kColumns of them.
std::vector<LossPoint> thinned(const std::vector<LossPoint>& points) {
  const auto n = static_cast<int64_t>(points.size()), columns = std::min(n, kColumns);
  std::vector<LossPoint> few;
  for (int64_t c = 0; c < columns; ++c) {
    const int64_t begin = n * c / columns, end = n * (c + 1) / columns;
    double sum = 0;
    for (int64_t i = begin; i < end; ++i) sum += points[static_cast<std::size_t>(i)].loss;
    few.push_back({points[static_cast<std::size_t>(end - 1)].step, sum / static_cast<double>(end - begin)});
  }
  return few;
}

struct Axes {
  double last_step = 1, low = INFINITY, high = -INFINITY;

  void include(const std::vector<LossPoint>& points) {
    for (const LossPoint& p : points) {
      last_step = std::max(last_step, static_cast<double>(p.step));
      low = std::min(low, p.loss);
      high = std::max(high, p.loss);
    }
  }
  double x(double step) const { return kLeft + (kWidth - kLeft - kRight) * step / last_step; }
  double y(double loss) const { return kTop + (kHeight - kTop - kBottom) * (high - loss) / (high - low); }
};

std::string line(const Axes& axes, const std::vector<LossPoint>& points, const char* color) {
  std::string path;
  for (const LossPoint& p : points) path += fmt::format("{:.1f},{:.1f} ", axes.x(static_cast<double>(p.step)), axes.y(p.loss));
  return fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"{}\"/>\n", color, path);
}

std::string grid(const Axes& axes) {
  std::string svg;
  for (int i = 0; i <= 4; ++i) {
    const double loss = axes.low + (axes.high - axes.low) * i / 4, step = axes.last_step * i / 4;
    svg += fmt::format("<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>", kLeft, kWidth - kRight, axes.y(loss), axes.y(loss));
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:.2f}</text>", kLeft - 6, axes.y(loss) + 4, loss);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.0f}</text>\n", axes.x(step), kHeight - kBottom + 18, step);
  }
  return svg;
}

}  // namespace

std::string loss_curve_svg(const std::vector<LossPoint>& training, const std::vector<LossPoint>& validation) {
  Axes axes;
  const std::vector<LossPoint> curve = thinned(training);
  axes.include(curve);
  axes.include(validation);
  if (!(axes.low < axes.high)) {  // nothing, or all the same
    if (!std::isfinite(axes.low)) axes.low = 0;
    axes.high = axes.low + 1;
  }
  std::string svg = fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"12\">\n"
                                "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n", kWidth, kHeight);
  svg += grid(axes) + line(axes, curve, "#1f77b4");
  if (!validation.empty()) svg += line(axes, validation, "#d62728");
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\"><tspan fill=\"#1f77b4\">training loss</tspan>{}</text>\n", kWidth - kRight, kTop + 12,
                     validation.empty() ? "" : "  <tspan fill=\"#d62728\">validation loss</tspan>");
  return svg + fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">step</text>\n</svg>\n", kWidth / 2, kHeight - 6);
}

}  // namespace minnow
