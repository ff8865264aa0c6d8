#include "train/sample.h"

#include <algorithm>

#include "base/error.h"
#include "formats/quote_name.h"

namespace minnow {
namespace {

// What a prompt of an instruction looks like where no chat template says it.
std::string instruction_text(const Record& record) {
  std::string text = "### Instruction:\n" + record.instruction;
  if (!record.input.empty()) text += "\n\n### Input:\n" + record.input;
  return text + "\n\n### Response:\n";
}

std::string token_text(const Tokenizer& tokenizer, TokenId id) {
  return tokenizer.is_valid(id) ? tokenizer.piece(id, /*show_special=*/true) : std::string();
}

}  // namespace

int64_t Sample::n_loss() const { return std::ranges::count(loss, uint8_t{1}); }

SampleRenderer::SampleRenderer(std::shared_ptr<const Tokenizer> tokenizer, SampleOptions options)
    : tokenizer_(std::move(tokenizer)), options_(std::move(options)) {
  const TokenizerSpec& spec = tokenizer_->spec();
  const bool is_given = !options_.chat_template.empty();
  const std::string& text = is_given ? options_.chat_template : spec.chat_template;
  if (!text.empty()) chat_.emplace(*tokenizer_, text);
  if (!is_given && !text.empty() && !spec.tool_template.empty()) tool_chat_.emplace(*tokenizer_, spec.tool_template);
}

std::vector<Sample> SampleRenderer::render(const Record& record) const {
  std::vector<Sample> samples;
  switch (record.kind) {
    case RecordKind::kText:
      samples.push_back(render_text(record));
      break;
    case RecordKind::kChat:
      render_chat(record, samples);
      break;
    case RecordKind::kCompletion:
    case RecordKind::kInstruction:
      samples.push_back(render_answer(record, record.answer, options_.mask_prompt));
      break;
    case RecordKind::kPreference:
      samples.push_back(render_answer(record, record.answer, true));
      samples.push_back(render_answer(record, record.rejected, true));
      break;
  }
  for (Sample& sample : samples) finish(sample);
  return samples;
}

Sample SampleRenderer::render_text(const Record& record) const {
  Sample sample;
  if (record.begins_document) {
    append_plain(sample, record.text, true);
  } else {
    sample.tokens = tokenizer_->encode(record.text, {.add_special = false, .parse_special = options_.parse_special, .continues = true});
    sample.loss.assign(sample.tokens.size(), 1);
  }
  if (record.ends_document) append_end(sample);
  return sample;
}

Sample SampleRenderer::render_answer(const Record& record, const OrderedJson& answer, bool mask) const {
  const bool instructs = record.prompt.is_null();
  const bool plain = (!chat_ || options_.raw) && answer.is_string() && (instructs || record.prompt.is_string());
  if (plain) {
    return render_plain(instructs ? instruction_text(record) : record.prompt.get<std::string>(), answer.get<std::string>(), mask);
  }
  OrderedJson messages = record.prompt.is_array() ? record.prompt : OrderedJson::array();
  if (instructs) {
    const std::string text = record.input.empty() ? record.instruction : record.instruction + "\n\n" + record.input;
    messages.push_back({{"role", "user"}, {"content", text}});
  } else if (record.prompt.is_string()) {
    messages.push_back({{"role", "user"}, {"content", record.prompt}});
  }
  const std::size_t n_prompt = messages.size();
  if (answer.is_string()) {
    messages.push_back({{"role", "assistant"}, {"content", answer}});
  } else {
    for (const OrderedJson& message : answer) messages.push_back(message);
  }
  return render_dialog({messages, record.tools, n_prompt, mask});
}

Sample SampleRenderer::render_plain(const std::string& prompt, const std::string& answer, bool mask) const {
  Sample sample;
  append_plain(sample, prompt, !mask);
  const auto ids =
      tokenizer_->encode(answer, {.add_special = false, .parse_special = options_.parse_special, .continues = !prompt.empty()});
  sample.tokens.insert(sample.tokens.end(), ids.begin(), ids.end());
  sample.loss.resize(sample.tokens.size(), 1);
  append_end(sample);
  return sample;
}

// BOS, unless the text brings it, and the text.
void SampleRenderer::append_plain(Sample& sample, const std::string& text, bool carries_loss) const {
  const TokenizerSpec& spec = tokenizer_->spec();
  if (spec.add_bos && spec.bos != kNoToken) {
    const std::string bos = token_text(*tokenizer_, spec.bos);
    const bool spelled = !bos.empty() && text.starts_with(bos);
    if (spelled && !options_.parse_special) {
      throw Error(ErrorCode::kInvalidInput, fmt::format("the text begins with {}, which is put before every text", quote_name(bos)),
                  "remove it from the data");
    }
    if (!spelled) sample.tokens.push_back(spec.bos);
  }
  const auto ids = tokenizer_->encode(text, {.add_special = false, .parse_special = options_.parse_special});
  sample.tokens.insert(sample.tokens.end(), ids.begin(), ids.end());
  sample.loss.assign(sample.tokens.size(), carries_loss ? 1 : 0);
}

void SampleRenderer::append_end(Sample& sample) const {
  const TokenId eos = tokenizer_->spec().eos;
  if (eos == kNoToken) {
    throw Error(ErrorCode::kInvalidInput, "the tokenizer has no end-of-text token, so that a model would never learn to stop",
                "name one as eos_token in tokenizer_config.json");
  }
  if (options_.parse_special && !sample.tokens.empty() && sample.tokens.back() == eos) return;
  sample.tokens.push_back(eos);
  sample.loss.push_back(1);
}

void SampleRenderer::finish(Sample& sample) const {
  const TokenId bos = tokenizer_->spec().bos;
  if (bos != kNoToken && sample.tokens.size() > 1 && sample.tokens[0] == bos && sample.tokens[1] == bos) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("BOS ({}) stands twice at the start", quote_name(token_text(*tokenizer_, bos))),
                "the chat template or the text writes it once too often");
  }
  if (!sample.loss.empty()) sample.loss[0] = 0;
  if (sample.n_loss() == 0) fail(ErrorCode::kInvalidInput, "no token carries loss: there is nothing to learn");
  const auto max_length = static_cast<std::size_t>(std::max<int64_t>(options_.max_length, 0));
  if (max_length > 0 && sample.tokens.size() > max_length) {
    sample.tokens.resize(max_length);
    sample.loss.resize(max_length);
    sample.cut = true;
  }
}

}  // namespace minnow
