// Object headers of version 1 and 2, walked until the layout message is found.
#include "runtime/hdf5/layout_message.h"

#include <optional>

namespace xrai::hdf5 {
namespace {

constexpr std::uint64_t kLayout = 8, kContinuation = 16;  // message types
constexpr int kMostBlocks = 1000;                         // a header in more pieces goes in circles
constexpr std::uint64_t kMostBlockBytes = 1 << 20;

struct Block {
  std::uint64_t address, n_bytes;
};

LayoutMessage parse_layout(Fields message) {
  const std::uint64_t version = message.number(1);
  if (version != 3 && version != 4) throw NotUnderstood{fmt::format("its layout message has version {}", version)};
  if (message.number(1) != 2) throw Damaged{};  // the library says that it is chunked
  LayoutMessage layout;
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

/// One header in its pieces: version 1 and 2 differ in how a message begins.
class HeaderWalk {
 public:
  HeaderWalk(const FileBytes& file, std::uint64_t address) : file_(file) {
    const auto start = file.read(address, 16);
    if (start[0] == 1) {
      blocks_.push_back({address + 16, Fields(std::span(start).subspan(8)).number(4)});
    } else {
      begin_version_2(address);
    }
  }

  LayoutMessage find_layout() {
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (blocks_.size() > kMostBlocks || blocks_[i].n_bytes > kMostBlockBytes) throw Damaged{};
      const auto bytes = version_ == 1 ? file_.read(blocks_[i].address, blocks_[i].n_bytes)
                                       : file_.read_checked(blocks_[i].address, blocks_[i].n_bytes);
      std::size_t before = 0, after = 0;
      if (version_ == 2) before = i == 0 ? prefix_bytes_ : 4, after = 4;
      if (bytes.size() < before + after) throw Damaged{};
      const std::span<const unsigned char> all(bytes);
      if (version_ == 2) Fields(all).expect(i == 0 ? "OHDR" : "OCHK");
      if (const auto found = find_in(Fields(all.subspan(before, bytes.size() - before - after)))) return *found;
    }
    throw Damaged{};
  }

 private:
  void begin_version_2(std::uint64_t address) {
    constexpr std::uint64_t kLongestPrefix = 34;
    const auto start = file_.read(address, std::min(kLongestPrefix, file_.size() - address));
    Fields prefix(start);
    prefix.expect("OHDR");
    if (prefix.number(1) != 2) throw NotUnderstood{"its object header is of a newer version"};
    const std::uint64_t flags = prefix.number(1);
    if ((flags & 0x20) != 0) prefix.take(16);  // times
    if ((flags & 0x10) != 0) prefix.take(4);   // when attributes move elsewhere
    const std::uint64_t n_bytes = prefix.number(std::size_t{1} << (flags & 3));
    version_ = 2;
    counts_messages_ = (flags & 4) != 0;
    prefix_bytes_ = start.size() - prefix.left();
    if (n_bytes > kMostBlockBytes) throw Damaged{};
    blocks_.push_back({address, prefix_bytes_ + n_bytes + 4});
  }

  std::optional<LayoutMessage> find_in(Fields messages) {
    const std::size_t header_bytes = version_ == 1 ? 8 : counts_messages_ ? 6 : 4;
    while (messages.left() >= header_bytes) {  // what is shorter is a gap
      const std::uint64_t type = messages.number(version_ == 1 ? 2 : 1), n_bytes = messages.number(2);
      const std::uint64_t flags = messages.number(1);
      messages.take(header_bytes - (version_ == 1 ? 5 : 4));
      Fields message(messages.take(n_bytes));
      if (type == kLayout) {
        if ((flags & 2) != 0) throw NotUnderstood{"its layout message is shared"};
        return parse_layout(message);
      }
      if (type != kContinuation) continue;
      const std::uint64_t address = message.address();
      blocks_.push_back({address, message.number(8)});
    }
    return std::nullopt;
  }

  const FileBytes& file_;
  std::vector<Block> blocks_;
  int version_ = 1;
  bool counts_messages_ = false;
  std::size_t prefix_bytes_ = 0;
};

}  // namespace

LayoutMessage read_layout_message(const FileBytes& file, std::uint64_t address) {
  return HeaderWalk(file, address).find_layout();
}

}  // namespace xrai::hdf5
