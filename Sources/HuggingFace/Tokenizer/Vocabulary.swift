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
  /// Ids of the added tokens that the vocabulary holds under their own spelling.
  private var spelledIDs: [Piece: Int32] = [:]
  /// Pieces of the file.
  private let count: Int
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
  /// Tokens of `added` need not be spelled in the byte alphabet.
  ///
  /// A byte without a piece is an error if there must be none, otherwise it is left out of texts as the library does.
  init(
    _ members: [JSON.Member], added: [AddedToken], hasEveryByte: Bool, failure: (String, String) -> HuggingFaceError
  ) throws {
    count = members.count
    let addedTexts = Set(added.map { Piece(bytes: $0.bytes) })
    ids.reserveCapacity(members.count)
    pieces.reserveCapacity(members.count)
    for member in members {
      let spelling = member.key
      guard case .integer(let id) = member.value, (0..<Self.maximumSize).contains(id) else {
        throw failure(spelling, "expected an id below \(Self.maximumSize), found \(Fields.show(member.value))")
      }
      let spelled = Piece(bytes: Array(spelling.utf8))
      let isAdded = addedTexts.contains(spelled)
      if isAdded, spelledIDs.updateValue(Int32(id), forKey: spelled) != nil {
        throw failure(spelling, "piece given twice")
      }
      guard let bytes = ByteLevel.decode(spelling.utf8), !bytes.isEmpty else {
        guard isAdded else { throw failure(spelling, "not a byte-level piece") }
        guard place(spelled.bytes, at: id) else { throw failure(spelling, "id \(id) given twice") }
        continue
      }
      guard place(bytes, at: id), ids.updateValue(Int32(id), forKey: Piece(bytes: bytes)) == nil else {
        throw failure(spelling, "piece or id \(id) given twice")
      }
    }
    for byte in 0...255 {
      if let id = ids[Piece(bytes: [UInt8(byte)])] {
        byteIDs[byte] = id
      } else if hasEveryByte {
        throw failure("byte \(byte)", "has no piece")
      }
    }
  }

  /// False if the id is taken.
  private mutating func place(_ bytes: [UInt8], at id: Int) -> Bool {
    if id >= pieces.count { pieces.append(contentsOf: repeatElement(nil, count: id + 1 - pieces.count)) }
    guard pieces[id] == nil else { return false }
    pieces[id] = bytes
    return true
  }

  /// Adds tokens in the order in which the `tokenizers` library gives them ids: that of the vocabulary where it has the
  /// token under its own spelling, otherwise the next one after all others. Byte-pair encoding never makes them: an
  /// added token may have the text of a piece.
  ///
  /// - Returns: the tokens' ids by their text.
  /// - Throws: `failure` of a token whose stated id is another one.
  mutating func add(_ tokens: [AddedToken], failure: (String) -> HuggingFaceError) throws -> [Piece: Int32] {
    var added: [Piece: Int32] = [:]
    // An excerpt of a vocabulary has fewer pieces than its ids say; its added tokens keep the ids of the whole.
    var next = pieces.count == count ? Int32(count) : nil
    for token in tokens {
      let piece = Piece(bytes: token.bytes)
      let known = added[piece] ?? spelledIDs[piece]
      let given = known ?? next ?? max(token.id, Int32(pieces.count))
      guard token.id == given else {
        throw failure(
          "token \(quoted(token.content)) has id \(token.id), transformers gives it \(given), "
            + (known == nil ? "the next one; number added tokens without gaps" : "which it has already"))
      }
      added[piece] = given
      guard known == nil else { continue }
      guard place(token.bytes, at: Int(given)) else { throw failure("id \(given) is given twice") }
      next = given + 1
    }
    return added
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
