// The small texts that Git LFS leaves in place of files that were not fetched.

package enum GitLFSPointer {
  /// How a pointer begins.
  package static let start = Array("version https://git-lfs".utf8)

  /// Whether a file's bytes, all of them, are a pointer.
  package static func isWhole(_ bytes: some Collection<UInt8>) -> Bool {
    bytes.count < 1024 && bytes.starts(with: start)
  }
}
