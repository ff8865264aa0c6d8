// SentencePiece tokenizer.model: a protobuf (sentencepiece_model.proto), read by a small bounded reader.
#include <bit>
#include <cmath>

#include "base/byte_reader.h"
#include "base/error.h"
#include "base/limits.h"
#include "formats/tokenizer_files.h"
#include "formats/tokenizer_vocabulary.h"

namespace minnow {
namespace {

// Field numbers of sentencepiece_model.proto.
enum ModelField { kPieces = 1, kTrainerSpec = 2, kNormalizerSpec = 3 };
enum PieceField { kPieceText = 1, kPieceScore = 2, kPieceType = 3 };
enum TrainerField { kModelType = 3, kWhitespaceAsSuffix = 24, kByteFallback = 35, kUnkId = 40, kBosId = 41, kEosId = 42, kPadId = 43 };
enum NormalizerField {
  kCharsmap = 2,
  kAddDummyPrefix = 3,
  kRemoveExtraWhitespaces = 4,
  kEscapeWhitespaces = 5
};

constexpr uint64_t kModelTypeUnigram = 1;
constexpr uint64_t kModelTypeBpe = 2;

// One field of a message: a varint or fixed value in `number`, or the bytes of a string or message in
// `bytes`.
struct WireField {
  uint64_t key = 0;  // field number and wire type together
  uint64_t number = 0;
  std::string_view bytes;

  uint64_t field() const { return key >> 3; }
  bool is_varint() const { return (key & 7) == 0; }
  bool is_bytes() const { return (key & 7) == 2; }
  bool is_fixed32() const { return (key & 7) == 5; }
};

uint64_t read_varint(ByteReader& reader) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = reader.read<uint8_t>();
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  fail(ErrorCode::kInvalidInput, "{}: number of more than 10 bytes before offset {}", reader.name(),
       reader.offset());
}

WireField read_field(ByteReader& reader) {
  WireField field{.key = read_varint(reader)};
  switch (field.key & 7) {
    case 0:
      field.number = read_varint(reader);
      break;
    case 1:
      field.number = reader.read<uint64_t>();
      break;
    case 2:
      field.bytes = reader.take_text(read_varint(reader), "protobuf field");
      break;
    case 5:
      field.number = reader.read<uint32_t>();
      break;
    default:
      fail(ErrorCode::kInvalidInput, "{}: not a SentencePiece model (wire type {} before offset {})",
           reader.name(), field.key & 7, reader.offset());
  }
  return field;
}

ByteReader sub_reader(std::string_view bytes, const std::string& name) {
  return {std::as_bytes(std::span(bytes.data(), bytes.size())), name};
}

struct TrainerFacts {
  uint64_t model_type = kModelTypeUnigram;  // the proto's default
  bool byte_fallback = false, whitespace_as_suffix = false;
  int32_t unk = 0, bos = 1, eos = 2, pad = -1;
};

TokenEntry read_piece(std::string_view bytes, const std::string& name) {
  TokenEntry entry;
  ByteReader reader = sub_reader(bytes, name);
  while (reader.remaining() > 0) {
    const WireField field = read_field(reader);
    if (field.field() == kPieceText && field.is_bytes()) {
      entry.text = field.bytes;
    } else if (field.field() == kPieceScore && field.is_fixed32()) {
      entry.score = std::bit_cast<float>(static_cast<uint32_t>(field.number));
    } else if (field.field() == kPieceType && field.is_varint()) {
      if (field.number < 1 || field.number > 6) {
        fail(ErrorCode::kInvalidInput, "{}: a piece has the unknown type {}", name, field.number);
      }
      entry.type = static_cast<TokenType>(field.number);
    }
  }
  if (!std::isfinite(entry.score))
    fail(ErrorCode::kInvalidInput, "{}: a piece has a score that is no number", name);
  // Elsewhere such tokens hold the text that they stand for.
  if (entry.type == TokenType::kUserDefined) entry.text = replace_all(entry.text, kSpaceSymbol, " ");
  return entry;
}

TrainerFacts read_trainer(std::string_view bytes, const std::string& name) {
  TrainerFacts facts;
  ByteReader reader = sub_reader(bytes, name);
  while (reader.remaining() > 0) {
    const WireField field = read_field(reader);
    if (!field.is_varint()) continue;
    const auto id = static_cast<int32_t>(field.number);
    switch (field.field()) {
      case kModelType:
        facts.model_type = field.number;
        break;
      case kByteFallback:
        facts.byte_fallback = field.number != 0;
        break;
      case kWhitespaceAsSuffix:
        facts.whitespace_as_suffix = field.number != 0;
        break;
      case kUnkId:
        facts.unk = id;
        break;
      case kBosId:
        facts.bos = id;
        break;
      case kEosId:
        facts.eos = id;
        break;
      case kPadId:
        facts.pad = id;
        break;
      default:
        break;
    }
  }
  return facts;
}

void read_normalizer(std::string_view bytes, TokenizerSpec& spec) {
  ByteReader reader = sub_reader(bytes, spec.source);
  while (reader.remaining() > 0) {
    const WireField field = read_field(reader);
    const bool on = field.number != 0;
    if (field.field() == kCharsmap && field.is_bytes() && !field.bytes.empty()) {
      spec.normalizers = {{.kind = NormalizerStep::Kind::kPrecompiled, .content = std::string(field.bytes)}};
    }
    if (!field.is_varint()) continue;
    if (field.field() == kAddDummyPrefix) spec.add_space_prefix = on;
    if (field.field() == kRemoveExtraWhitespaces) spec.remove_extra_whitespaces = on;
    if (field.field() == kEscapeWhitespaces && !on) {
      fail(ErrorCode::kUnsupported, "{}: SentencePiece models that keep plain spaces are not supported",
           spec.source);
    }
  }
}

TokenizerKind kind_of(const TrainerFacts& facts, const std::string& source) {
  static constexpr std::string_view kNames[] = {"of type 0", "unigram", "BPE", "word", "char"};
  if (facts.whitespace_as_suffix) {
    fail(ErrorCode::kUnsupported, "{}: SentencePiece models that put spaces after words are not supported", source);
  }
  if (facts.model_type == kModelTypeBpe) return TokenizerKind::kSpmBpe;
  if (facts.model_type == kModelTypeUnigram) return TokenizerKind::kUnigram;
  fail(ErrorCode::kUnsupported, "{}: SentencePiece models of type {} are not supported (only BPE and unigram are)", source,
       facts.model_type < std::size(kNames) ? kNames[facts.model_type] : "unknown");
}

TokenId checked_id(int32_t id, const TokenizerSpec& spec) {
  if (id < 0) return kNoToken;
  if (static_cast<std::size_t>(id) >= spec.tokens.size()) {
    fail(ErrorCode::kInvalidInput, "{}: special token id {} but there are only {} pieces", spec.source, id,
         spec.tokens.size());
  }
  return id;
}

}  // namespace

