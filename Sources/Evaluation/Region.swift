// The point or box that a text names, in the ways in which models write them.

/// A place in an image, in the coordinates that the model writes.
package enum Region: Sendable, Equatable {
  case point(x: Double, y: Double)
  case box(x1: Double, y1: Double, x2: Double, y2: Double)

  /// The point, or the box's centre.
  package var center: (x: Double, y: Double) {
    switch self {
    case .point(let x, let y): (x, y)
    case .box(let x1, let y1, let x2, let y2): ((x1 + x2) / 2, (y1 + y2) / 2)
    }
  }

  /// The first place that `text` names, nil if it names none:
  /// - a point: `(x, y)`, `[x, y]`, `{"point_2d": [x, y]}`, `<point x="..." y="...">`, `<point>x y</point>`,
  ///   `x=..., y=...`;
  /// - a box: `[x1, y1, x2, y2]`, `(x1, y1, x2, y2)`, `(x1,y1),(x2,y2)`, `[[x1, y1], [x2, y2]]`,
  ///   `{"bbox_2d": [...]}`, `<box>x1 y1 x2 y2</box>`, `<bbox>...</bbox>`, `x1=..., y1=..., x2=..., y2=...`;
  /// - a polygon of three or more points, `(x1,y1),(x2,y2),(x3,y3)` or `[[x1, y1], ...]`: the box around it.
  ///
  /// Around these may stand `<|box_start|>`, `<box>`, a call as `click(start_box='...')` and more brackets. Of several
  /// boxes the first counts, of several points under `point_2d` too. In JSON the first value of `bbox_2d` or `point_2d`
  /// that is a place counts, whatever stands before it, and nothing else if there is such a key. Brackets with other
  /// counts of numbers, or of pairs and fours mixed, are no place, and neither is one that the text's end cuts off.
  /// Time is linear in the length.
  package init?(parsing text: String) {
    var scanner = PlaceScanner(text)
    guard let place = scanner.firstPlace() else { return nil }
    self = place
  }

  init?(_ numbers: [Double]) {
    switch numbers.count {
    case 2: self = .point(x: numbers[0], y: numbers[1])
    case 4: self = .box(x1: numbers[0], y1: numbers[1], x2: numbers[2], y2: numbers[3])
    default: return nil
    }
  }

  /// What a list of points means: a point, a box by two of its corners, or the box around a polygon.
  init?(points: [[Double]]) {
    guard points.count > 2 else {
      self.init(points.flatMap(\.self))
      return
    }
    guard points.allSatisfy({ $0.count == 2 }) else { return nil }
    let (x, y) = (points.map { $0[0] }, points.map { $0[1] })
    guard let x1 = x.min(), let y1 = y.min(), let x2 = x.max(), let y2 = y.max() else { return nil }
    self = .box(x1: x1, y1: y1, x2: x2, y2: y2)
  }
}
