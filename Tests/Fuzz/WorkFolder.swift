// Where an input becomes files: parsers that take a path or a folder read them there.
import Files
import Foundation

/// The folder of this process. It lies in the system's folder for temporary files, which scripts/fuzz.sh sets and
/// removes.
enum WorkFolder {
  static let path: String = {
    let path = FileManager.default.temporaryDirectory.path + "/fuzz-\(getpid())"
    mkdir(path, 0o700)
    return path
  }()

  static func path(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file as its bytes are.
  @discardableResult
  static func write(_ name: String, _ bytes: some Sequence<UInt8>) -> String {
    let (path, bytes) = (path(name), Array(bytes))
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    precondition(descriptor >= 0, "\(path) cannot be written")
    let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    precondition(written == bytes.count && close(descriptor) == 0, "\(path) cannot be written")
    return path
  }

  /// Makes the folder hold an input's files and no others.
  static func replace(_ files: [FilesInput.File]) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] { remove(path(name)) }
    for file in files { write(file.name, file.bytes) }
  }
}

/// An input that is several files: each begins with a line `--- NAME`.
struct FilesInput {
  struct File {
    var name: String
    var bytes: [UInt8]
  }

  var files: [File] = []

  init(_ files: [(name: String, bytes: [UInt8])]) { self.files = files.map { File(name: $0, bytes: $1) } }

  /// - Parameter names: the files that there may be; a part of another name belongs to the file before it.
  init(_ bytes: [UInt8], names: [String]) {
    let headings = names.map { ($0, Array("--- \($0)\n".utf8)) }
    var start = 0
    while start < bytes.count {
      let lineEnd = bytes[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.count
      let line = bytes[start..<lineEnd]
      if let (name, _) = headings.first(where: { line.elementsEqual($0.1) }),
        !files.contains(where: { $0.name == name })
      {
        // The line break before a heading is its own.
        if !files.isEmpty, files[files.count - 1].bytes.last == UInt8(ascii: "\n") {
          files[files.count - 1].bytes.removeLast()
        }
        files.append(File(name: name, bytes: []))
      } else {
        if files.isEmpty { files.append(File(name: names[0], bytes: [])) }
        files[files.count - 1].bytes += line
      }
      start = lineEnd
    }
  }

  subscript(name: String) -> [UInt8]? { files.first { $0.name == name }?.bytes }

  /// The input again.
  var bytes: [UInt8] {
    files.enumerated().flatMap { index, file in
      (index > 0 ? [UInt8(ascii: "\n")] : []) + Array("--- \(file.name)\n".utf8) + file.bytes
    }
  }
}
