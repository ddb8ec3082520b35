// Attributes: single named values of the file ("/"), a group or a dataset.
import CHDF5

extension File {
  /// Sets an attribute that does not exist yet; throws `HDF5Error` (H5Acreate_by_name).
  package func setAttribute<T: Element>(_ name: String, of path: String = "/", to value: T) throws {
    let attempt = attempt("write attribute \(name) of", path)
    let elementBytes = T.storage.elementBytes([value])
    let type = try Handle(attempt, "H5Tcopy") { T.storage.datatype(elementBytes) }
    let space = try dataspace([], attempt)
    let attribute = try Handle(attempt, "H5Acreate_by_name") {
      H5Acreate_by_name(
        handle.id, path, name, type.id, space.id, CHDF5_DEFAULT(), CHDF5_DEFAULT(), CHDF5_DEFAULT())
    }
    try T.storage.withMemory([value], elementBytes, attempt) { memory in
      _ = try attempt.check("H5Awrite") { H5Awrite(attribute.id, type.id, memory) }
    }
    try attribute.close(attempt)
  }

  /// Reads an attribute of one value; throws `HDF5Error` if it is missing, damaged or of another type
  /// (H5Aopen_by_name).
  package func attribute<T: Element>(_ name: String, of path: String = "/", as type: T.Type) throws -> T {
    let attempt = attempt("read attribute \(name) of", path)
    let attribute = try Handle(attempt, "H5Aopen_by_name") {
      H5Aopen_by_name(handle.id, path, name, CHDF5_DEFAULT(), CHDF5_DEFAULT())
    }
    let type = try Handle(attempt, "H5Aget_type") { H5Aget_type(attribute.id) }
    let elementBytes = try elementBytes(of: type, as: T.self, attempt)
    let space = try Handle(attempt, "H5Aget_space") { H5Aget_space(attribute.id) }
    let count = try shape(of: space, maximumCount: 1, attempt).count
    let values = try T.storage.make(count, elementBytes, attempt) { memory in
      _ = try attempt.check("H5Aread") { H5Aread(attribute.id, type.id, memory) }
    }
    guard let value = values.first else { throw attempt.error("it is empty, wanted is one value") }
    return value
  }

  /// Whether the file, group or dataset has an attribute of this name; throws `HDF5Error` if there is no such object
  /// (H5Aexists_by_name).
  package func hasAttribute(_ name: String, of path: String = "/") throws -> Bool {
    let attempt = attempt("find attribute \(name) of", path)
    return try attempt.check("H5Aexists_by_name") { H5Aexists_by_name(handle.id, path, name, CHDF5_DEFAULT()) } > 0
  }
}
