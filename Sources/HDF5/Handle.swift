// One identifier of the library, closed exactly once.
import CHDF5

/// An open file, dataset, dataspace, datatype, group, attribute or property list.
struct Handle: ~Copyable {
  let id: hid_t

  /// Keeps the identifier that `open` returns; throws if it is negative.
  init(_ attempt: Attempt, _ function: String, _ open: () -> hid_t) throws {
    id = try attempt.check(function, open)
  }

  /// Closes and reports: what a close still has to write may fail.
  consuming func close(_ attempt: Attempt) throws {
    let id = id
    discard self
    try attempt.check("H5Idec_ref") { H5Idec_ref(id) }
  }

  // H5Idec_ref is the one closing call for every kind of identifier.
  deinit { H5Idec_ref(id) }
}

extension Handle {
  /// A new property list of a class, with no times of creation where objects are made from it: the same content
  /// gives the same bytes.
  static func properties(_ attempt: Attempt, creating list: hid_t) throws -> Handle {
    let properties = try Handle(attempt, "H5Pcreate") { H5Pcreate(list) }
    try attempt.check("H5Pset_obj_track_times") { H5Pset_obj_track_times(properties.id, false) }
    return properties
  }
}
