// Datasets: whole arrays written and read in one piece.
import CHDF5

/// A step between a dataset's values and its bytes in the file.
package enum Filter: Hashable, Sendable {
  /// A checksum over each chunk, verified on every read (H5Pset_fletcher32).
  case fletcher32
  /// zlib compression of a level from 1 to 9 (H5Pset_deflate).
  case deflate(Int)
}

extension File {
  /// Writes a dataset, in row-major order, and the groups above it; throws `HDF5Error`, also if the path is taken.
  ///
  /// `shape` [] is a scalar, which takes no filters; an empty dataset has no bytes and drops them. The checksum is
  /// taken over the bytes in the file, whatever the order of `filters`. Strings are stored at the length of the
  /// longest.
  package func write<T: Element>(_ values: [T], shape: [Int], to path: String, filters: [Filter] = []) throws {
    precondition(shape.allSatisfy { $0 >= 0 } && values.count == product(shape), "\(path): count is not shape")
    precondition(!shape.isEmpty || filters.isEmpty, "\(path): a scalar takes no filters")
    let attempt = attempt("write dataset", path)
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex { try createGroup(String(path[..<slash])) }
    let elementBytes = T.storage.elementBytes(values)
    let type = try Handle(attempt, "H5Tcopy") { T.storage.datatype(elementBytes) }
    let space = try dataspace(shape, attempt)
    let properties = try Handle.properties(attempt, creating: CHDF5_DATASET_CREATE())
    if !values.isEmpty && !filters.isEmpty {
      let chunk = chunk(of: shape, elementBytes: elementBytes).map { hsize_t($0) }
      try attempt.check("H5Pset_chunk") { H5Pset_chunk(properties.id, Int32(chunk.count), chunk) }
      for case .deflate(let level) in filters {
        try attempt.check("H5Pset_deflate") { H5Pset_deflate(properties.id, UInt32(level)) }
      }
      if filters.contains(.fletcher32) { try attempt.check("H5Pset_fletcher32") { H5Pset_fletcher32(properties.id) } }
    }
    let dataset = try Handle(attempt, "H5Dcreate2") {
      H5Dcreate2(handle.id, path, type.id, space.id, CHDF5_DEFAULT(), properties.id, CHDF5_DEFAULT())
    }
    if !values.isEmpty {
      try T.storage.withMemory(values, elementBytes, attempt) { memory in
        _ = try attempt.check("H5Dwrite") {
          H5Dwrite(dataset.id, type.id, CHDF5_ALL(), CHDF5_ALL(), CHDF5_DEFAULT(), memory)
        }
      }
    }
    try dataset.close(attempt)
  }

  /// Reads a whole dataset of the stated type; throws `HDF5Error` if it is missing, damaged, of another type or of
  /// more than `maximumCount` elements.
  package func read<T: Element>(
    _ type: T.Type, from path: String, maximumCount: Int
  ) throws -> (values: [T], shape: [Int]) {
    try withDataset(T.self, path, maximumCount) { dataset, type, elementBytes, shape, count, attempt in
      guard count > 0 else { return ([], shape) }
      let values = try T.storage.make(count, elementBytes, attempt) { memory in
        _ = try attempt.check("H5Dread") { H5Dread(dataset, type, CHDF5_ALL(), CHDF5_ALL(), CHDF5_DEFAULT(), memory) }
      }
      return (values, shape)
    }
  }

  /// The shape of a dataset of the stated type, without reading it; throws as `read` does before it reads.
  package func readShape<T: Element>(_ type: T.Type, of path: String, maximumCount: Int) throws -> [Int] {
    try withDataset(type, path, maximumCount) { _, _, _, shape, _, _ in shape }
  }

  /// Opens a dataset and checks its type, its size, and that the file has its values.
  private func withDataset<T: Element, Result>(
    _ type: T.Type, _ path: String, _ maximumCount: Int,
    _ body: (
      _ dataset: hid_t, _ type: hid_t, _ elementBytes: Int, _ shape: [Int], _ count: Int, _ attempt: Attempt
    ) throws -> Result
  ) throws -> Result {
    let attempt = attempt("read dataset", path)
    let dataset = try Handle(attempt, "H5Dopen2") { H5Dopen2(handle.id, path, CHDF5_DEFAULT()) }
    let type = try Handle(attempt, "H5Dget_type") { H5Dget_type(dataset.id) }
    let elementBytes = try elementBytes(of: type, as: T.self, attempt)
    let space = try Handle(attempt, "H5Dget_space") { H5Dget_space(dataset.id) }
    let (shape, count) = try shape(of: space, maximumCount: maximumCount, attempt)
    if count > 0 { try requireContent(of: dataset, count: count, elementBytes: elementBytes, attempt) }
    return try body(dataset.id, type.id, elementBytes, shape, count, attempt)
  }

  /// Reads a whole dataset whose type and shape are known; throws `HDF5Error` if the file's differ.
  package func read<T: Element>(_ type: T.Type, from path: String, shape: [Int]) throws -> [T] {
    let found = try read(type, from: path, maximumCount: product(shape) ?? .max)
    guard found.shape == shape else {
      throw attempt("read dataset", path).error("its shape is \(found.shape), wanted is \(shape)")
    }
    return found.values
  }

  /// Throws unless the dataset's values are in this file and not far more than its bytes can hold: refuses virtual
  /// datasets, external storage and shapes without values.
  private func requireContent(
    of dataset: borrowing Handle, count: Int, elementBytes: Int, _ attempt: Attempt
  ) throws {
    let id = dataset.id
    let properties = try Handle(attempt, "H5Dget_create_plist") { H5Dget_create_plist(id) }
    let layout = H5Pget_layout(properties.id)
    let externals = try attempt.check("H5Pget_external_count") { H5Pget_external_count(properties.id) }
    guard layout != H5D_VIRTUAL && externals == 0 else {
      throw attempt.error("its values lie in other files; copy it into one file first")
    }
    let stored = Int(clamping: H5Dget_storage_size(id))
    // No filter makes more than 1032 bytes of one: the limit of zlib.
    let (needed, overflow) = count.multipliedReportingOverflow(by: elementBytes)
    guard !overflow && needed / 1032 <= stored && stored > 0 else {
      throw attempt.error("it has \(count) elements but only \(stored) bytes in the file")
    }
  }
}

/// The chunk that filters work on: the whole shape, or slices along the leading axes where that were over 1 GiB (the
/// format ends at 4 GiB).
func chunk(of shape: [Int], elementBytes: Int, maximumBytes: Int = 1 << 30) -> [Int] {
  shape.indices.reduce(into: shape) { chunk, axis in
    let bytes = chunk.reduce(elementBytes, *)
    if bytes > maximumBytes { chunk[axis] = max(1, maximumBytes / (bytes / chunk[axis])) }
  }
}
