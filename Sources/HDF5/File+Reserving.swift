// Arrays too large for memory: their places in a file are reserved, and their bytes written and read there directly.
import CHDF5

/// An array of bytes or of whole numbers whose values are written later.
package struct ReservedDataset: Sendable {
  package enum Kind: Sendable {
    case uint8, int64

    fileprivate var type: hid_t { self == .uint8 ? CHDF5_STD_U8LE() : CHDF5_STD_I64LE() }
  }
  package let path: String
  package let kind: Kind
  package let shape: [Int]
  package init(_ path: String, _ kind: Kind, shape: [Int]) { (self.path, self.kind, self.shape) = (path, kind, shape) }

  /// Bytes of all values.
  package var byteCount: Int { shape.reduce(kind == .uint8 ? 1 : 8, *) }
}

extension File {
  /// Makes or empties a file with datasets whose values are not written; returns where the bytes of each begin in the
  /// file. The caller writes them there (little-endian, row-major) once this has returned.
  ///
  /// The library itself writes a few kilobytes. The caller must have made sure that the disk has room for all: after a
  /// failed write the library cannot close its file.
  /// - Throws: `HDF5Error`.
  package static func reserve(
    _ path: String, _ datasets: [ReservedDataset], attributes: (borrowing File) throws -> Void
  ) throws -> [Int] {
    let attempt = Attempt(attempt: "create", file: path)
    _ = hasNoExit
    let creation = try Handle.properties(attempt, creating: CHDF5_FILE_CREATE())
    let access = try Handle(attempt, "H5Pcreate") { H5Pcreate(CHDF5_FILE_ACCESS()) }
    // The caller holds the file's lock.
    try attempt.check("H5Pset_file_locking") { H5Pset_file_locking(access.id, false, true) }
    // As in `create`: checksums in all that describes data, and a superblock that marks nothing as being written.
    try attempt.check("H5Pset_libver_bounds") { H5Pset_libver_bounds(access.id, H5F_LIBVER_V18, H5F_LIBVER_V110) }
    let handle = try Handle(attempt, "H5Fcreate") { H5Fcreate(path, CHDF5_ACC_TRUNC(), creation.id, access.id) }
    try attempt.check("H5Fset_libver_bounds") { H5Fset_libver_bounds(handle.id, H5F_LIBVER_V110, H5F_LIBVER_V110) }
    let file = File(path: path, handle: handle, output: nil)
    try attributes(file)
    let places = try datasets.map { try file.reserve($0) }
    try file.close()
    return places
  }

  /// Where the bytes of each dataset begin in a file that `reserve` made.
  /// - Throws: `HDF5Error` for a file of other datasets.
  package static func places(of datasets: [ReservedDataset], in path: String) throws -> [Int] {
    // The caller holds the file's lock.
    let file = try open(path, locks: false)
    let places = try datasets.map { try file.place(of: $0) }
    try file.close()
    return places
  }

  private func place(of reserved: ReservedDataset) throws -> Int {
    let attempt = attempt("find dataset", reserved.path)
    let dataset = try Handle(attempt, "H5Dopen2") { H5Dopen2(handle.id, reserved.path, CHDF5_DEFAULT()) }
    let type = try Handle(attempt, "H5Dget_type") { H5Dget_type(dataset.id) }
    let space = try Handle(attempt, "H5Dget_space") { H5Dget_space(dataset.id) }
    guard H5Tequal(type.id, reserved.kind.type) > 0,
      try shape(of: space, maximumCount: .max, attempt).shape == reserved.shape
    else { throw attempt.error("it has another type or shape") }
    return reserved.byteCount == 0 ? 0 : try Self.place(of: dataset, attempt)
  }

  private func reserve(_ reserved: ReservedDataset) throws -> Int {
    let attempt = attempt("reserve dataset", reserved.path)
    if let slash = reserved.path.lastIndex(of: "/"), slash != reserved.path.startIndex {
      try createGroup(String(reserved.path[..<slash]))
    }
    let type = try Handle(attempt, "H5Tcopy") { H5Tcopy(reserved.kind.type) }
    let space = try dataspace(reserved.shape, attempt)
    let properties = try Handle.properties(attempt, creating: CHDF5_DATASET_CREATE())
    try attempt.check("H5Pset_alloc_time") { H5Pset_alloc_time(properties.id, H5D_ALLOC_TIME_EARLY) }
    try attempt.check("H5Pset_fill_time") { H5Pset_fill_time(properties.id, H5D_FILL_TIME_NEVER) }
    let dataset = try Handle(attempt, "H5Dcreate2") {
      H5Dcreate2(handle.id, reserved.path, type.id, space.id, CHDF5_DEFAULT(), properties.id, CHDF5_DEFAULT())
    }
    let place = reserved.byteCount == 0 ? 0 : try Self.place(of: dataset, attempt)
    try dataset.close(attempt)
    return place
  }

  /// Where the bytes of a one-dimensional uint8 dataset lie in the file, in one piece and as they are.
  /// - Throws: `HDF5Error` for a dataset that is missing, of another type, or stored in chunks or other files.
  package func place(ofBytes path: String) throws -> Range<Int> {
    let attempt = attempt("find dataset", path)
    let dataset = try Handle(attempt, "H5Dopen2") { H5Dopen2(handle.id, path, CHDF5_DEFAULT()) }
    let type = try Handle(attempt, "H5Dget_type") { H5Dget_type(dataset.id) }
    _ = try elementBytes(of: type, as: UInt8.self, attempt)
    let space = try Handle(attempt, "H5Dget_space") { H5Dget_space(dataset.id) }
    let (shape, count) = try shape(of: space, maximumCount: .max, attempt)
    guard shape.count == 1 else { throw attempt.error("its shape is \(shape), wanted is one dimension") }
    guard count > 0 else { return 0..<0 }
    let id = dataset.id
    let properties = try Handle(attempt, "H5Dget_create_plist") { H5Dget_create_plist(id) }
    let externals = try attempt.check("H5Pget_external_count") { H5Pget_external_count(properties.id) }
    guard H5Pget_layout(properties.id) == H5D_CONTIGUOUS, externals == 0 else {
      throw attempt.error("its bytes do not lie in one piece in this file; write it without chunks and filters")
    }
    let start = try Self.place(of: dataset, attempt)
    guard H5Dget_storage_size(id) == count, start <= Int.max - count else {
      throw attempt.error("it has \(count) elements but other bytes in the file")
    }
    return start..<start + count
  }

  private static func place(of dataset: borrowing Handle, _ attempt: Attempt) throws -> Int {
    let offset = H5Dget_offset(dataset.id)
    guard offset != haddr_t.max, let place = Int(exactly: offset) else {
      throw attempt.error("it has no place in the file", in: "H5Dget_offset")
    }
    return place
  }
}
