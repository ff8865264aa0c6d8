// Where a long text may be cut so that its words stay whole.
#pragma once

#include <cstddef>
#include <string_view>

namespace minnow {

// The end of the piece that begins at `begin`, between `wanted` and twice as many bytes away; the end of the text when no more than
// `wanted` are left. The first single line end with no other space around it is taken: the pre-tokenizers in use cut there, too,
// so that the words of the pieces are those of the text. Without one it is the last line end, space or character that fits.
std::size_t piece_end(std::string_view text, std::size_t begin, std::size_t wanted);

}  // namespace minnow