TokenizerSpec parse_sentencepiece_model(std::span<const std::byte> bytes, const std::string& source) {
  TokenizerSpec spec;
  spec.source = source;
  spec.remove_extra_whitespaces = true;  // the proto's default
  TrainerFacts trainer;
  std::string_view normalizer;
  ByteReader reader(bytes, source);
  while (reader.remaining() > 0) {
    const WireField field = read_field(reader);
    if (!field.is_bytes()) continue;
    if (field.field() == kPieces) {
      if (spec.tokens.size() == limits::kMaxVocab) fail(ErrorCode::kLimit, "{}: too many pieces", source);
      spec.tokens.push_back(read_piece(field.bytes, source));
    } else if (field.field() == kTrainerSpec) {
      trainer = read_trainer(field.bytes, source);
    } else if (field.field() == kNormalizerSpec) {
      normalizer = field.bytes;
    }
  }
  if (spec.tokens.empty())
    fail(ErrorCode::kInvalidInput, "{}: not a SentencePiece model (it has no pieces)", source);
  spec.kind = kind_of(trainer, source);
  spec.byte_fallback = trainer.byte_fallback;
  // What the models around such files do: those of Llama begin texts with BOS, those of T5 end them with EOS.
  (spec.kind == TokenizerKind::kSpmBpe ? spec.add_bos : spec.add_eos) = true;
  read_normalizer(normalizer, spec);
  spec.unk = checked_id(trainer.unk, spec);
  spec.bos = checked_id(trainer.bos, spec);
  spec.eos = checked_id(trainer.eos, spec);
  spec.pad = checked_id(trainer.pad, spec);
  return spec;
}

TokenizerSpec parse_llama2c_tokenizer(std::span<const std::byte> bytes, const std::string& source) {
  TokenizerSpec spec;
  spec.source = source;
  spec.kind = TokenizerKind::kSpmBpe;
  spec.add_bos = true;
  ByteReader reader(bytes, source);
  const auto max_length = reader.read<int32_t>();
  while (reader.remaining() > 0) {
    if (spec.tokens.size() == limits::kMaxVocab) fail(ErrorCode::kLimit, "{}: too many tokens", source);
    TokenEntry entry;
    entry.score = reader.read<float>();
    const auto length = reader.read<int32_t>();
    if (length < 0 || length > max_length || !std::isfinite(entry.score)) {
      fail(ErrorCode::kInvalidInput, "{}: not a llama2.c tokenizer (token {} has length {} of at most {})",
           source, spec.tokens.size(), length, max_length);
    }
    entry.text = replace_all(reader.take_text(static_cast<uint64_t>(length), "token"), " ", kSpaceSymbol);
    if (byte_token_value(entry.text) >= 0) entry.type = TokenType::kByte;
    spec.tokens.push_back(std::move(entry));
  }
  if (spec.tokens.size() < 3)
    fail(ErrorCode::kInvalidInput, "{}: has only {} tokens", source, spec.tokens.size());
  spec.tokens[0] = {.text = "<unk>", .type = TokenType::kUnknown};
  spec.tokens[1] = {.text = "<s>", .type = TokenType::kControl};
  spec.tokens[2] = {.text = "</s>", .type = TokenType::kControl};
  spec.unk = 0;
  spec.bos = 1;
  spec.eos = 2;
  return spec;
}

}  // namespace minnow
