// Groups: made together with their contents where they are missing, listed in the order of names.
import CHDF5

extension File {
  /// Makes a group and those above it where they are missing; throws `HDF5Error` (H5Gcreate2).
  package func createGroup(_ path: String) throws {
    let attempt = attempt("create group", path)
    let properties = try Handle.properties(attempt, creating: CHDF5_GROUP_CREATE())
    for prefix in prefixes(of: path) where try attempt.check("H5Lexists", { linked(prefix) }) == 0 {
      let group = try Handle(attempt, "H5Gcreate2") {
        H5Gcreate2(handle.id, prefix, CHDF5_DEFAULT(), properties.id, CHDF5_DEFAULT())
      }
      try group.close(attempt)
    }
  }

  /// Whether a group or dataset of this path exists; throws `HDF5Error` if the file is damaged on the way (H5Lexists).
  package func exists(_ path: String) throws -> Bool {
    let attempt = attempt("find", path)
    return try prefixes(of: path).allSatisfy { prefix in try attempt.check("H5Lexists") { linked(prefix) } > 0 }
  }

  /// The names in a group, sorted; throws `HDF5Error` (H5Literate).
  package func children(of path: String) throws -> [String] {
    let attempt = attempt("list", path)
    let group = try Handle(attempt, "H5Gopen2") { H5Gopen2(handle.id, path, CHDF5_DEFAULT()) }
    var names: [String] = []
    try withUnsafeMutablePointer(to: &names) { names in
      _ = try attempt.check("H5Literate") {
        H5Literate(
          group.id, H5_INDEX_NAME, H5_ITER_INC, nil,
          { _, name, _, names in
            guard let name, let names else { return -1 }
            names.assumingMemoryBound(to: [String].self).pointee.append(String(cString: name))
            return 0
          }, names)
      }
    }
    try group.close(attempt)
    return names
  }

  private func linked(_ path: String) -> htri_t { H5Lexists(handle.id, path, CHDF5_DEFAULT()) }

  /// "/a/b" gives "/a", "/a/b"; "/" gives none. The library can ask for a link only if the groups above exist.
  private func prefixes(of path: String) -> [String] {
    path.split(separator: "/").reduce(into: []) { prefixes, name in prefixes.append("\(prefixes.last ?? "")/\(name)") }
  }
}
