#include "formats/safetensors_header.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "formats/quote_name.h"
#include "formats/safetensors_layout.h"

namespace minnow::safetensors {
namespace {

// Events of a JSON text that is mostly objects of strings and unsigned integers: what is not expected is
// refused, so a subclass only overrides what it knows. Never recursive (the parser keeps its own stack of
// bits).
class StrictEvents : public nlohmann::json_sax<Json> {
 public:
  explicit StrictEvents(const std::string& source) : source_(source) {}

  bool null() override { refuse("null"); }
  bool boolean(bool) override { refuse("true or false"); }
  bool number_integer(number_integer_t) override { refuse("a negative number"); }
  bool number_unsigned(number_unsigned_t) override { refuse("a number"); }
  bool number_float(number_float_t, const string_t&) override {
    refuse("a number that is not a 64-bit integer");
  }
  bool string(string_t&) override { refuse("a string"); }
  bool binary(binary_t&) override { refuse("binary data"); }
  bool start_object(std::size_t) override { refuse("an object"); }
  bool key(string_t&) override { refuse("a key"); }
  bool end_object() override { refuse("the end of an object"); }
  bool start_array(std::size_t) override { refuse("an array"); }
  bool end_array() override { refuse("the end of an array"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail(ErrorCode::kInvalidInput, "{}: not valid JSON near byte {}", source_, position);
  }

 protected:
  [[noreturn]] void refuse(std::string_view what) const {
    fail(ErrorCode::kInvalidInput, "{}: {} where it does not belong{}", source_, what, context());
  }
  // ", in …" for errors.
  virtual std::string context() const = 0;

  const std::string& source_;
};

template <typename T, typename Name>
void refuse_twins(std::vector<T>& items, Name name, const std::string& source) {
  std::sort(items.begin(), items.end(), [&](const T& a, const T& b) { return name(a) < name(b); });
  const auto twin = std::adjacent_find(items.begin(), items.end(),
                                       [&](const T& a, const T& b) { return name(a) == name(b); });
  if (twin != items.end()) {
    fail(ErrorCode::kInvalidInput, "{}: {} occurs twice", source, quote_name(name(*twin)));
  }
}

class HeaderEvents : public StrictEvents {
 public:
  using StrictEvents::StrictEvents;

  Header take() { return std::move(header_); }

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::kStart:
        return go(Place::kTop);
      case Place::kTensorOrMetadata:
        return go(key_ == kMetadataKey ? Place::kMetadata : begin_tensor());
      default:
        refuse("an object");
    }
  }

  bool key(string_t& key) override {
    if (place_ == Place::kTop) {
      check_name(key);
      key_ = std::move(key);
      return go(Place::kTensorOrMetadata);
    }
    if (place_ == Place::kMetadata) {
      key_ = std::move(key);
      return go(Place::kMetadataValue);
    }
    if (place_ != Place::kTensor) refuse("a key");
    if (key == "dtype") return begin_field(kDtypeSeen, Place::kDtype);
    if (key == "shape") return begin_field(kShapeSeen, Place::kShape);
    if (key == "data_offsets") return begin_field(kOffsetsSeen, Place::kOffsets);
    refuse("the field " + quote_name(key));
  }

  bool string(string_t& text) override {
    if (place_ == Place::kMetadataValue) {
      if (header_.metadata.size() >= limits::kMaxMetadataEntries) {
        fail(ErrorCode::kLimit, "{}: more than {} metadata entries", source_, limits::kMaxMetadataEntries);
      }
      header_.metadata.emplace_back(std::move(key_), std::move(text));
      return go(Place::kMetadata);
    }
    if (place_ != Place::kDtype) refuse("a string");
    const auto it =
        std::find_if(kTypeWords.begin(), kTypeWords.end(), [&](const TypeWord& w) { return w.word == text; });
    if (it == kTypeWords.end()) {
      fail(ErrorCode::kUnsupported, "{}: tensor {} has type {}, which minnow does not read", source_,
           quote_name(tensor_.name), quote_name(text));
    }
    tensor_.dtype = it->dtype;
    return go(Place::kTensor);
  }

  bool start_array(std::size_t) override {
    if (place_ == Place::kShape) return go(Place::kShapeItems);
    if (place_ == Place::kOffsets) return go(Place::kOffsetItems);
    refuse("an array");
  }

