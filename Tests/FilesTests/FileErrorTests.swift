import Foundation
import TestSupport
import Testing

@testable import Files

@Suite("Errors about files, and files written whole or not at all")
struct FileErrorTests {
  private struct Cause: Error, CustomStringConvertible { let description: String }

  @Test("one line: file, problem, cause, remedy; line breaks of hostile names are blanks")
  func wording() {
    let error = FileError("a\nb.h5", "cannot be read", remedy: "fetch it again", cause: Cause(description: "no\nspace"))
    #expect(error.description == "a b.h5: cannot be read: no space; fetch it again")
    #expect(FileError("c", "is empty").description == "c: is empty")
  }

  @Test("the exit status separates errors of the user's files from errors of the machine")
  func statuses() {
    #expect(ExitStatus.of(FileError("a", "is empty")) == ExitStatus.badInput)
    #expect(ExitStatus.of(FileError.unwritable("a", cause: Cause(description: "full"))) == ExitStatus.failed)
    #expect(ExitStatus.of(Cause(description: "any other")) == ExitStatus.badInput)
  }

  @Test("a file is written whole, and a path that cannot be one is refused before and after")
  func writing() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.txt"
    try checkWritable(path)
    try writeAtomically(Data("one".utf8), to: path)
    #expect(try readFile(path, maximumBytes: 3) == Data("one".utf8))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.txt"])
    let missing = folder.path + "/none/a.txt"
    #expect(throws: FileError.self) { try checkWritable(missing) }
    #expect(throws: FileError.self) { try checkWritable(folder.path) }
    let failure = #expect(throws: FileError.self) { try writeAtomically(Data(), to: missing) }
    #expect(failure?.fault == .machine)
  }

  @Test("folders, missing files and files beyond the limit are not read")
  func reading() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.txt"
    try writeAtomically(Data("four".utf8), to: path)
    for (name, limit, words) in [
      (path, 3, "is not a regular file of at most 3 bytes"), (folder.path, 9, "is not a regular file"),
      (folder.path + "/none", 9, "there is no such file"),
    ] {
      let error = #expect(throws: FileError.self) { try readFile(name, maximumBytes: limit) }
      #expect(error?.description.contains(words) == true)
    }
  }
}
