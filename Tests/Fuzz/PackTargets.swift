// Packs of rows and images: bytes of a file, and sound HDF5 files of any values under a right digest.
import Datasets
import Digests
import Files
import Foundation
import HDF5
import Inspection
import Preprocessing

extension FuzzTarget {
  static let packs: [FuzzTarget] = [
    FuzzTarget(
      name: "pack-bytes", dictionary: "hdf5", format: .bytes,
      seeds: {
        [Array(try readFile("Tests/DatasetsTests/Resources/h5py-pack.h5", maximumBytes: 1 << 20)), try made()]
      },
      read: { bytes in use(WorkFolder.write("data.h5", bytes)) }),
    FuzzTarget(
      name: "pack-values", dictionary: "json", format: .json,
      seeds: {
        let row =
          #"{"id": "1", "images": ["a"], "messages": [{"role": "user", "content": "<image>"}, "#
          + #"{"role": "assistant", "content": "x"}]}"#
        let digest = "\(Array(repeating: 7, count: 32))"
        let document = #"""
          {"attributes": {"/": {"format": "imagelora-pack", "schema_version": 1}}, "datasets": {
          "/rows": {"type": "uint8", "shape": [\#(row.utf8.count)], "values": \#(Array(row.utf8))},
          "/images/names": {"type": "uint8", "shape": [2], "values": [97, 0]},
          "/images/offsets": {"type": "int64", "shape": [1], "values": [0]},
          "/images/lengths": {"type": "int64", "shape": [1], "values": [3]},
          "/images/sha256": {"type": "uint8", "shape": [1, 32], "values": \#(digest)},
          "/images/bytes": {"type": "uint8", "shape": [3], "values": [1, 2, 3]}}}
          """#
        return [Array(document.utf8)]
      },
      read: { bytes in
        let path = WorkFolder.path("data.h5")
        // Whoever writes the values can also write their digest.
        try HDF5Document(JSON(parsing: bytes)).write(to: path, filters: []) { file in
          let digest = ImagePack.indexDigest(
            rows: values(of: file, "/rows"), names: values(of: file, "/images/names"),
            offsets: values(of: file, "/images/offsets"), lengths: values(of: file, "/images/lengths"),
            digests: values(of: file, "/images/sha256"))
          let pairs = stride(from: 0, to: 64, by: 2).map { UInt8(digest.dropFirst($0).prefix(2), radix: 16) ?? 0 }
          try? file.write(pairs, shape: [32], to: "/index_sha256")
        }
        use(path)
      }),
    FuzzTarget(
      name: "tar", dictionary: "json", format: .bytes, seeds: { archives },
      read: { bytes in
        // Headers without a right sum are refused at once: whoever writes them can also write it.
        use(WorkFolder.write("data.tar", summed(bytes)))
      }),
  ]

  /// Blocks that look like headers get the sum of their bytes.
  private static func summed(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    for start in stride(from: 0, through: bytes.count - 512, by: 512)
    where bytes[(start + 257)...].starts(with: "ustar".utf8) {
      bytes.replaceSubrange(start + 148..<start + 156, with: [UInt8](repeating: 0x20, count: 8))
      let sum = bytes[start..<start + 512].reduce(0) { $0 + Int($1) }
      let digits = Array(String(sum, radix: 8).utf8) + [0]
      bytes.replaceSubrange(start + 148..<start + 148 + digits.count, with: digits)
    }
    return bytes
  }

  /// Tar archives with a row and its image: in ustar; with a pax record of the image's name and size, and GNU's long
  /// name of the row.
  private static var archives: [[UInt8]] {
    let row = Array(
      #"{"messages": [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "x"}]}"#.utf8)
    let plain: [Member] = [("0", "0.png", [1, 2, 3]), ("0", "0.json", row)]
    let records = "16 path=a/0.png\n" + "9 size=3\n"
    let named: [Member] = [
      ("x", "PaxHeaders/0.png", Array(records.utf8)), plain[0], ("L", "././@LongLink", Array("a/0.json\0".utf8)),
      plain[1],
    ]
    return [archive(plain), archive(named)]
  }

  private typealias Member = (kind: String, name: String, content: [UInt8])

  private static func archive(_ members: [Member]) -> [UInt8] {
    members.flatMap { kind, name, content -> [UInt8] in
      var header = [UInt8](repeating: 0, count: 512)
      func put(_ text: String, at place: Int) { for (i, byte) in text.utf8.enumerated() { header[place + i] = byte } }
      put(name, at: 0)
      put(String(content.count, radix: 8), at: 124)
      put(kind, at: 156)
      put("ustar\0" + "00", at: 257)
      put(String(header.reduce(0) { $0 + Int($1) } + 8 * 32, radix: 8), at: 148)
      return header + content + [UInt8](repeating: 0, count: 512 - content.count)
    } + [UInt8](repeating: 0, count: 1024)
  }

  private static func values<Value: Element>(of file: borrowing File, _ path: String) -> [Value] {
    (try? file.read(Value.self, from: path, maximumCount: 1 << 14).values) ?? []
  }

  /// A pack as the program writes it.
  private static func made() throws -> [UInt8] {
    let row =
      #"{"images": ["a.png"], "messages": [{"role": "user", "content": "<image>"}, "#
      + #"{"role": "assistant", "content": "x"}]}"#
    WorkFolder.write("a.png", [1, 2, 3])
    let rows = WorkFolder.write("rows.jsonl", row.utf8)
    let path = WorkFolder.path("made.h5")
    _ = try ImagePack.write(rows, reader: ExampleReader(imageRoot: WorkFolder.path), to: path)
    return Array(try readFile(path, maximumBytes: 1 << 20))
  }

  /// Its rows read, each image read, and the pack described and verified.
  private static func use(_ path: String) {
    _ = Refusal.allowing {
      var description = try PackDescription(path)
      _ = description.lines
      try description.verify { _, _ in }
    }
    guard let set = Refusal.allowing({ try ExampleReader(policy: .skip).read(path) }) else { return }
    for image in set.examples.flatMap(\.images) {
      _ = Refusal.allowing { try ImageDecoder.size(of: image, maximumPixels: 1 << 16) }
      _ = Refusal.allowing { try ImageDecoder.load(image, maximumPixels: 1 << 16) }
    }
  }
}
