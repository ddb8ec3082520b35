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

  @Test("a name of a megabyte does not become a line of one: its middle is left out, the remedy stays")
  func length() {
    let error = FileError("a.json", "\(String(repeating: "\u{301}x", count: 1 << 19)) is no key", remedy: "take it out")
    let line = error.description
    #expect(line.unicodeScalars.count == 8000)
    #expect(line.utf8.starts(with: "a.json: ".utf8) && line.hasSuffix("x is no key; take it out"))
    #expect(line.unicodeScalars.filter { $0 == "\u{2026}" }.count == 1)
    let whole = String(repeating: "é", count: 8000)
    #expect(oneLine(whole) == whole && oneLine("a\r\nb\u{2028}c\n") == "a b c ")
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

  @Test(
    "the temporary name is the file's own and goes: what a killed writer left is written over, and errors leave nothing"
  )
  func temporaryName() throws {
    let folder = try TemporaryFolder(["a.txt": "old", "a.txt.partial": "left by a writer that was killed"])
    let path = folder.path("a.txt")
    try writeAtomically(Data("new".utf8), to: path)
    #expect(folder.names == ["a.txt"] && FileManager.default.contents(atPath: path) == Data("new".utf8))
    // A folder of that name stands in the way: the file stays as it is.
    try FileManager.default.createDirectory(atPath: path + ".partial", withIntermediateDirectories: false)
    let failure = #expect(throws: FileError.self) { try writeAtomically(Data("newer".utf8), to: path) }
    #expect(failure?.fault == .machine && failure?.description.hasPrefix(path) == true)
    #expect(FileManager.default.contents(atPath: path) == Data("new".utf8))
    try FileManager.default.removeItem(atPath: path + ".partial")
    // A folder in the file's own place: the rename fails, and nothing is left.
    try FileManager.default.createDirectory(atPath: folder.path("b"), withIntermediateDirectories: false)
    #expect(throws: FileError.self) { try writeAtomically(Data("b".utf8), to: folder.path("b")) }
    #expect(folder.names == ["a.txt", "b"])
  }

  @Test("writers of one file at once: it is always one of theirs, whole")
  func concurrentWriters() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("a.txt")
    DispatchQueue.concurrentPerform(iterations: 64) { index in
      let text = Data(String(repeating: "\(index),", count: 1 + 1000 * (index % 7)).utf8)
      do { try writeAtomically(text, to: path) } catch { Issue.record(error) }
    }
    let parts = String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self).split(
      separator: ",")
    let index = try #require(parts.first.flatMap { Int($0) })
    #expect(parts.count == 1 + 1000 * (index % 7) && Set(parts).count == 1)
    #expect(folder.names == ["a.txt"])
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
