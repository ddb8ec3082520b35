// What is the machine's fault and what the user's, and folders and files that last.
import Foundation
import Glibc
import TestSupport
import Testing

@testable import Files

@Suite("Faults of the machine, and what is written to outlast them")
struct MachineFaultTests {
  @Test("a full or broken disk is the machine's fault whoever reports it, a wrong path the user's")
  func whose() {
    for code in [EIO, ENOSPC, EDQUOT, EINTR, EFBIG, EMFILE] {
      #expect(ExitStatus.of(FileError("a", "cannot be read", cause: SystemError(call: "read", code: code))) == 1)
      let posix = NSError(domain: NSPOSIXErrorDomain, code: Int(code))
      let error = CocoaError(.fileWriteUnknown, userInfo: [NSUnderlyingErrorKey: posix])
      #expect(ExitStatus.of(FileError("a", "cannot be written", cause: error)) == 1)
      #expect(ExitStatus.of(error) == 1 && ExitStatus.of(posix) == 1)
    }
    for code in [ENOENT, EACCES, ENOTDIR, EROFS, EISDIR] {
      #expect(ExitStatus.of(FileError("a", "cannot be read", cause: SystemError(call: "open", code: code))) == 65)
    }
    #expect(FileError("a", "is damaged", cause: FileError("b", "cannot be read", fault: .machine)).fault == .machine)
  }

  @Test("an interrupted call is made again, and no other failed one")
  func interrupted() {
    var calls = 0
    #expect(
      uninterrupted {
        calls += 1
        errno = EINTR
        return calls < 3 ? -1 : 7
      } == 7)
    #expect(calls == 3)
    #expect(
      uninterrupted {
        calls += 1
        errno = ENOSPC
        return -1
      } == -1)
    #expect(calls == 4)
  }

  @Test("folders are made with those above them; a file in the way is the user's mistake")
  func folders() throws {
    let folder = try TemporaryFolder(["file": "x"])
    try makeFolder(folder.path("a/b/c"))
    try makeFolder(folder.path("a/b/c/"))
    var isFolder: ObjCBool = false
    #expect(FileManager.default.fileExists(atPath: folder.path("a/b/c"), isDirectory: &isFolder) && isFolder.boolValue)
    for path in ["file", "file/a"] {
      let error = #expect(throws: FileError.self) { try makeFolder(folder.path(path)) }
      #expect(error?.fault == .input)
    }
  }

  @Test("a synchronized file is written whole, over an earlier one too, and never through a link")
  func synchronized() throws {
    let folder = try TemporaryFolder(["a": "a longer text that was there before"])
    try writeSynchronized(Data("new".utf8), to: folder.path("a"))
    #expect(try bytes(of: folder.path("a")) == Array("new".utf8))
    try FileManager.default.createSymbolicLink(atPath: folder.path("link"), withDestinationPath: folder.path("a"))
    #expect(throws: FileError.self) { try writeSynchronized(Data(), to: folder.path("link")) }
    let error = #expect(throws: FileError.self) { try writeSynchronized(Data(count: 1 << 16), to: "/dev/full") }
    #expect(error?.description == "/dev/full: cannot be written: No space left on device (write)")
    #expect(error?.fault == .machine)
  }
}
