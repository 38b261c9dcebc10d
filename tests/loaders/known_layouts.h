// The table of layouts: each writes the same pictures, with labels 0 1 0 1 ...
#pragma once

#include "tests/loaders/layout_files.h"

namespace xrai::testing {

inline std::filesystem::path with_type(const std::filesystem::path& folder, hid_t type, double low, double high) {
  const LayoutFile file(folder / "a.h5");
  file.numbers("/images", kNHW, pictures(low, high), type);
  file.labels("/labels");
  return folder / "a.h5";
}

inline std::filesystem::path pcam_pairs(const std::filesystem::path& folder) {
  for (const std::string split : {"train", "valid", "test"}) {
    const LayoutFile x(folder / ("camelyonpatch_level_2_split_" + split + "_x.h5"));
    const LayoutFile y(folder / ("camelyonpatch_level_2_split_" + split + "_y.h5"));
    x.numbers("/x", kNHWC, pictures(0, 255, "NHWC", 3));
    y.labels("/y", H5T_STD_U8LE, {kPictures, 1, 1, 1});
  }
  return folder / "camelyonpatch_level_2_split_train_x.h5";
}

inline std::filesystem::path one_hot_pairs(const std::filesystem::path& folder) {
  std::vector<double> one_hot;
  for (std::int64_t i = 0; i < 2 * kPictures; ++i) one_hot.push_back(static_cast<double>((i / 2 + i + 1) % 2));
  for (const std::string split : {"train", "test"}) {
    LayoutFile(folder / ("X_" + split + ".h5")).numbers("/X_" + split, kNHW, pictures());
    LayoutFile(folder / ("y_" + split + ".h5")).numbers("/y_" + split, {kPictures, 2}, one_hot, H5T_IEEE_F64LE);
  }
  return folder / "X_train.h5";
}

inline std::filesystem::path names_with_splits(const std::filesystem::path& folder) {
  const LayoutFile file(folder / "a.h5");
  for (const std::string split : {"train", "val", "test", "augmented_train"}) {
    file.numbers("/" + split + "_data", kNHW, pictures());
    file.labels("/" + split + "_label");
  }
  return folder / "a.h5";
}

inline std::filesystem::path groups_with_channels(const std::filesystem::path& folder) {
  const LayoutFile file(folder / "a.h5");
  for (const std::string split : {"train", "test"}) {
    file.numbers("/" + split + "/images", kNHWC, pictures(0, 255, "NHWC", 3), H5T_STD_U8LE, 4, {2, 5, 8, 3});
    file.labels("/" + split + "/label", H5T_STD_U8BE, {kPictures, 1});
  }
  return folder / "a.h5";
}

inline std::filesystem::path table_beside(const std::filesystem::path& folder) {
  LayoutFile(folder / "cxr.h5").numbers("/cxr", kNHW, pictures(), H5T_IEEE_F32LE);
  std::ofstream(folder / "unrelated.csv") << "epoch,loss\n1,0.5\n";
  std::ofstream table(folder / "findings.csv");
  table << "Path,\"Age, years\",Pneumonia\n";
  for (std::int64_t i = 0; i < kPictures; ++i) table << i << ".png,60," << i % 2 << "\r\n";
  return folder / "cxr.h5";
}

inline std::filesystem::path normalised_channels_first(const std::filesystem::path& folder) {
  const LayoutFile file(folder / "a.h5");
  file.numbers("/data", kNCHW, pictures(-1, 1, "NCHW", 3), H5T_IEEE_F32BE, 1, {4, 3, 10, 8});
  file.labels("/label", H5T_IEEE_F32LE, {kPictures, 1});
  return folder / "a.h5";
}

inline std::filesystem::path data_set_per_finding(const std::filesystem::path& folder) {
  const LayoutFile file(folder / "chest_xray.h5");
  file.numbers("/images", {kPictures, kHeight, kWidth, 1}, pictures());
  const hid_t boolean = H5Tcreate(H5T_ENUM, 1);  // as h5py writes bool
  std::int8_t value = 0;
  H5Tenum_insert(boolean, "FALSE", &value);
  H5Tenum_insert(boolean, "TRUE", &++value);
  for (const char* finding : {"/Mass", "/Pneumonia"}) {
    const hsize_t n = kPictures;
    const hid_t space = H5Screate_simple(1, &n, nullptr);
    const hid_t dataset = H5Dcreate2(file.id(), finding, boolean, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    std::vector<std::int8_t> labels;
    for (std::int64_t i = 0; i < kPictures; ++i) labels.push_back(static_cast<std::int8_t>(i % 2));
    H5Dwrite(dataset, boolean, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels.data());
    H5Dclose(dataset);
    H5Sclose(space);
  }
  H5Tclose(boolean);
  return folder / "chest_xray.h5";
}

inline std::filesystem::path list_of_classes(const std::filesystem::path& folder) {
  const LayoutFile file(folder / "train_signs.h5");
  file.numbers("/train_set_x", kNHWC, pictures(0, 255, "NHWC", 3));
  file.labels("/train_set_y");
  file.words("/list_classes", {"normal", "pneumonia"});
  return folder / "train_signs.h5";
}

inline std::filesystem::path labels_as_words(const std::filesystem::path& folder) {
  const LayoutFile file(folder / "a.h5");
  file.numbers("/XTrain", kNHW, pictures(0, 4080), H5T_STD_U16BE);
  file.words("/ytrain", {"NORMAL", "PNEUMONIA", "NORMAL", "PNEUMONIA", "NORMAL", "PNEUMONIA"});
  return folder / "a.h5";
}

inline std::filesystem::path wrapped_int8(const std::filesystem::path& folder) {
  std::vector<double> wrapped = pictures();
  for (double& value : wrapped) value -= value > 127 ? 256 : 0;
  const LayoutFile file(folder / "a.h5");
  file.numbers("/images", kNHW, wrapped, H5T_STD_I8LE);
  file.labels("/labels");
  return folder / "a.h5";
}

/// save -v7.3 of arrays (height, width, N) and (N, 1): HDF5 has the axes the other way round.
inline std::filesystem::path matlab_arrays(const std::filesystem::path& folder) {
  std::vector<double> turned;
  for (std::int64_t n = 0; n < kPictures; ++n) {
    for (std::int64_t i = 0; i < kPixels; ++i) turned.push_back(grey(n, i % kHeight * kWidth + i / kHeight));
  }
  const LayoutFile file(folder / "a.mat");
  file.numbers("/images", {kPictures, kWidth, kHeight}, turned);
  file.numbers("/labels", {1, kPictures}, {1, 2, 1, 2, 1, 2}, H5T_IEEE_F64LE);
  file.matlab_class("/images", "uint8");
  file.matlab_class("/labels", "double");
  return folder / "a.mat";
}

/// The same with three channels, (height, width, 3, N) of numbers from 0 to 1.
inline std::filesystem::path matlab_channels(const std::filesystem::path& folder) {
  std::vector<double> turned;
  for (std::int64_t i = 0; i < kPictures * 3 * kPixels; ++i) {
    const std::int64_t pixel = i % kPixels;
    turned.push_back(grey(i / (3 * kPixels), pixel % kHeight * kWidth + pixel / kHeight) / 255.0);
  }
  const LayoutFile file(folder / "a.mat");
  file.numbers("/XTrain", {kPictures, 3, kWidth, kHeight}, turned, H5T_IEEE_F64LE);
  file.labels("/YTrain", H5T_STD_U8LE, {1, kPictures});
  file.matlab_class("/XTrain", "double");
  return folder / "a.mat";
}

/// Two axes of pictures, whose labels are as many; in chunks of one batch, of parts of one, or of several.
inline std::filesystem::path batches(const std::filesystem::path& folder, const LayoutFile::Shape& shape,
                                     const LayoutFile::Shape& of_labels, const LayoutFile::Shape& chunk) {
  const LayoutFile file(folder / "a.h5");
  const bool colour = shape.size() == 5;
  file.numbers("/x", shape, pictures(0, 255, colour ? "NHWC" : "NHW", colour ? 3 : 1), H5T_STD_U8LE,
               chunk.empty() ? 0 : 3, chunk);
  file.labels("/y", H5T_STD_I64LE, of_labels);
  return folder / "a.h5";
}

inline std::filesystem::path two_numbers(const std::filesystem::path& folder, double negative, double positive) {
  const LayoutFile file(folder / "a.h5");
  file.numbers("/images", kNHW, pictures());
  file.numbers("/labels", {kPictures}, {negative, positive, negative, positive, negative, positive}, H5T_STD_I16LE);
  return folder / "a.h5";
}

inline std::filesystem::path short_names(const std::filesystem::path& folder) {
  const LayoutFile file(folder / "a.h5");
  for (const std::string split : {"tr", "te"}) {
    file.numbers("/x" + split, kNHW, pictures());
    file.labels("/y" + split);
  }
  return folder / "a.h5";
}

inline std::filesystem::path half_floats(const std::filesystem::path& folder) {
  const hid_t half = half_type();
  const auto path = with_type(folder, half, 0, 1);
  H5Tclose(half);
  return path;
}

inline std::vector<KnownLayout> known_layouts() {
  return {
      {"PcamPairs", "NHWC, grey stored as RGB; labels /y of camelyonpatch_level_2_split_train_y.h5", pcam_pairs},
      {"OneHotPairs", "/X_train (6, 10, 8) uint8; labels /y_train of y_train.h5, one-hot, 2 classes", one_hot_pairs},
      {"NamesWithSplits", "/train_data (6, 10, 8) uint8; labels /train_label, 2 classes (0, 1)", names_with_splits},
      {"GroupsWithChannels", "/train/images (6, 10, 8, 3) uint8, NHWC", groups_with_channels},
      {"TableBeside", "float32, 0 to 255; labels findings.csv, column Pneumonia", table_beside},
      {"ChannelsFirst", "big-endian float32, -1 to 1, NCHW, grey stored as RGB", normalised_channels_first},
      {"DataSetPerFinding", "labels /Pneumonia, 2 classes (no Pneumonia, Pneumonia)", data_set_per_finding},
      {"ListOfClasses", "labels /train_set_y, 2 classes (normal, pneumonia)", list_of_classes},
      {"LabelsAsWords", "big-endian uint16, 0 to 4095; labels /ytrain, 2 classes (NORMAL, PNEUMONIA)", labels_as_words},
      {"MatlabArrays", "/images (6, 8, 10) uint8, turned as MATLAB stores them; labels /labels, 2 classes (1, 2)",
       matlab_arrays},
      {"MatlabChannels", "float64, 0 to 1, NCHW, turned as MATLAB stores them, grey stored as RGB", matlab_channels},
      {"Batches", "/x (6, 10, 8) in batches of 3 uint8; labels /y, 2 classes (0, 1)",
       [](const auto& folder) {
         return batches(folder, {2, 3, 10, 8}, {6}, {});
       }},
      {"BatchesInParts", "(6, 10, 8) in batches of 6 uint8; labels /y, 2 classes (0, 1); read outside",
       [](const auto& folder) {
         return batches(folder, {1, 6, 10, 8}, {1, 6}, {1, 2, 10, 8});
       }},
      {"BatchesWithChannels", "(6, 10, 8, 3) in batches of 2 uint8, NHWC, grey stored as RGB; labels /y, 2 classes",
       [](const auto& folder) {
         return batches(folder, {3, 2, 10, 8, 3}, {3, 2}, {2, 2, 10, 8, 3});
       }},
      {"BatchesCutAcross", "through the HDF5 library, because its chunks hold parts of several batches",
       [](const auto& folder) {
         return batches(folder, {2, 3, 10, 8}, {6}, {2, 2, 10, 8});
       }},
      {"MinusOneAndOne", "labels /labels, 2 classes (-1, 1)",
       [](const auto& folder) { return two_numbers(folder, -1, 1); }},
      {"BlackAndWhiteLabels", "labels /labels, 2 classes (0, 255)",
       [](const auto& folder) { return two_numbers(folder, 0, 255); }},
      {"ShortNames", "train: /xtr (6, 10, 8) uint8; labels /ytr, 2 classes (0, 1)", short_names},
      {"WrappedInt8", "int8 read as uint8", wrapped_int8},
      {"HalfFloats", "float16, 0 to 1", half_floats},
      {"Float32", "float32, 0 to 1", [](const auto& folder) { return with_type(folder, H5T_IEEE_F32LE, 0, 1); }},
      {"Float64", "float64, -1024 to 1024",
       [](const auto& folder) { return with_type(folder, H5T_IEEE_F64LE, -1024, 1024); }},
      {"Standardised", "float32, standardised, -2.25 to 3",
       [](const auto& folder) { return with_type(folder, H5T_IEEE_F32LE, -2.25, 3); }},
      {"Int32", "int32, 0 to 255", [](const auto& folder) { return with_type(folder, H5T_STD_I32LE, 0, 255); }},
      {"Uint16", "uint16, 0 to 65535", [](const auto& folder) { return with_type(folder, H5T_STD_U16LE, 0, 65535); }},
  };
}

}  // namespace xrai::testing
