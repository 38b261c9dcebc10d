// Around the HDF5 library and through it, rows are the same bytes: for every layout, list of filters and shape of
// chunks that RapidCheck thinks of. What fails is shrunk by it to the least file that does.
#include <gtest/gtest.h>
#include <lzf.h>
#include <rapidcheck/gtest.h>

#include <functional>

#include "tests/loaders/row_files.h"
#include "tests/loaders/row_reading.h"
#include "tests/support/temporary_folder.h"

namespace xrai {
namespace row_property_test {

using testing::few_threads;
using testing::kValues;
using testing::RowFile;

enum class Form { kContiguous, kChunked, kGrowing, kUnlimited, kCompact };

struct Filters {
  std::vector<H5Z_filter_t> ids;
  bool lzf;
};

/// As h5py can order them.
const std::vector<Filters>& all_filters() {
  static const std::vector<Filters> all = [] {
    std::vector<Filters> filters;
    for (const bool shuffle : {false, true}) {
      for (const bool deflate : {false, true}) {
        for (const bool sum : {false, true}) {
          filters.push_back({{}, false});
          if (shuffle) filters.back().ids.push_back(H5Z_FILTER_SHUFFLE);
          if (deflate) filters.back().ids.push_back(H5Z_FILTER_DEFLATE);
          if (sum) filters.back().ids.push_back(H5Z_FILTER_FLETCHER32);
        }
      }
    }
    filters.push_back({{}, true});
    for (const H5Z_filter_t packing : {H5Z_FILTER_NBIT, H5Z_FILTER_SCALEOFFSET}) {
      filters.push_back({{packing}, false});
      filters.push_back({{packing, H5Z_FILTER_DEFLATE}, false});
      filters.push_back({{packing, H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32}, false});
    }
    return filters;
  }();
  return all;
}

/// Chunks as they are stored without filters, compressed here: the library has no LZF to write with.
void rewrite_with_lzf(const std::filesystem::path& path, const RowFile& wanted) {
  constexpr H5Z_filter_t kLzf = 32000;
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t plain = H5Dopen2(file, "values", H5P_DEFAULT), space = H5Dget_space(plain);
  const hid_t properties = H5Dget_create_plist(plain);
  unsigned chunk_bytes = static_cast<unsigned>(H5Tget_size(wanted.type));
  for (const hsize_t axis : wanted.chunk) chunk_bytes *= static_cast<unsigned>(axis);
  const unsigned values[] = {4, 0x0105, chunk_bytes};
  testing::require(H5Pset_filter(properties, kLzf, H5Z_FLAG_OPTIONAL, 3, values) >= 0);
  const hid_t packed = H5Dcreate2(file, "packed", wanted.type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  hsize_t n_chunks = 0;
  if (H5Dget_storage_size(plain) > 0) testing::require(H5Dget_num_chunks(plain, space, &n_chunks) >= 0);
  std::vector<unsigned char> chunk(chunk_bytes), stored(chunk_bytes);
  for (hsize_t i = 0; i < n_chunks; ++i) {
    std::vector<hsize_t> place(wanted.shape.size());
    unsigned none = 0;
    testing::require(H5Dget_chunk_info(plain, space, i, place.data(), nullptr, nullptr, nullptr) >= 0);
    testing::require(H5Dread_chunk(plain, H5P_DEFAULT, place.data(), &none, chunk.data()) >= 0);
    const unsigned n = chunk_bytes < 2 ? 0 : lzf_compress(chunk.data(), chunk_bytes, stored.data(), chunk_bytes - 1);
    const auto& bytes = n == 0 ? chunk : stored;  // what does not shrink is stored as it is
    testing::require(
        H5Dwrite_chunk(packed, H5P_DEFAULT, n == 0 ? 1 : 0, place.data(), n == 0 ? chunk_bytes : n, bytes.data()) >= 0);
  }
  for (const hid_t dataset : {plain, packed}) H5Dclose(dataset);
  H5Pclose(properties);
  H5Sclose(space);
  testing::require(H5Ldelete(file, "values", H5P_DEFAULT) >= 0);
  testing::require(H5Lmove(file, "packed", file, "values", H5P_DEFAULT, H5P_DEFAULT) >= 0);
  testing::require(H5Fclose(file) >= 0);
}

/// Numbers that leave bits of theirs out, which nbit does not store.
const std::vector<hid_t>& sparse_types() {
  static const std::vector<hid_t> all = [] {
    std::vector<hid_t> types;
    for (const hid_t whole : {H5T_STD_U16LE, H5T_STD_I32BE, H5T_STD_I64LE}) {
      types.push_back(H5Tcopy(whole));
      testing::require(H5Tset_precision(types.back(), 12) >= 0 && H5Tset_offset(types.back(), 3) >= 0);
    }
    types.push_back(H5Tcopy(H5T_IEEE_F32BE));
    testing::require(H5Tset_fields(types.back(), 26, 20, 6, 7, 13) >= 0 && H5Tset_offset(types.back(), 7) >= 0 &&
                     H5Tset_precision(types.back(), 20) >= 0 && H5Tset_size(types.back(), 4) >= 0 &&
                     H5Tset_ebias(types.back(), 31) >= 0);
    return types;
  }();
  return all;
}

hid_t any_type(const Filters& filters) {
  const bool packs = !filters.ids.empty() && filters.ids[0] >= H5Z_FILTER_NBIT;
  if (packs && *rc::gen::arbitrary<bool>().as("sparse")) {
    std::vector<hid_t> types = sparse_types();
    if (filters.ids[0] == H5Z_FILTER_SCALEOFFSET) types.pop_back();  // the library takes whole floats only
    return *rc::gen::elementOf(types);
  }
  if (packs) {
    return *rc::gen::element(H5T_STD_U8BE, H5T_STD_I8LE, H5T_STD_U16LE, H5T_STD_I16BE, H5T_STD_I32LE, H5T_STD_U64BE,
                             H5T_STD_I64LE, H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE);
  }
  return *rc::gen::element(H5T_STD_U8LE, H5T_STD_I16BE, H5T_IEEE_F32LE, H5T_IEEE_F64BE);
}

/// Lengths and chunks that RapidCheck can make smaller one by one.
RowFile any_file(Form form, const Filters& filters) {
  using rc::gen::inRange;
  RowFile file;
  file.type = any_type(filters);
  const auto rank = *inRange<std::size_t>(1, 5).as("axes");
  for (std::size_t axis = 0; axis < rank; ++axis) {
    file.shape.push_back(*(axis == 0 ? inRange<hsize_t>(1, 50) : inRange<hsize_t>(1, 8)).as("length"));
  }
  file.newest_format = *rc::gen::arbitrary<bool>().as("newest format");
  file.user_block = *rc::gen::element<hsize_t>(0, 512);
  file.fill = *rc::gen::element<std::uint8_t>(0, 7);
  file.stream = *inRange<std::uint64_t>(1, 1000).as("values");
  const bool is_float = H5Tget_class(file.type) == H5T_FLOAT;
  file.scale = *(is_float ? inRange(0, 9) : inRange(0, static_cast<int>(8 * H5Tget_size(file.type)) + 1)).as("scale");
  file.compact = form == Form::kCompact;
  const bool all = *rc::gen::arbitrary<bool>().as("all rows written");
  for (hsize_t row = 0; row < file.shape[0]; ++row) {
    if (all || (row * 2654435761U >> 7 & 1) != 0) file.written.push_back(row);
  }
  if (form == Form::kContiguous || form == Form::kCompact) return file;
  for (const hsize_t length : file.shape) {
    file.largest.push_back(form == Form::kUnlimited ? testing::kAnyLength : length + (form == Form::kGrowing ? 9 : 0));
    file.chunk.push_back(*inRange<hsize_t>(1, form == Form::kChunked ? length + 1 : length + 3).as("chunk"));
  }
  file.filters = filters.ids;
  file.allocate_early = filters.ids.empty() && !filters.lzf && *rc::gen::arbitrary<bool>().as("allocated early");
  return file;
}

void check(Form form, const Filters& filters) {
  const testing::TemporaryFolder folder;
  const auto path = folder / "rows.h5";
  const RowFile wanted = any_file(form, filters);
  RC_LOG() << wanted.text() << (filters.lzf ? " lzf" : "") << '\n';
  testing::make_row_file(path, wanted);
  if (filters.lzf) rewrite_with_lzf(path, wanted);
  const hdf5::File file = hdf5::File::open(path);
  const auto direct = open_rows(file, kValues, few_threads()), library = open_rows(file, kValues, few_threads(true));
  RC_ASSERT(direct->how().starts_with("outside") == (form != Form::kCompact));
  RC_ASSERT(direct->n_rows() == library->n_rows());
  RC_ASSERT(direct->row_bytes() == library->row_bytes());
  const auto rows = testing::rows_to_read(library->n_rows(), wanted.stream);
  RC_ASSERT(testing::read(*direct, rows) == testing::read(*library, rows));
}

/// Orders of filters that only the library's own interface writes.
Filters any_order() {
  Filters filters{{}, false};
  const auto some = [](const char* what) { return *rc::gen::arbitrary<bool>().as(what); };
  if (some("shuffle")) filters.ids.push_back(H5Z_FILTER_SHUFFLE);
  if (some("deflate")) filters.ids.push_back(H5Z_FILTER_DEFLATE);
  const auto n_sums = *rc::gen::inRange<std::size_t>(0, 4).as("checksums");
  for (std::size_t i = 0; i < n_sums; ++i) {
    const auto place = *rc::gen::inRange<std::size_t>(0, filters.ids.size() + 1).as("place of a checksum");
    filters.ids.insert(filters.ids.begin() + static_cast<std::ptrdiff_t>(place), H5Z_FILTER_FLETCHER32);
  }
  if (filters.ids.size() > 1 && some("the other way round")) std::reverse(filters.ids.begin(), filters.ids.end());
  // It packs numbers, so it comes before what makes bytes of them.
  if (some("packed")) {
    filters.ids.insert(filters.ids.begin(), some("by bits") ? H5Z_FILTER_NBIT : H5Z_FILTER_SCALEOFFSET);
  }
  return filters;
}

void expect_to_hold(int n_times, const std::function<void()>& claim) {
  rc::detail::TestParams params;
  params.maxSuccess = n_times;
  params.seed = 1;  // the gate does not fail by chance; RC_PARAMS is for those who look for more
  const auto result = rc::detail::checkTestable(claim, rc::detail::TestMetadata{}, params);
  std::ostringstream text;
  rc::detail::printResultMessage(result, text);
  EXPECT_TRUE(result.is<rc::detail::SuccessResult>()) << text.str();
}

class RowProperty : public ::testing::TestWithParam<Form> {};

TEST_P(RowProperty, HoldsForEveryListOfFilters) {
  const bool is_chunked = GetParam() != Form::kContiguous && GetParam() != Form::kCompact;
  for (const Filters& filters : all_filters()) {
    if (!is_chunked && (!filters.ids.empty() || filters.lzf)) continue;
    expect_to_hold(12, [&] { check(GetParam(), filters); });
  }
}

TEST(RowFilters, HoldInEveryOrder) {
  expect_to_hold(150, [] { check(Form::kChunked, any_order()); });
}

// It leaves the bytes where the filter behind it wrote them, which is then no room for the filter before it.
TEST(RowFilters, HoldWithAChecksumBetweenTwoThatWrite) {
  const Filters filters{{H5Z_FILTER_FLETCHER32, H5Z_FILTER_SHUFFLE, H5Z_FILTER_FLETCHER32, H5Z_FILTER_DEFLATE}, false};
  expect_to_hold(30, [&] { check(Form::kChunked, filters); });
}

INSTANTIATE_TEST_SUITE_P(Form, RowProperty,
                         ::testing::Values(Form::kContiguous, Form::kChunked, Form::kGrowing, Form::kUnlimited,
                                           Form::kCompact));

}  // namespace row_property_test
}  // namespace xrai
