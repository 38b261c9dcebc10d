// Object headers of version 1 and 2, in their pieces: the two differ in how a piece and a message begin.
#include "runtime/hdf5/object_header.h"

#include <algorithm>

namespace xrai::hdf5 {
namespace {

constexpr std::size_t kSumBytes = 4;
constexpr int kMostBlocks = 1000;  // a header in more pieces goes in circles

struct Block {
  std::uint64_t address, n_bytes;
};

class HeaderWalk {
 public:
  HeaderWalk(const FileBytes& file, std::uint64_t address) : file_(file) {
    start_ = header_start(file.read(address, std::min<std::uint64_t>(kLongestHeaderStart, file.size() - address)));
    if (start_.version == 1) {
      blocks_.push_back({address + start_.prefix_bytes, start_.n_bytes});
    } else {
      blocks_.push_back({address, start_.prefix_bytes + start_.n_bytes + kSumBytes});
    }
  }

  std::uint64_t run(const std::function<bool(const HeaderMessage&)>& take) {
    std::uint64_t n_read = 0;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (blocks_.size() > kMostBlocks || blocks_[i].n_bytes > kMostHeaderBytes) throw Damaged{};
      n_read += blocks_[i].n_bytes;
      require(n_read <= file_.size());  // pieces that lie over one another
      const auto bytes = start_.version == 1 ? file_.read(blocks_[i].address, blocks_[i].n_bytes)
                                             : file_.read_checked(blocks_[i].address, blocks_[i].n_bytes);
      std::size_t before = 0, after = 0;
      if (start_.version == 2) before = i == 0 ? start_.prefix_bytes : 4, after = kSumBytes;
      if (bytes.size() < before + after) throw Damaged{};
      const std::span<const unsigned char> all(bytes);
      if (start_.version == 2) Fields(all).expect(i == 0 ? "OHDR" : "OCHK");
      if (!walk_block(Fields(all.subspan(before, bytes.size() - before - after)), take)) break;
    }
    return n_read;
  }

 private:
  /// Whether the next block is wanted, too.
  bool walk_block(Fields messages, const std::function<bool(const HeaderMessage&)>& take) {
    const std::size_t header_bytes = start_.version == 1 ? 8 : start_.counts_messages ? 6 : 4;
    while (messages.left() >= header_bytes) {  // what is shorter is a gap
      const auto type = static_cast<MessageType>(messages.number(start_.version == 1 ? 2 : 1));
      const std::uint64_t n_bytes = messages.number(2), flags = messages.number(1);
      messages.take(header_bytes - (start_.version == 1 ? 5 : 4));
      const auto body = messages.take(n_bytes);
      if (type == MessageType::kContinuation) {
        Fields continuation(body);
        const std::uint64_t address = continuation.address();
        blocks_.push_back({address, continuation.number(8)});
      } else if (!take({type, (flags & 2) != 0, body})) {
        return false;
      }
    }
    return true;
  }

  const FileBytes& file_;
  std::vector<Block> blocks_;
  HeaderStart start_;
};

}  // namespace

HeaderStart header_start(std::span<const unsigned char> start) {
  HeaderStart header;
  Fields prefix(start);
  if (!start.empty() && start[0] == 1) {
    prefix.take(8);
    header.n_bytes = prefix.number(4);
    header.prefix_bytes = 16;
  } else {
    prefix.expect("OHDR");
    if (prefix.number(1) != 2) throw NotUnderstood{"its object header is of a newer version"};
    header.version = 2;
    const std::uint64_t flags = prefix.number(1);
    if ((flags & 0x20) != 0) prefix.take(16);  // times
    if ((flags & 0x10) != 0) prefix.take(4);   // when attributes move elsewhere
    header.counts_messages = (flags & 4) != 0;
    header.n_bytes = prefix.number(std::size_t{1} << (flags & 3));
    header.prefix_bytes = start.size() - prefix.left();
  }
  if (header.n_bytes > kMostHeaderBytes) throw Damaged{};
  return header;
}

std::uint64_t walk_header(const FileBytes& file, std::uint64_t address,
                          const std::function<bool(const HeaderMessage&)>& take) {
  return HeaderWalk(file, address).run(take);
}

}  // namespace xrai::hdf5
