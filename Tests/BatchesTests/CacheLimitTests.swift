// The bound on a folder of cached matrices.
import Foundation
import TestSupport
import Testing

@testable import Batches

@Suite("A bound on cached files")
struct CacheLimitTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func write(_ name: String, _ size: Int, age: Int) throws {
    try folder.write(name, [UInt8](repeating: 1, count: size))
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -Double(age))], ofItemAtPath: folder.path(name))
  }

  @Test("What was used longest ago goes first, a tenth is free then, and other files stay")
  func oldestFirst() throws {
    for (index, name) in ["a.h5", "b.h5", "c.h5", "d.h5"].enumerated() { try write(name, 25, age: 100 - index) }
    try write("notes.txt", 500, age: 999)
    let limit = CacheLimit(folder: folder.path, bytes: 110)
    limit.wrote(folder.path("d.h5"))
    #expect(folder.names.count == 5, "100 bytes of 110")
    limit.used(folder.path("a.h5"))
    try write("e.h5", 25, age: 0)
    limit.wrote(folder.path("e.h5"))
    // 125 are too many, and 99 may stay: the two oldest go, not the one that was read.
    #expect(folder.names == ["a.h5", "d.h5", "e.h5", "notes.txt"])
    try write("f.h5", 1000, age: 0)
    limit.wrote(folder.path("f.h5"))
    #expect(folder.names == ["notes.txt"])
  }

  @Test("What others have written counts before anything is removed")
  func others() throws {
    let limit = CacheLimit(folder: folder.path, bytes: 100)
    try write("own.h5", 40, age: 1)
    limit.wrote(folder.path("own.h5"))
    try write("x.h5", 90, age: 5)
    try write("more.h5", 20, age: 1)
    limit.wrote(folder.path("more.h5"))
    #expect(folder.names.count == 3, "not looked at while there is room by what is known")
    try write("last.h5", 41, age: 0)
    limit.wrote(folder.path("last.h5"))
    #expect(folder.names == ["last.h5", "more.h5"], "the oldest of 191 bytes go until 90 are left")
    CacheLimit(folder: "/no/such/folder", bytes: 1).wrote("/no/such/folder/a.h5")
  }
}
