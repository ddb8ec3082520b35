// What was written is read back, and nothing else can be read.
import Foundation
import TestSupport
import Testing

@testable import HDF5

@Suite("Values, shapes, names and attributes come back as they were written")
struct RoundTripTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test func everyTypeInEveryKindOfShape() throws {
    let path = folder.path("types.h5")
    let file = try File.create(path)
    try file.write([Float](arrayLiteral: 1, -.infinity, .leastNonzeroMagnitude), shape: [3], to: "/f")
    try file.write([0.1, -0.0], shape: [2, 1], to: "/a/b/d", filters: [.fletcher32, .deflate(4)])
    try file.write([Int32.min, 7], shape: [1, 2, 1], to: "/a/b/i", filters: [.deflate(1)])
    try file.write([Int64.max], shape: [], to: "/scalar")
    try file.write([UInt8](0..<200), shape: [2, 100], to: "/a/u", filters: [.fletcher32])
    try file.write(["", "größe", "\u{1F98A}\n"], shape: [3], to: "/a/s", filters: [.fletcher32])
    try file.write(["", "größe", "\u{1F98A}\n"], shape: [3], to: "/a/v")
    try file.write(["", ""], shape: [2], to: "/a/w", filters: [.fletcher32])
    try file.write([Float](), shape: [0, 4], to: "/empty", filters: [.fletcher32])
    try file.write([Float](), shape: [1 << 40, 1 << 40, 0], to: "/a/empty", filters: [.fletcher32])
    try file.close()

    let read = try File.open(path)
    #expect(try read.read(Float.self, from: "/f", shape: [3]) == [1, -.infinity, .leastNonzeroMagnitude])
    let double = try read.read(Double.self, from: "/a/b/d", maximumCount: 2)
    #expect(double.values.map(\.bitPattern) == [0.1, -0.0].map(\.bitPattern) && double.shape == [2, 1])
    #expect(try read.read(Int32.self, from: "/a/b/i", shape: [1, 2, 1]) == [Int32.min, 7])
    #expect(try read.read(Int64.self, from: "/scalar", shape: []) == [Int64.max])
    #expect(try read.read(UInt8.self, from: "/a/u", shape: [2, 100]) == [UInt8](0..<200))
    #expect(try read.read(String.self, from: "/a/s", shape: [3]) == ["", "größe", "\u{1F98A}\n"])
    #expect(try read.read(String.self, from: "/a/v", shape: [3]) == ["", "größe", "\u{1F98A}\n"])
    #expect(try read.read(String.self, from: "/a/w", shape: [2]) == ["", ""])
    #expect(try read.read(Float.self, from: "/empty", maximumCount: 0).shape == [0, 4])
    #expect(try read.read(Float.self, from: "/a/empty", shape: [1 << 40, 1 << 40, 0]) == [])
    #expect(throws: HDF5Error.self) { try read.read(Float.self, from: "/a/empty", shape: [1 << 40, 1 << 40]) }
    #expect(try read.children(of: "/") == ["a", "empty", "f", "scalar"])
    #expect(try read.children(of: "/a/b") == ["d", "i"])
    #expect(try read.exists("/") && read.exists("/a/b/d"))
    #expect(try !read.exists("/a/c") && !read.exists("/x/y/z"))
    try read.close()
  }

  @Test func attributesOfFileGroupAndDataset() throws {
    let path = folder.path("attributes.h5")
    let file = try File.create(path)
    try file.createGroup("/optimizer")
    try file.write([1.0], shape: [1], to: "/x")
    for index in 0..<20 { try file.setAttribute("n\(index)", to: Int64(index)) }
    try file.setAttribute("step", of: "/optimizer", to: Int64(-3))
    try file.setAttribute("nll", of: "/x", to: 0.1)
    try file.setAttribute("digest", to: String(repeating: "é", count: 30_000))
    try file.close()

    let read = try File.open(path)
    #expect(try (0..<20).allSatisfy { try read.attribute("n\($0)", as: Int64.self) == Int64($0) })
    #expect(try read.attribute("step", of: "/optimizer", as: Int64.self) == -3)
    #expect(try read.attribute("nll", of: "/x", as: Double.self) == 0.1)
    #expect(try read.attribute("digest", as: String.self).count == 30_000)
    #expect(try read.hasAttribute("nll", of: "/x") && !read.hasAttribute("nll"))
  }

  @Test func childrenAreSortedAlsoWhenMany() throws {
    let path = folder.path("many.h5")
    let file = try File.create(path)
    let names = (0..<300).map { "row-\(($0 * 97) % 300)" }
    for name in names { try file.createGroup("/rows/\(name)") }
    try file.close()
    #expect(try File.open(path).children(of: "/rows") == names.sorted())
  }

  @Test func theSameCallsGiveTheSameBytesAtAnyTime() throws {
    func make(_ name: String) throws -> [UInt8] {
      let file = try File.create(folder.path(name))
      try file.write((0..<1000).map(Float.init), shape: [10, 100], to: "/a/b", filters: [.fletcher32])
      try file.write(["x", "yz"], shape: [2], to: "/a/c")
      try file.setAttribute("step", of: "/a", to: Int64(1))
      try file.close()
      return try bytes(of: folder.path(name))
    }
    let first = try make("first.h5")
    Thread.sleep(forTimeInterval: 1.1)  // times in HDF5 are whole seconds
    #expect(try first == make("second.h5"))
  }

  @Test func aLargeShapeIsCutIntoChunksAlongLeadingAxes() throws {
    #expect(chunk(of: [10, 100], elementBytes: 4) == [10, 100])
    #expect(chunk(of: [10, 100], elementBytes: 4, maximumBytes: 1300) == [3, 100])
    #expect(chunk(of: [3, 10, 100], elementBytes: 4, maximumBytes: 1300) == [1, 3, 100])
    #expect(chunk(of: [100_000, 100_000], elementBytes: 8) == [1342, 100_000])
  }

  @Test func aFileOfH5pyIsRead() throws {
    let path = try #require(Bundle.module.path(forResource: "h5py", ofType: "h5", inDirectory: "Resources"))
    let file = try File.open(path)
    #expect(try file.attribute("schema_version", as: Int64.self) == 1)
    #expect(try file.attribute("digest", as: String.self) == "größe")
    #expect(throws: HDF5Error.self) { _ = try file.attribute("variable", as: String.self) }
    #expect(try file.read(Float.self, from: "/row-1/base/logits", shape: [2, 3]) == [0, 0.25, 0.5, 0.75, 1, 1.25])
    #expect(try file.read(Double.self, from: "/row-1/base/nll", shape: []) == [0.1])
    #expect(try file.read(Int32.self, from: "/row-1/base/empty", shape: [0, 5]) == [])
    #expect(try file.read(String.self, from: "/row-1/base/ids", shape: [2]) == ["row-1", "βγ"])
    #expect(try file.read(UInt8.self, from: "/row-1/base/mask", shape: [3]) == [0, 1, 1])
    #expect(try file.read(String.self, from: "/row-1/base/ascii", shape: [1]) == ["abc"])
    for name in ["big_endian", "null", "ascii"] {
      #expect(throws: HDF5Error.self) { _ = try file.read(Float.self, from: "/row-1/base/\(name)", maximumCount: 9) }
    }
  }
}
