// The library's version.
import CHDF5

/// HDF5's version, as in "1.10.8".
package var hdf5Version: String {
  // Any call starts the library.
  _ = File.hasNoExit
  var (major, minor, release): (UInt32, UInt32, UInt32) = (0, 0, 0)
  H5get_libversion(&major, &minor, &release)
  return "\(major).\(minor).\(release)"
}
