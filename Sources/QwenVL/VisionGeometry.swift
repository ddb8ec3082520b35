// Where the patches of one image lie: their positions, and the order that makes attention windows contiguous.
import HuggingFace

/// Order, windows and positions of one image's patches (transformers `get_vision_window_index`,
/// `get_vision_position_ids`).
struct VisionGeometry {
  /// Merge unit (a visual token's patches) at each place of the windowed order.
  let unitOrder: [Int]
  /// Patch rows of each window, in the windowed order.
  let windows: [Range<Int>]
  /// Patch rows of each frame; the windowed order never leaves a frame.
  let frames: [Range<Int>]
  /// Row and column of each patch in the windowed order, `[2][P]`.
  let positions: [[Int32]]

  init(grid: GridTHW, configuration: VisionConfiguration) {
    let merge = configuration.spatialMergeSize
    let unit = merge * merge
    let (H, W) = (grid.h / merge, grid.w / merge)
    // A frame is one window where there are none.
    let side = configuration.windowSize.map { $0 / merge / configuration.patchSize } ?? max(H, W)
    var order: [Int] = []
    var windows: [Range<Int>] = []
    for frame in 0..<grid.t {
      for top in stride(from: 0, to: H, by: side) {
        for left in stride(from: 0, to: W, by: side) {
          let start = order.count * unit
          for row in top..<min(top + side, H) {
            for column in left..<min(left + side, W) { order.append((frame * H + row) * W + column) }
          }
          windows.append(start..<order.count * unit)
        }
      }
    }
    unitOrder = order
    self.windows = windows
    let perFrame = grid.h * grid.w
    frames = (0..<grid.t).map { $0 * perFrame..<($0 + 1) * perFrame }
    var positions: [[Int32]] = [[], []]
    for index in order {
      let (row, column) = (index % (H * W) / W, index % W)
      for inner in 0..<unit {
        positions[0].append(Int32(row * merge + inner / merge))
        positions[1].append(Int32(column * merge + inner % merge))
      }
    }
    self.positions = positions
  }

  /// Patch row of the processor's order at each place of the windowed order.
  func patchOrder(unit: Int) -> [Int] { unitOrder.flatMap { $0 * unit..<($0 + 1) * unit } }
}
