// A regular file mapped read-only into memory: the only way in which this module opens files.
import Files
import Foundation

/// A file's bytes where the page cache has them, shared by all processes of a node.
final class MappedFile: @unchecked Sendable {
  let path: String
  /// Valid as long as this object lives.
  let bytes: UnsafeRawBufferPointer
  /// Open as long as this object lives: what the path names may be another file by then.
  private let descriptor: Int32
  /// The file when it was mapped.
  let identity: FileIdentity
  private let slot: Int?

  /// - Throws: `HuggingFaceError.unreadable` for what is not a regular file of at most `maximumBytes`,
  ///   `HuggingFaceError.gitLFSPointer` for what Git LFS left in a file's place.
  init(path: String, maximumBytes: Int = .max) throws {
    func failure(_ reason: String) -> HuggingFaceError { .unreadable(file: path, reason: reason) }
    func failure(_ error: SystemError) -> any Error {
      guard isMachineFault(error) else { return failure(String(cString: strerror(error.code))) }
      return FileError(path, "cannot be read", cause: error)
    }
    // O_NONBLOCK: opening a named pipe would wait for a writer for ever.
    let descriptor = uninterrupted { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
    guard descriptor >= 0 else { throw failure(SystemError.last("open")) }
    do {
      identity = try FileIdentity(descriptor: descriptor)
      guard identity.isRegular else { throw failure("not a regular file") }
      let count = identity.size
      guard count <= maximumBytes else { throw failure("\(count) bytes, at most \(maximumBytes) are expected") }
      let start = count == 0 ? nil : mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0)
      guard start != MAP_FAILED else { throw failure(SystemError.last("mmap")) }
      bytes = UnsafeRawBufferPointer(start: start, count: count)
    } catch {
      close(descriptor)
      if let error = error as? SystemError { throw failure(error) }
      throw error
    }
    self.path = path
    self.descriptor = descriptor
    slot = CutFiles.add(bytes, path: path)
    if GitLFSPointer.isWhole(bytes) {
      throw HuggingFaceError.gitLFSPointer(file: path)
    }
  }

  /// A copy of all bytes; unlike `bytes` it may outlive this object.
  func copy() -> [UInt8] { withExtendedLifetime(self) { Array(bytes) } }

  /// Throws if the file was written to since it was mapped, by this or another program.
  func requireUnchanged() throws(FileError) {
    let now: FileIdentity
    do {
      now = try FileIdentity(descriptor: descriptor)
    } catch {
      throw FileError(path, "cannot be read any more", cause: error, fault: .machine)
    }
    guard now.mayHaveOtherBytes(than: identity) else { return }
    let sizes = now.size == identity.size ? "" : " (it had \(identity.size) bytes and has \(now.size))"
    throw FileError(
      path, "changed while it was in use\(sizes): nothing of the time since is kept",
      remedy: "restore it, then start again (a training run with --resume auto)")
  }

  deinit {
    if let slot { CutFiles.remove(slot) }
    close(descriptor)
    if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
  }
}

/// One model folder: paths of its files and whole small files as bytes.
struct ModelFolder: Sendable {
  let path: String

  func file(_ name: String) -> String { path.hasSuffix("/") ? path + name : path + "/" + name }

  /// - Throws: `FileError` where there is no such folder; what looks like an id of the Hub is called that.
  func requireThere() throws(FileError) {
    guard try !isThere(path) else { return }
    let names = path.split(separator: "/").suffix(2)
    let parent = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let isID =
      names.count == 2 && !names.contains { $0.hasPrefix(".") } && !FileManager.default.fileExists(atPath: parent)
    let id = names.joined(separator: "/")
    throw FileError(
      path, "there is no such folder",
      remedy: isID
        ? "if \(id) is meant as a model of the Hugging Face Hub, download it (hf download \(id) --local-dir DIR) and "
          + "give that folder"
        : "give the base model's folder, with config.json and weights")
  }

  func contains(_ name: String) -> Bool { FileManager.default.fileExists(atPath: file(name)) }

  /// A copy of the file's bytes. Throws if there are more than `maximumBytes`.
  func bytes(_ name: String, maximumBytes: Int = 16 << 20) throws -> [UInt8] {
    try MappedFile(path: file(name), maximumBytes: maximumBytes).copy()
  }

  /// The file as text. Throws if it is not UTF-8.
  func text(_ name: String) throws -> String {
    guard let text = String(validating: try bytes(name), as: UTF8.self) else {
      throw HuggingFaceError.malformed(file: file(name), position: "text", problem: "not UTF-8")
    }
    return text
  }

  /// The file parsed as JSON.
  func json(_ name: String, maximumBytes: Int = 16 << 20) throws -> JSON {
    try JSON(parsing: bytes(name, maximumBytes: maximumBytes), file: file(name))
  }

  /// The file parsed as a JSON object, ready for typed reading.
  func fields(_ name: String, maximumBytes: Int = 16 << 20) throws -> Fields {
    try Fields(json(name, maximumBytes: maximumBytes), file: file(name))
  }
}

extension JSON {
  /// - Throws: `HuggingFaceError.malformed` with the byte offset of the first fault; `file` is for the message.
  init(parsing bytes: [UInt8], file: String) throws {
    do {
      try self.init(parsing: bytes)
    } catch {
      throw HuggingFaceError.malformed(file: file, position: "byte \(error.byte)", problem: error.problem)
    }
  }
}
