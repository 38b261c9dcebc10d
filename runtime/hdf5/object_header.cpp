// Object headers of version 1 and 2, in their pieces: the two differ in how a piece and a message begin.
#include "runtime/hdf5/object_header.h"

namespace xrai::hdf5 {
namespace {

constexpr int kMostBlocks = 1000;  // a header in more pieces goes in circles
constexpr std::uint64_t kMostBlockBytes = 1 << 20;

struct Block {
  std::uint64_t address, n_bytes;
};

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

  void run(const std::function<bool(const HeaderMessage&)>& take) {
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (blocks_.size() > kMostBlocks || blocks_[i].n_bytes > kMostBlockBytes) throw Damaged{};
      const auto bytes = version_ == 1 ? file_.read(blocks_[i].address, blocks_[i].n_bytes)
                                       : file_.read_checked(blocks_[i].address, blocks_[i].n_bytes);
      std::size_t before = 0, after = 0;
      if (version_ == 2) before = i == 0 ? prefix_bytes_ : 4, after = 4;
      if (bytes.size() < before + after) throw Damaged{};
      const std::span<const unsigned char> all(bytes);
      if (version_ == 2) Fields(all).expect(i == 0 ? "OHDR" : "OCHK");
      if (!walk_block(Fields(all.subspan(before, bytes.size() - before - after)), take)) return;
    }
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

  /// Whether the next block is wanted, too.
  bool walk_block(Fields messages, const std::function<bool(const HeaderMessage&)>& take) {
    const std::size_t header_bytes = version_ == 1 ? 8 : counts_messages_ ? 6 : 4;
    while (messages.left() >= header_bytes) {  // what is shorter is a gap
      const auto type = static_cast<MessageType>(messages.number(version_ == 1 ? 2 : 1));
      const std::uint64_t n_bytes = messages.number(2), flags = messages.number(1);
      messages.take(header_bytes - (version_ == 1 ? 5 : 4));
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
  int version_ = 1;
  bool counts_messages_ = false;
  std::size_t prefix_bytes_ = 0;
};

}  // namespace

void walk_header(const FileBytes& file, std::uint64_t address, const std::function<bool(const HeaderMessage&)>& take) {
  HeaderWalk(file, address).run(take);
}

}  // namespace xrai::hdf5
