#include "runtime/hdf5/dense_storage.h"

#include "runtime/hdf5/btree2.h"
#include "runtime/hdf5/fractal_heap.h"

namespace xrai::hdf5 {
namespace {

/// How links and attributes differ: the types of their trees' records, and what these hold (III.A.2).
struct Kind {
  std::uint64_t name_type, order_type;                  // of the trees
  std::uint64_t largest_order_bytes;                    // in the message
  std::size_t before_name_id, before_order_id;          // bytes of a record before the heap's identifier,
  std::size_t id_bytes;                                 // of that,
  std::uint64_t name_record_bytes, order_record_bytes;  // and of all of it
  bool has_flags;                                       // of messages, behind the identifier
};
constexpr Kind kLinks{5, 6, 8, 4, 8, 7, 11, 15, false};
constexpr Kind kAttributes{8, 9, 2, 0, 0, 8, 17, 13, true};

class DenseStorage {
 public:
  DenseStorage(const FileBytes& file, const Kind& kind, const CheckMessage& check)
      : file_(file), kind_(kind), check_(check) {}

  void check(Fields message) {
    require(message.number(1) == 0);
    constexpr std::uint64_t kKeepsOrder = 1, kFindsByOrder = 2;
    const std::uint64_t flags = message.number(1);
    if ((flags & kKeepsOrder) != 0) message.take(kind_.largest_order_bytes);
    const std::uint64_t heap = message.address(), by_name = message.address();
    const std::uint64_t by_order = (flags & kFindsByOrder) != 0 ? message.address() : kNowhere;
    if (heap == kNowhere) return;  // they are few, and in the header
    FractalHeap objects(file_, heap, kind_.id_bytes);
    std::vector<std::uint64_t> named = ids(by_name, kind_.name_type, kind_.before_name_id, kind_.name_record_bytes);
    std::uint64_t n_bytes = 0;
    for (const std::uint64_t id : named) {
      const auto object = objects.object(id);
      n_bytes += object.size();
      require(n_bytes <= file_.size());  // each was written once
      check_(Fields(object));
    }
    if (by_order == kNowhere) return;
    // The library makes room for as many as the one tree has, and fills in those of the other.
    std::vector<std::uint64_t> ordered =
        ids(by_order, kind_.order_type, kind_.before_order_id, kind_.order_record_bytes);
    std::sort(named.begin(), named.end());
    std::sort(ordered.begin(), ordered.end());
    require(named == ordered);
  }

 private:
  std::vector<std::uint64_t> ids(std::uint64_t address, std::uint64_t type, std::size_t before,
                                 std::uint64_t record_bytes) const {
    const Tree2 tree(file_, address, type);
    require(tree.record_bytes() == record_bytes);
    std::vector<std::uint64_t> ids;
    ids.reserve(tree.n_records());
    tree.walk([&](Fields record) {
      record.take(before);
      ids.push_back(record.number(kind_.id_bytes));
      constexpr std::uint64_t kShared = 2;
      if (kind_.has_flags && (record.number(1) & kShared) != 0) {
        throw NotUnderstood{"an attribute is in the file's table of shared messages"};
      }
    });
    return ids;
  }

  const FileBytes& file_;
  const Kind& kind_;
  const CheckMessage& check_;
};

}  // namespace

void check_link_info(const FileBytes& file, Fields message, const CheckMessage& check) {
  DenseStorage(file, kLinks, check).check(message);
}

void check_attribute_info(const FileBytes& file, Fields message, const CheckMessage& check) {
  DenseStorage(file, kAttributes, check).check(message);
}

}  // namespace xrai::hdf5
