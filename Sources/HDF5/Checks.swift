// What a file says of itself is checked before memory is given for it.
import CHDF5
import Glibc

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
private func product(_ shape: [Int]) -> Int? {
  if shape.contains(0) { return 0 }
  return shape.reduce(1) { count, extent in
    guard let (product, overflow) = count?.multipliedReportingOverflow(by: extent), !overflow else { return nil }
    return product
  }
}

/// Throws unless the file's datatype is exactly that of `T`.
func require<T: Element>(_: T.Type, _ found: borrowing Handle, _ attempt: Attempt) throws {
  let id = found.id
  let wanted = try Handle(attempt, "H5Tcopy", T.storage.datatype)
  guard try attempt.check("H5Tequal", { H5Tequal(wanted.id, id) }) == 0 else { return }
  let kind: String
  switch H5Tget_class(id) {
  case H5T_INTEGER: kind = "integer"
  case H5T_FLOAT: kind = "floating-point"
  case H5T_STRING: kind = "string"
  default: kind = "other"
  }
  throw attempt.error("its type is another (\(kind), \(H5Tget_size(id)) bytes), wanted is \(T.storage.name)")
}

/// The bytes that the strings of one read may take: those of the file, since every string lies in it once. A hostile
/// file could have all elements point to one long string.
final class Allowance {
  private var bytes: Int

  init(bytes: Int) { self.bytes = bytes }

  /// Has the library ask here for the memory of strings; the allowance must outlive the reads.
  func bound(_ transfer: borrowing Handle, _ attempt: Attempt) throws {
    let id = transfer.id
    let myself = Unmanaged.passUnretained(self).toOpaque()
    try attempt.check("H5Pset_vlen_mem_manager") {
      H5Pset_vlen_mem_manager(
        id,
        { size, allowance in
          guard let allowance else { return nil }
          return Unmanaged<Allowance>.fromOpaque(allowance).takeUnretainedValue().allocate(size)
        }, myself, { memory, _ in free(memory) }, nil)
    }
  }

  private func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
    guard size <= bytes else { return nil }
    bytes -= size
    return malloc(size)
  }
}
