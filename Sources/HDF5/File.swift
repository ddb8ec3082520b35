// An HDF5 file: opened to read, or built in memory and written to disk when it is closed.
import CHDF5

/// An open HDF5 file. Paths of objects are absolute, as in "/adapter/layers.0.A".
///
/// A new file is built in memory and goes to the disk in one piece on `close()`; dropped before, it stays empty on the
/// disk. The library never writes to a disk itself: once such a write fails, its file can neither be used nor closed,
/// and the process crashes at its exit.
package struct File: ~Copyable {
  /// The path it was created or opened with.
  package let path: String
  let handle: Handle
  let output: Output?

  /// The library's work at the exit of the process is left out. All files are closed by then, and after a file that was
  /// damaged it would print, and could crash.
  static let hasNoExit: Bool = H5dont_atexit() >= 0

  /// Starts a new file in memory and creates or empties the one on disk; throws `HDF5Error` (H5Fcreate).
  package static func create(_ path: String) throws -> File {
    let attempt = Attempt(attempt: "create", file: path)
    _ = hasNoExit
    let output = try Output(attempt)
    let creation = try Handle.properties(attempt, creating: CHDF5_FILE_CREATE())
    let access = try Handle(attempt, "H5Pcreate") { H5Pcreate(CHDF5_FILE_ACCESS()) }
    try attempt.check("H5Pset_fapl_core") { H5Pset_fapl_core(access.id, 1 << 20, false) }
    // The formats of 1.10 carry checksums in all that describes data, so a damaged file is noticed before it is
    // believed. The superblock alone is made in 1.8's: 1.10's marks a file as being written, also in an image of it.
    try attempt.check("H5Pset_libver_bounds") {
      H5Pset_libver_bounds(access.id, H5F_LIBVER_V18, H5F_LIBVER_V110)
    }
    let handle = try Handle(attempt, "H5Fcreate") { H5Fcreate(path, CHDF5_ACC_TRUNC(), creation.id, access.id) }
    try attempt.check("H5Fset_libver_bounds") {
      H5Fset_libver_bounds(handle.id, H5F_LIBVER_V110, H5F_LIBVER_V110)
    }
    return File(path: path, handle: handle, output: output)
  }

  /// Opens a file to read; throws `HDF5Error` if it is missing, cut short or no HDF5 file (H5Fopen).
  /// - Parameter locks: whether the library locks it; not where the caller holds the file's lock.
  package static func open(_ path: String, locks: Bool = true) throws -> File {
    let attempt = Attempt(attempt: "open", file: path)
    _ = hasNoExit
    let access = try Handle(attempt, "H5Pcreate") { H5Pcreate(CHDF5_FILE_ACCESS()) }
    // Whatever a failed read left open goes with the file.
    try attempt.check("H5Pset_fclose_degree") { H5Pset_fclose_degree(access.id, H5F_CLOSE_STRONG) }
    // Network file systems without locks are common on clusters.
    try attempt.check("H5Pset_file_locking") { H5Pset_file_locking(access.id, locks, true) }
    let handle = try Handle(attempt, "H5Fopen") { H5Fopen(path, CHDF5_ACC_RDONLY(), access.id) }
    return File(path: path, handle: handle, output: nil)
  }

  /// Closes the file; a new one is first written to the disk and synchronised. Throws `HDF5Error`, also if the disk is
  /// full.
  package consuming func close() throws {
    let attempt = Attempt(attempt: "close", file: path)
    let handle = handle
    if let output {
      let id = handle.id
      try attempt.check("H5Fflush") { H5Fflush(id, H5F_SCOPE_GLOBAL) }
      let count = try attempt.check("H5Fget_file_image") { H5Fget_file_image(id, nil, 0) }
      // For a file in memory this "handle" is the address of the driver's pointer to its bytes.
      var address: UnsafeMutableRawPointer?
      try attempt.check("H5Fget_vfd_handle") { H5Fget_vfd_handle(id, CHDF5_DEFAULT(), &address) }
      let image = address?.assumingMemoryBound(to: UnsafeRawPointer?.self).pointee
      try output.write(UnsafeRawBufferPointer(start: image, count: image == nil ? 0 : count), attempt)
      try output.close(attempt)
    }
    try handle.close(attempt)
  }

  func attempt(_ attempt: String, _ object: String) -> Attempt { Attempt(attempt: attempt, file: path, object: object) }
}