  bool number_unsigned(number_unsigned_t n) override {
    if (place_ != Place::kShapeItems && place_ != Place::kOffsetItems) refuse("a number");
    const bool shape = place_ == Place::kShapeItems;
    if (n_items_ == (shape ? limits::kMaxDims : 2)) {
      fail(shape ? ErrorCode::kUnsupported : ErrorCode::kInvalidInput, "{}: tensor {} has more than {}",
           source_, quote_name(tensor_.name), shape ? "4 dimensions" : "2 data_offsets");
    }
    if (n > static_cast<uint64_t>(INT64_MAX)) refuse("a number past 2^63");
    items_[n_items_++] = static_cast<int64_t>(n);
    return true;
  }

  bool end_array() override {
    if (place_ == Place::kShapeItems) {
      tensor_.shape = Shape(std::span<const int64_t>(items_, n_items_));
    } else {
      if (n_items_ != 2 || items_[0] > items_[1]) {
        fail(ErrorCode::kInvalidInput, "{}: data_offsets of tensor {} are not a begin and an end", source_,
             quote_name(tensor_.name));
      }
      tensor_.begin = static_cast<uint64_t>(items_[0]);
      tensor_.end = static_cast<uint64_t>(items_[1]);
    }
    n_items_ = 0;
    return go(Place::kTensor);
  }

  bool end_object() override {
    switch (place_) {
      case Place::kTensor:
        end_tensor();
        return go(Place::kTop);
      case Place::kMetadata:
        return go(Place::kTop);
      case Place::kTop:
        return go(Place::kEnd);
      default:
        refuse("the end of an object");
    }
  }

 private:
  enum class Place {
    kStart,
    kTop,
    kTensorOrMetadata,
    kTensor,
    kDtype,
    kShape,
    kShapeItems,
    kOffsets,
    kOffsetItems,
    kMetadata,
    kMetadataValue,
    kEnd,
  };
  enum Seen : unsigned { kDtypeSeen = 1, kShapeSeen = 2, kOffsetsSeen = 4, kAllSeen = 7 };

  bool go(Place place) {
    place_ = place;
    return true;
  }

  std::string context() const override {
    if (place_ == Place::kStart || place_ == Place::kTop || place_ == Place::kEnd) return {};
    const bool in_metadata = place_ == Place::kMetadata || place_ == Place::kMetadataValue;
    if (in_metadata) return ", in __metadata__";
    return ", in the entry " + quote_name(place_ == Place::kTensorOrMetadata ? key_ : tensor_.name);
  }

  void check_name(const std::string& name) {
    if (name.empty() || name.size() > limits::kMaxKeyBytes) {
      fail(ErrorCode::kInvalidInput, "{}: a tensor name of {} bytes, 1 to {} are allowed", source_,
           name.size(), limits::kMaxKeyBytes);
    }
    if (name != kMetadataKey) return;
    if (metadata_seen_) fail(ErrorCode::kInvalidInput, "{}: {} occurs twice", source_, kMetadataKey);
    metadata_seen_ = true;
  }

  Place begin_tensor() {
    if (header_.tensors.size() >= limits::kMaxTensors) {
      fail(ErrorCode::kLimit, "{}: more than {} tensors", source_, limits::kMaxTensors);
    }
    tensor_ = {};
    tensor_.name = std::move(key_);
    seen_ = 0;
    return Place::kTensor;
  }

  bool begin_field(Seen field, Place place) {
    if ((seen_ & field) != 0) refuse("a field for the second time");
    seen_ |= field;
    return go(place);
  }

  void end_tensor() {
    if (seen_ != kAllSeen) {
      fail(ErrorCode::kInvalidInput, "{}: tensor {} lacks dtype, shape or data_offsets", source_,
           quote_name(tensor_.name));
    }
    const uint64_t bytes =
        checked_tensor_bytes(tensor_.dtype, tensor_.shape, source_ + ": tensor " + quote_name(tensor_.name));
    if (bytes != tensor_.end - tensor_.begin) {
      fail(ErrorCode::kInvalidInput, "{}: tensor {} of shape {} takes {} bytes, but its data_offsets hold {}",
           source_, quote_name(tensor_.name), tensor_.shape.text(), bytes, tensor_.end - tensor_.begin);
    }
    header_.tensors.push_back(std::move(tensor_));
  }

