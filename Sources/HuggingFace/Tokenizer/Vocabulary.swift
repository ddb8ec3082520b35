// Pieces of bytes and their ids, both ways, and the ranks of the pairs that merge.
import Files
import Foundation

/// A piece's bytes as a dictionary key; hashed in one go and with a per-process seed.
struct Piece: Hashable, Sendable {
  let bytes: [UInt8]

  static func == (left: Piece, right: Piece) -> Bool {
    left.bytes.count == right.bytes.count && memcmp(left.bytes, right.bytes, left.bytes.count) == 0
  }

  func hash(into hasher: inout Hasher) {
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
  }
}

/// A byte-level BPE vocabulary with its merges.
struct Vocabulary: Sendable {
  /// More ids than any released vocabulary has.
  static let maximumSize = 1 << 20

  private(set) var ids: [Piece: Int32] = [:]
  /// Bytes of each id; nil where an id has no piece.
  private(set) var pieces: [[UInt8]?] = []
  /// The piece of each single byte, -1 where there is none.
  private(set) var byteIDs = [Int32](repeating: -1, count: 256)
  /// Rank and resulting piece of each pair that merges, by `pairKey`.
  private var merges: [UInt64: Merge] = [:]

  struct Merge: Sendable {
    let rank: Int32
    let id: Int32
  }

  /// Takes the members of a JSON object, spelling to id; `failure` makes an error of a spelling and what is wrong.
  ///
  /// A byte without a piece is an error if there must be none, otherwise it is left out of texts as the library does.
  init(_ members: [JSON.Member], hasEveryByte: Bool, failure: (String, String) -> HuggingFaceError) throws {
    ids.reserveCapacity(members.count)
    pieces.reserveCapacity(members.count)
    for member in members {
      let spelling = member.key
      guard case .integer(let id) = member.value, (0..<Self.maximumSize).contains(id) else {
        throw failure(spelling, "expected an id below \(Self.maximumSize), found \(Fields.show(member.value))")
      }
      guard let bytes = ByteLevel.decode(spelling.utf8), !bytes.isEmpty else {
        throw failure(spelling, "not a byte-level piece")
      }
      guard insert(bytes, id: Int32(id)) else { throw failure(spelling, "piece or id \(id) given twice") }
    }
    for byte in 0...255 {
      if let id = ids[Piece(bytes: [UInt8(byte)])] {
        byteIDs[byte] = id
      } else if hasEveryByte {
        throw failure("byte \(byte)", "has no piece")
      }
    }
  }

  /// Adds a piece; false if its bytes or its id are taken.
  mutating func insert(_ bytes: [UInt8], id: Int32) -> Bool {
    let index = Int(id)
    if index >= pieces.count { pieces.append(contentsOf: repeatElement(nil, count: index + 1 - pieces.count)) }
    guard pieces[index] == nil, ids.updateValue(id, forKey: Piece(bytes: bytes)) == nil else { return false }
    pieces[index] = bytes
    return true
  }

  /// Adds the pair of the next rank, spelled in UTF-8; false if a part or the whole is not in the vocabulary.
  mutating func addMerge(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>, rank: Int) -> Bool {
    guard let left = ByteLevel.decode(left), let right = ByteLevel.decode(right),
      let leftID = ids[Piece(bytes: left)], let rightID = ids[Piece(bytes: right)],
      let id = ids[Piece(bytes: left + right)], let rank = Int32(exactly: rank)
    else { return false }
    merges[Self.pairKey(leftID, rightID)] = Merge(rank: rank, id: id)
    return true
  }

  mutating func reserveMerges(_ count: Int) { merges.reserveCapacity(count) }

  func merge(_ left: Int32, _ right: Int32) -> Merge? { merges[Self.pairKey(left, right)] }

  private static func pairKey(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }
}
