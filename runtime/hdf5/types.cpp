// Our names of number types and the library's: in memory, in a file, and back.
#include <array>

#include "runtime/hdf5/library.h"

namespace xrai::hdf5 {
namespace {

/// Whether the bits of a number stand in its bytes as every processor has them; HDF5 can describe others.
bool is_ordinary(hid_t type, H5T_class_t kind) {
  const std::size_t bits = 8 * H5Tget_size(type);
  const H5T_order_t order = H5Tget_order(type);
  if (H5Tget_precision(type) != bits || H5Tget_offset(type) != 0) return false;
  if (order != H5T_ORDER_LE && order != H5T_ORDER_BE) return false;
  if (kind != H5T_FLOAT) return true;
  std::size_t sign = 0, exponent = 0, exponent_bits = 0, mantissa = 0, mantissa_bits = 0;
  if (H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) < 0) return false;
  const std::size_t expected = bits == 16 ? 5 : bits == 32 ? 8 : 11;  // IEEE 754 binary16, 32, 64
  return sign == bits - 1 && exponent_bits == expected && mantissa == 0 && mantissa_bits == exponent;
}

}  // namespace

std::string_view type_name(Type type) {
  constexpr std::array<std::string_view, 15> kNames{"int8",    "uint8",   "int16",  "uint16",       "int32",
                                                    "uint32",  "int64",   "uint64", "float16",      "float32",
                                                    "float64", "strings", "bytes",  "opaque bytes", "other"};
  return kNames.at(static_cast<std::size_t>(type));
}

std::size_t element_bytes(Type type) {
  constexpr std::array<std::size_t, 15> kBytes{1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8, 0, 0, 0, 0};
  return kBytes.at(static_cast<std::size_t>(type));
}

hid_t memory_type(Type type) {
  switch (type) {
    case Type::kInt8:
      return H5T_NATIVE_INT8;
    case Type::kUint8:
      return H5T_NATIVE_UINT8;
    case Type::kInt16:
      return H5T_NATIVE_INT16;
    case Type::kUint16:
      return H5T_NATIVE_UINT16;
    case Type::kInt32:
      return H5T_NATIVE_INT32;
    case Type::kUint32:
      return H5T_NATIVE_UINT32;
    case Type::kInt64:
      return H5T_NATIVE_INT64;
    case Type::kUint64:
      return H5T_NATIVE_UINT64;
    case Type::kFloat32:
      return H5T_NATIVE_FLOAT;
    case Type::kFloat64:
      return H5T_NATIVE_DOUBLE;
    case Type::kFloat16:  // the library has none
    case Type::kString:
    case Type::kBytes:
    case Type::kOpaque:
    case Type::kOther:
      break;
  }
  return H5I_INVALID_HID;
}

hid_t stored_type(Type type) {
  switch (type) {
    case Type::kInt8:
      return H5T_STD_I8LE;
    case Type::kUint8:
      return H5T_STD_U8LE;
    case Type::kInt16:
      return H5T_STD_I16LE;
    case Type::kUint16:
      return H5T_STD_U16LE;
    case Type::kInt32:
      return H5T_STD_I32LE;
    case Type::kUint32:
      return H5T_STD_U32LE;
    case Type::kInt64:
      return H5T_STD_I64LE;
    case Type::kUint64:
      return H5T_STD_U64LE;
    case Type::kFloat32:
      return H5T_IEEE_F32LE;
    case Type::kFloat64:
      return H5T_IEEE_F64LE;
    case Type::kFloat16:  // the library has none
    case Type::kString:
    case Type::kBytes:
    case Type::kOpaque:
    case Type::kOther:
      break;
  }
  return H5I_INVALID_HID;
}

Type classify(hid_t type) {
  const H5T_class_t kind = H5Tget_class(type);
  if (kind == H5T_STRING) return Type::kString;
  if (kind == H5T_OPAQUE) return Type::kOpaque;
  if (kind == H5T_VLEN) {
    const Handle element(H5Tget_super(type), H5Tclose);
    const bool is_byte =
        element.get() >= 0 && H5Tget_class(element.get()) == H5T_INTEGER && H5Tget_size(element.get()) == 1;
    return is_byte ? Type::kBytes : Type::kOther;
  }
  if (kind == H5T_ENUM) {
    const Handle integers(H5Tget_super(type), H5Tclose);
    return integers.get() < 0 ? Type::kOther : classify(integers.get());
  }
  if (kind == H5T_BITFIELD && H5Tget_size(type) == 1 && is_ordinary(type, kind)) return Type::kUint8;
  if ((kind != H5T_FLOAT && kind != H5T_INTEGER) || !is_ordinary(type, kind)) return Type::kOther;
  const std::size_t bytes = H5Tget_size(type);
  if (kind == H5T_FLOAT) {
    return bytes == 2 ? Type::kFloat16 : bytes == 4 ? Type::kFloat32 : bytes == 8 ? Type::kFloat64 : Type::kOther;
  }
  const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
  switch (bytes) {
    case 1:
      return is_signed ? Type::kInt8 : Type::kUint8;
    case 2:
      return is_signed ? Type::kInt16 : Type::kUint16;
    case 4:
      return is_signed ? Type::kInt32 : Type::kUint32;
    case 8:
      return is_signed ? Type::kInt64 : Type::kUint64;
    default:
      return Type::kOther;
  }
}

bool is_big_endian(hid_t type) {
  const H5T_class_t kind = H5Tget_class(type);
  return (kind == H5T_INTEGER || kind == H5T_FLOAT || kind == H5T_ENUM) && H5Tget_order(type) == H5T_ORDER_BE;
}

bool holds_references(hid_t type) {
  return H5Tdetect_class(type, H5T_VLEN) > 0 || H5Tdetect_class(type, H5T_REFERENCE) > 0 ||
         H5Tis_variable_str(type) > 0;
}

Handle string_type(const Task& task) {
  Handle type = own(H5Tcopy(H5T_C_S1), H5Tclose, task);
  check(H5Tset_size(type.get(), H5T_VARIABLE), task);
  check(H5Tset_cset(type.get(), H5T_CSET_UTF8), task);
  return type;
}

}  // namespace xrai::hdf5