  Header header_;
  HeaderEntry tensor_;
  std::string key_;
  Place place_ = Place::kStart;
  unsigned seen_ = 0;
  bool metadata_seen_ = false;
  int64_t items_[limits::kMaxDims] = {};
  int n_items_ = 0;
};

// Of the index only weight_map is looked at; other values of any form are passed over.
class IndexEvents : public StrictEvents {
 public:
  using StrictEvents::StrictEvents;

  std::vector<IndexEntry> take() {
    if (!map_seen_) fail(ErrorCode::kInvalidInput, "{}: the object weight_map is missing", source_);
    return std::move(entries_);
  }

  bool null() override { return scalar("null"); }
  bool boolean(bool) override { return scalar("true or false"); }
  bool number_integer(number_integer_t) override { return scalar("a number"); }
  bool number_unsigned(number_unsigned_t) override { return scalar("a number"); }
  bool number_float(number_float_t, const string_t&) override { return scalar("a number"); }

  bool string(string_t& text) override {
    if (!in_map()) return scalar("a string");
    if (entries_.size() >= limits::kMaxTensors) {
      fail(ErrorCode::kLimit, "{}: more than {} tensors", source_, limits::kMaxTensors);
    }
    entries_.push_back({std::move(key_), std::move(text)});
    return true;
  }

  bool start_object(std::size_t) override {
    if (in_map()) refuse("an object");
    if (depth_ == 1 && key_ == "weight_map") {
      if (map_seen_) fail(ErrorCode::kInvalidInput, "{}: weight_map occurs twice", source_);
      map_seen_ = in_map_ = true;
    }
    return deeper();
  }
  bool start_array(std::size_t) override {
    if (in_map() || depth_ == 0) refuse("an array");
    return deeper();
  }
  bool end_object() override {
    in_map_ = false;
    --depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool key(string_t& key) override {
    if (depth_ <= 2) key_ = std::move(key);
    return true;
  }

 private:
  bool in_map() const { return in_map_; }
  std::string context() const override { return in_map() ? ", in weight_map" : std::string(); }
  bool scalar(std::string_view what) {
    if (in_map() || depth_ == 0 || (depth_ == 1 && key_ == "weight_map")) refuse(what);
    return true;
  }
  bool deeper() {
    if (++depth_ > limits::kMaxJsonDepth) {
      fail(ErrorCode::kLimit, "{}: JSON nested deeper than {} levels", source_, limits::kMaxJsonDepth);
    }
    return true;
  }

  std::vector<IndexEntry> entries_;
  std::string key_;
  int depth_ = 0;
  bool in_map_ = false, map_seen_ = false;
};

void check_file_name(const IndexEntry& entry, const std::string& source) {
  const bool control = std::any_of(entry.file.begin(), entry.file.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  if (control || !entry.file.ends_with(".safetensors") || entry.file.starts_with('.') ||
      entry.file.find_first_of("/\\") != std::string::npos || entry.file.size() > 255) {
    fail(ErrorCode::kInvalidInput, "{}: {} is not the plain name of a .safetensors file (for tensor {})",
         source, quote_name(entry.file), quote_name(entry.tensor));
  }
}

// The parser takes a zero byte for the end of the text, and would not see what hides behind it.
void parse(std::string_view json, StrictEvents& events, const std::string& source) {
  const auto zero = json.find('\0');
  if (zero != std::string_view::npos)
    fail(ErrorCode::kInvalidInput, "{}: a zero byte in JSON, at {}", source, zero);
  nlohmann::json::sax_parse(json.begin(), json.end(), &events);
}

}  // namespace

Header parse_header(std::string_view json, const std::string& source) {
  HeaderEvents events(source);
  parse(json, events, source);
  Header header = events.take();
  refuse_twins(
      header.metadata, [](const auto& m) -> const std::string& { return m.first; }, source);
  return header;
}

std::vector<IndexEntry> parse_index(std::string_view json, const std::string& source) {
  IndexEvents events(source);
  parse(json, events, source);
  std::vector<IndexEntry> entries = events.take();
  refuse_twins(
      entries, [](const auto& e) -> const std::string& { return e.tensor; }, source);
  for (const IndexEntry& entry : entries) check_file_name(entry, source);
  return entries;
}

}  // namespace minnow::safetensors
