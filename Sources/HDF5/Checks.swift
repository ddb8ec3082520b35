// What a file states about its contents is checked before memory is allocated for it.
import CHDF5

/// A new dataspace of a shape; [] is a scalar.
func dataspace(_ shape: [Int], _ attempt: Attempt) throws -> Handle {
  try Handle(attempt, "H5Screate_simple") {
    shape.isEmpty ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(shape.count), shape.map { hsize_t($0) }, nil)
  }
}

/// The shape and number of elements of a dataspace; throws if there are more than `maximumCount`.
func shape(
  of space: borrowing Handle, maximumCount: Int, _ attempt: Attempt
) throws -> (shape: [Int], count: Int) {
  let id = space.id
  guard H5Sget_simple_extent_type(id) != H5S_NULL else {
    throw attempt.error("it has a null dataspace, wanted are values")
  }
  let rank = try attempt.check("H5Sget_simple_extent_ndims") { H5Sget_simple_extent_ndims(id) }
  var extents = [hsize_t](repeating: 0, count: Int(rank))
  try attempt.check("H5Sget_simple_extent_dims") { H5Sget_simple_extent_dims(id, &extents, nil) }
  let shape = try extents.map { extent in
    guard let extent = Int(exactly: extent) else { throw attempt.error("its shape \(extents) is beyond all memory") }
    return extent
  }
  guard let count = product(shape), count <= maximumCount else {
    throw attempt.error("its shape \(shape) has more than the \(maximumCount) elements wanted")
  }
  return (shape, count)
}

/// The number of elements of a shape; nil beyond `Int`.
func product(_ shape: [Int]) -> Int? {
  if shape.contains(0) { return 0 }
  return shape.reduce(1) { count, extent in
    guard let (product, overflow) = count?.multipliedReportingOverflow(by: extent), !overflow else { return nil }
    return product
  }
}

/// The bytes of an element of a file's datatype; throws if it is not that of `T`.
func elementBytes<T: Element>(of type: borrowing Handle, as _: T.Type, _ attempt: Attempt) throws -> Int {
  let id = type.id
  let bytes = H5Tget_size(id)
  if T.storage.accepts(id) && bytes > 0 { return bytes }
  let kind: String
  switch H5Tget_class(id) {
  case H5T_INTEGER: kind = "integer"
  case H5T_FLOAT: kind = "floating-point"
  case H5T_STRING: kind = H5Tis_variable_str(id) > 0 ? "variable-length string" : "string"
  default: kind = "other"
  }
  throw attempt.error("its type is another (\(kind), \(bytes) bytes), wanted is \(T.storage.name)")
}
