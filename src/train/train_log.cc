#include "train/train_log.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <memory>

#include "base/error.h"
#include "base/file.h"

namespace minnow {
namespace {

constexpr uint64_t kMaxLogBytes = uint64_t{1} << 30;

}  // namespace

TrainLog::TrainLog(std::filesystem::path folder, int64_t step) : folder_(std::move(folder)) {
  const std::filesystem::path path = folder_ / "log.jsonl";
  std::string kept;
  if (step > 0 && std::filesystem::exists(path)) {
    const std::string text = read_text_file(path, kMaxLogBytes);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = text.find('\n', begin);
      if (end == std::string::npos) break;  // a line that was being written when the run was killed
      const std::string line = text.substr(begin, end - begin);
      begin = end + 1;
      const Json j = parse_json(line, path.string());
      if (!j.is_object() || JsonFields{j, path.string()}.integer("step", 0, 0, INT64_MAX) > step) continue;
      kept += line + "\n";
      remember(j);
    }
  }
  AtomicFile file(path);
  file.write(kept);
  file.commit();
}

void TrainLog::remember(const Json& line) {
  const JsonFields fields{line, "log.jsonl"};
  const int64_t step = fields.integer("step", 0, 0, INT64_MAX);
  if (fields.has("validation_loss")) validation_.push_back({step, fields.number("validation_loss", 0)});
  if (fields.has("loss")) training_.push_back({step, fields.number("loss", 0)});
}

void TrainLog::append(const Json& line) {
  const std::string path = (folder_ / "log.jsonl").string(), text = line.dump() + "\n";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "a"), std::fclose);
  if (!file || std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() || std::fflush(file.get()) != 0) {
    fail(ErrorCode::kIo, "{}: cannot be written: {}", path, std::system_category().message(errno));
  }
  remember(line);
}

void TrainLog::add(const StepRecord& r) {
  Json line = {{"step", r.step}, {"loss", r.loss}, {"lr", r.learning_rate}, {"grad_norm", r.gradient_norm}, {"tokens", r.tokens},
               {"tokens_per_s", std::round(r.tokens_per_second)}, {"epoch", r.epoch}};
  if (r.figures.is_object()) line.update(r.figures);
  append(line);
}

void TrainLog::add_validation(int64_t step, double loss, const Json& figures) {
  Json line = {{"step", step}, {"validation_loss", loss}};
  if (figures.is_object()) {
    line.update(figures);
  } else {
    line["perplexity"] = std::exp(loss);
  }
  append(line);
}

void TrainLog::draw() const {
  AtomicFile file(folder_ / "loss.svg");
  file.write(loss_curve_svg(training_, validation_));
  file.commit();
}

}  // namespace minnow
