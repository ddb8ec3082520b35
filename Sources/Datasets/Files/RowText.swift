// The text that rows are split from: a mapped file as a whole, or a window that moves over a compressed one.

/// A file's text, as much of it as is in memory.
///
/// A compressed file is never there as a whole: the window holds the row at hand and grows only where a row does.
final class RowText {
  /// Unpacked text that any file may have, in bytes; beyond it `largestRatio` counts.
  private static let freeBytes = 64 << 20
  /// How many times its size a compressed file may unpack to. Text rarely reaches 50, a decompression bomb always more.
  private static let largestRatio = 1000

  /// The text in memory; it is valid until the window moves.
  private(set) var window: UnsafeRawBufferPointer
  /// Whether the text ends with the window.
  private(set) var isWhole: Bool
  /// Bytes of text before the window.
  private(set) var offset = 0
  /// Why the text cannot be read to its end; it seems to end there.
  private(set) var failure: String?

  private let stream: (any CompressedStream)?
  private let fileBytes: Int
  private let maxRowBytes, firstWindow: Int
  private var buffer: UnsafeMutableRawBufferPointer?
  private var unpacked = 0

  /// - Parameters:
  ///   - bytes: the file's; they must outlive the text.
  ///   - maxRowBytes: longest row of a compressed file.
  ///   - firstWindow: bytes of a compressed file's text that are in memory at first.
  init(_ bytes: UnsafeRawBufferPointer, maxRowBytes: Int, firstWindow: Int = 1 << 20) {
    stream = compressedStream(bytes)
    (fileBytes, self.maxRowBytes, self.firstWindow) = (bytes.count, maxRowBytes, firstWindow)
    (window, isWhole) = stream == nil ? (bytes, true) : (UnsafeRawBufferPointer(start: nil, count: 0), false)
    if stream != nil { advance(to: 0) }
  }

  deinit { buffer?.deallocate() }

  /// Moves the window to this position in it and at least doubles what it holds from there.
  func advance(to position: Int) {
    guard let stream, !isWhole else { return }
    let kept = UnsafeRawBufferPointer(rebasing: window[position...])
    // Twice, since a row is told from the next by what follows it.
    guard kept.count <= 2 * maxRowBytes else {
      return fail("a row has more than \(maxRowBytes) bytes; give images as files")
    }
    let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: max(firstWindow, 2 * kept.count), alignment: 1)
    larger.copyMemory(from: kept)
    let format = type(of: stream).format
    var added = 0
    do throws(StreamFailure) {
      added = try stream.unpack(into: UnsafeMutableRawBufferPointer(rebasing: larger[kept.count...]))
      isWhole = kept.count + added < larger.count
    } catch {
      switch error {
      case .cut: fail("its \(format.name) stream is cut; copy the file again")
      case .damaged(let words):
        fail("its \(format.name) stream is damaged after \(unpacked) bytes of text: \(words); copy the file again")
      }
    }
    unpacked += added
    if unpacked > Self.freeBytes, unpacked / Self.largestRatio > fileBytes {
      fail(
        "it unpacks to more than \(Self.largestRatio) times its size, as a decompression bomb does; if it is none, "
          + "unpack it with \(format.program)")
    }
    offset += position
    window = UnsafeRawBufferPointer(rebasing: larger[..<(kept.count + added)])
    buffer?.deallocate()
    buffer = larger
  }

  private func fail(_ reason: String) { (failure, isWhole) = (reason, true) }
}
