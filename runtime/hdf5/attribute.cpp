// Attributes: one number, one string or a list of strings, whatever width and endianness the file holds.
#include <algorithm>

#include "runtime/hdf5/state.h"
#include "runtime/hdf5/strings.h"

namespace xrai::hdf5 {
namespace {

constexpr std::uint64_t kLargestAttribute = std::uint64_t{1} << 24;  // bytes; ours are far smaller

std::uint64_t checked_count(hid_t attribute, hid_t type, hid_t space, const Task& task) {
  const auto n = static_cast<std::uint64_t>(check(H5Sget_simple_extent_npoints(space), task));
  const std::uint64_t element_bytes = std::max<std::uint64_t>(H5Tget_size(type), 1);
  if (n > kLargestAttribute / element_bytes || H5Aget_storage_size(attribute) > kLargestAttribute) {
    fail(task, fmt::format("an attribute of {} values cannot be true", n), kCopyAgain);
  }
  return n;
}

template <class T>
T read_number(hid_t attribute, hid_t stored, const Task& task) {
  T value{};
  if (H5Tget_class(stored) != H5T_ENUM) {
    check(H5Aread(attribute, memory_type(type_of<T>()), &value), task);
    return value;
  }
  const Handle enumeration = own(H5Tget_native_type(stored, H5T_DIR_ASCEND), H5Tclose, task);
  const Handle integer = own(H5Tget_super(enumeration.get()), H5Tclose, task);
  std::vector<std::uint8_t> raw(std::max(H5Tget_size(enumeration.get()), sizeof(T)));
  check(H5Aread(attribute, enumeration.get(), raw.data()), task);
  check(H5Tconvert(integer.get(), memory_type(type_of<T>()), 1, raw.data(), nullptr, H5P_DEFAULT), task);
  std::copy_n(raw.data(), sizeof(T), reinterpret_cast<std::uint8_t*>(&value));
  return value;
}

struct Stored {
  Handle type, space;
  const void* values;
  std::vector<const char*> pointers;
};

Stored prepare(const Attribute& value, const Task& task) {
  Stored stored;
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  const auto* numbers = std::get_if<std::vector<double>>(&value);
  const bool is_scalar = list == nullptr && numbers == nullptr;
  const hsize_t n = list != nullptr ? list->size() : numbers != nullptr ? numbers->size() : 1;
  stored.space =
      is_scalar ? own(H5Screate(H5S_SCALAR), H5Sclose, task) : own(H5Screate_simple(1, &n, nullptr), H5Sclose, task);
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    stored.type = own(H5Tcopy(H5T_STD_I64LE), H5Tclose, task);
    stored.values = integer;
  } else if (const auto* real = std::get_if<double>(&value)) {
    stored.type = own(H5Tcopy(H5T_IEEE_F64LE), H5Tclose, task);
    stored.values = real;
  } else if (numbers != nullptr) {
    stored.type = own(H5Tcopy(H5T_IEEE_F64LE), H5Tclose, task);
    stored.values = numbers->data();
  } else {
    stored.type = string_type(task);
    if (const auto* text = std::get_if<std::string>(&value)) stored.pointers.push_back(text->c_str());
    if (list != nullptr) {
      for (const std::string& text : *list) stored.pointers.push_back(text.c_str());
    }
    stored.values = stored.pointers.data();
  }
  return stored;
}

}  // namespace

void File::set_attribute(std::string_view object, const std::string& name, const Attribute& value) {
  const LibraryLock lock;
  const std::string label = fmt::format("attribute '{}' of {}", name, object);
  const Task task = state().writing(label);
  const Handle owner = state().open_object(object, task);
  const Stored stored = prepare(value, task);
  if (check(H5Aexists(owner.get(), name.c_str()), task) > 0) check(H5Adelete(owner.get(), name.c_str()), task);
  const Handle attribute =
      own(H5Acreate2(owner.get(), name.c_str(), stored.type.get(), stored.space.get(), H5P_DEFAULT, H5P_DEFAULT),
          H5Aclose, task);
  const bool is_number = stored.pointers.empty();
  if (is_number && std::holds_alternative<std::vector<std::string>>(value)) return;  // an empty list
  const hid_t memory = std::holds_alternative<std::int64_t>(value) ? H5T_NATIVE_INT64
                       : is_number                                 ? H5T_NATIVE_DOUBLE
                                                                   : stored.type.get();
  check(H5Awrite(attribute.get(), memory, stored.values), task);
}

std::optional<Attribute> File::attribute(std::string_view object, const std::string& name) const {
  const LibraryLock lock;
  const std::string label = fmt::format("attribute '{}' of {}", name, object);
  const Task task = state().reading(label);
  if (!state().has(object)) fail(task, "there is no such object in the file");
  const Handle owner = state().open_object(object, task);
  if (check(H5Aexists(owner.get(), name.c_str()), task) == 0) return std::nullopt;
  const Handle attribute = own(H5Aopen(owner.get(), name.c_str(), H5P_DEFAULT), H5Aclose, task);
  const Handle type = own(H5Aget_type(attribute.get()), H5Tclose, task);
  const Handle space = own(H5Aget_space(attribute.get()), H5Sclose, task);
  const std::uint64_t n = checked_count(attribute.get(), type.get(), space.get(), task);
  const Type kind = classify(type.get());
  if (kind == Type::kString) {
    auto strings = read_all_strings(attribute.get(), type.get(), n, task, [&](hid_t memory, void* out) {
      check(H5Aread(attribute.get(), memory, out), task);
    });
    if (H5Sget_simple_extent_type(space.get()) == H5S_SCALAR && strings.size() == 1) return strings[0];
    return strings;
  }
  const H5T_class_t number_class = H5Tget_class(type.get());
  if (n == 1 && number_class == H5T_FLOAT) return read_number<double>(attribute.get(), type.get(), task);
  if (element_bytes(kind) == 0) return std::nullopt;
  if (n != 1) {
    std::vector<double> numbers(n);
    if (n > 0) check(H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, numbers.data()), task);
    return numbers;
  }
  return read_number<std::int64_t>(attribute.get(), type.get(), task);
}

}  // namespace xrai::hdf5
