// The layout message of a chunked data set; libraries since 1.6.3 write versions 3 and 4.
#include "runtime/hdf5/layout_message.h"

#include <optional>

#include "runtime/hdf5/object_header.h"

namespace xrai::hdf5 {
namespace {

LayoutMessage parse_layout(Fields message) {
  const std::uint64_t version = message.number(1);
  if (version < 1 || version > 4) throw NotUnderstood{fmt::format("its layout message has version {}", version)};
  LayoutMessage layout;
  if (version < 3) message.number(1);           // dimensionality
  if (message.number(1) != 2) throw Damaged{};  // the library says that it is chunked
  if (version < 3) {
    message.take(5);
    layout.address = message.address();
    return layout;
  }
  if (version == 3) {
    message.number(1);  // dimensionality
    layout.address = message.address();
    return layout;
  }
  const std::uint64_t flags = message.number(1), rank = message.number(1), length_bytes = message.number(1);
  if (length_bytes < 1 || length_bytes > 8) throw Damaged{};
  message.take(rank * length_bytes);
  const std::uint64_t kind = message.number(1);
  if (kind < 1 || kind > 5) throw NotUnderstood{fmt::format("its chunk index is of type {}", kind)};
  layout.kind = static_cast<IndexKind>(kind);
  if (layout.kind == IndexKind::kSingle && (flags & 2) != 0) {
    layout.single_bytes = message.number(8);
    layout.single_skipped = static_cast<std::uint32_t>(message.number(4));
  }
  // Parameters of creation; the blocks themselves say them again.
  if (layout.kind == IndexKind::kFixedArray) message.take(1);
  if (layout.kind == IndexKind::kExtensibleArray) message.take(5);
  if (layout.kind == IndexKind::kBTree2) message.take(6);
  layout.address = message.address();
  return layout;
}

}  // namespace

LayoutMessage read_layout_message(const FileBytes& file, std::uint64_t address) {
  std::optional<LayoutMessage> found;
  walk_header(file, address, [&](const HeaderMessage& message) {
    if (message.type != MessageType::kLayout) return true;
    if (message.is_shared) throw NotUnderstood{"its layout message is shared"};
    found = parse_layout(Fields(message.body));
    return false;
  });
  if (!found) throw Damaged{};
  return *found;
}

}  // namespace xrai::hdf5
