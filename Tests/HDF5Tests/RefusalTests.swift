// Every failure is one clear line, and the process goes on.
import Foundation
import Glibc
import TestSupport
import Testing

@testable import HDF5

@Suite("Missing, foreign, damaged and too large content throws one clear line")
struct RefusalTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test func wordsNameWhatWhereAndWhy() throws {
    let path = folder.path("a.h5")
    let file = try File.create(path)
    try file.write([1, 2, 3], shape: [3], to: "/g/x")
    #expect(line { try file.write([1.0], shape: [1], to: "/g/x") }.contains("cannot write dataset /g/x of \(path): "))
    #expect(line { try file.write(["a\0b"], shape: [1], to: "/s") }.contains("zero byte"))
    try file.setAttribute("n", to: 1.0)
    #expect(line { try file.setAttribute("n", to: 1.0) }.hasPrefix("cannot write attribute n of / of \(path): "))
    try file.close()

    let missing = folder.path("none.h5")
    #expect(line { _ = try File.open(missing) }.contains("cannot open \(missing): unable to open file"))
    #expect(line { _ = try File.open(missing) }.contains("No such file or directory"))
    #expect(line { _ = try File.create("\(missing)/x") }.contains("No such file or directory (open)"))
    let read = try File.open(path)
    #expect(
      line { _ = try read.read(Float.self, from: "/g/x", maximumCount: 9) }
        == "cannot read dataset /g/x of \(path): its type is another (floating-point, 8 bytes), wanted is float32")
    #expect(
      line { _ = try read.read(Double.self, from: "/g/x", maximumCount: 2) }.contains("has more than the 2 elements"))
    #expect(
      line { _ = try read.read(Double.self, from: "/g/x", shape: [3, 1]) }.hasSuffix("[3], wanted is [3, 1]"))
    #expect(line { _ = try read.read(Double.self, from: "/g/y", maximumCount: 2) }.contains("object 'y' doesn't exist"))
    #expect(line { _ = try read.read(Double.self, from: "/g", maximumCount: 2) }.contains("not a dataset"))
    #expect(line { _ = try read.attribute("m", as: Double.self) }.contains("cannot read attribute m of / of \(path): "))
    #expect(line { _ = try read.attribute("n", as: String.self) }.contains("wanted is fixed-length string"))
    #expect(line { _ = try read.children(of: "/none") }.contains("cannot list /none of \(path): "))
    #expect(line { try read.write([1.0], shape: [1], to: "/new") }.contains("no write intent"))
  }

  /// All that a reader may ask of the file that `sample` writes.
  private func readAll(_ path: String) throws -> [String] {
    let file = try File.open(path)
    var found = try file.children(of: "/") + file.children(of: "/g")
    found += try file.read(Float.self, from: "/g/f", maximumCount: 100).values.map(\.description)
    found += try file.read(Int64.self, from: "/g/i", maximumCount: 100).values.map(\.description)
    found += try file.read(String.self, from: "/g/s", maximumCount: 100).values
    found.append(try file.attribute("text", of: "/g", as: String.self))
    found.append("\(try file.attribute("step", as: Int64.self))")
    try file.close()
    return found
  }

  private func sample(_ path: String) throws {
    let file = try File.create(path)
    try file.write((0..<64).map(Float.init), shape: [8, 8], to: "/g/f", filters: [.fletcher32])
    try file.write((0..<64).map(Int64.init), shape: [64], to: "/g/i", filters: [.deflate(6), .fletcher32])
    try file.write(["first", "second"], shape: [2], to: "/g/s", filters: [.fletcher32])
    try file.setAttribute("text", of: "/g", to: "some text")
    try file.setAttribute("step", to: Int64(12))
    try file.close()
  }

  @Test func everyTruncationThrows() throws {
    let path = folder.path("whole.h5")
    try sample(path)
    let whole = try bytes(of: path)
    for count in stride(from: 0, to: whole.count, by: 13) {
      try folder.write("cut.h5", Array(whole[..<count]))
      #expect(throws: HDF5Error.self) { try readAll(folder.path("cut.h5")) }
    }
  }

  @Test func garbageThrows() throws {
    var generator = SystemRandomNumberGenerator()
    for count in [0, 1, 7, 8, 512, 4096] {
      try folder.write("garbage.h5", (0..<count).map { _ in .random(in: 0...255, using: &generator) })
      #expect(line { _ = try File.open(folder.path("garbage.h5")) }.contains("garbage.h5: "))
    }
    #expect(throws: HDF5Error.self) { _ = try File.open("/") }
  }

  /// Every byte of the file once wrong: an error, or the right values since the byte was unused; never a crash.
  @Test(arguments: [1, 128] as [UInt8])
  func everyWrongByteIsNoticedOrHarmless(flip: UInt8) throws {
    let path = folder.path("whole.h5")
    try sample(path)
    let whole = try bytes(of: path)
    let right = try readAll(path)
    var noticed = 0
    for index in whole.indices {
      var damaged = whole
      damaged[index] ^= flip
      try folder.write("damaged.h5", damaged)
      do {
        #expect(try readAll(folder.path("damaged.h5")) == right, "byte \(index)")
      } catch {
        noticed += 1
        #expect(error is HDF5Error && !"\(error)".contains("\n"))
      }
    }
    #expect(noticed > 1000)
  }

  @Test func aFullDiskThrowsAndTheProcessEndsWell() async throws {
    await #expect(processExitsWith: .success) {
      let file = try File.create("/dev/full")
      try file.write([Float](repeating: 1, count: 100_000), shape: [100_000], to: "/x", filters: [.fletcher32])
      do {
        try file.close()
        exit(1)
      } catch let error as HDF5Error {
        #expect(error.description == "cannot close /dev/full: No space left on device (write)")
      }
      exit(EXIT_SUCCESS)
    }
  }

  @Test func aFileThatWasNotClosedIsNotRead() throws {
    let path = folder.path("dropped.h5")
    do {
      let file = try File.create(path)
      try file.write([1.0], shape: [1], to: "/x")
    }
    #expect(throws: HDF5Error.self) { _ = try File.open(path) }
  }
}
