// Our names of number types and the library's: in memory, in a file, and back.
#include "runtime/hdf5/library.h"

namespace xrai::hdf5 {

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
    case Type::kString:
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
    case Type::kString:
    case Type::kOther:
      break;
  }
  return H5I_INVALID_HID;
}

Type classify(hid_t type) {
  const H5T_class_t kind = H5Tget_class(type);
  if (kind == H5T_STRING) return Type::kString;
  if (kind == H5T_ENUM) {
    const Handle integers(H5Tget_super(type), H5Tclose);
    return integers.get() < 0 ? Type::kOther : classify(integers.get());
  }
  const std::size_t bytes = H5Tget_size(type);
  if (kind == H5T_FLOAT) return bytes == 4 ? Type::kFloat32 : bytes == 8 ? Type::kFloat64 : Type::kOther;
  if (kind != H5T_INTEGER) return Type::kOther;
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

Handle string_type(const Task& task) {
  Handle type = own(H5Tcopy(H5T_C_S1), H5Tclose, task);
  check(H5Tset_size(type.get(), H5T_VARIABLE), task);
  check(H5Tset_cset(type.get(), H5T_CSET_UTF8), task);
  return type;
}

}  // namespace xrai::hdf5
