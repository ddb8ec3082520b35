// An image with the right place and the places that models answered, drawn in the original's pixels.
import Datasets
import Evaluation
import Preprocessing

/// One image of an example.
struct ImageFigure {
  /// A place that a model answered, in the original's pixels.
  struct Prediction {
    var place: Region
    var isRight: Bool
    /// Index of one of the page's colours.
    var colour: Int
    /// The model's name.
    var name: String
  }

  let image: EmbeddedImage
  let description: String
  var boxes: [Objects.Box] = []
  var predictions: [Prediction] = []

  var svg: Markup {
    let (width, height) = (image.original.width, image.original.height)
    return """
      <svg class="image" viewBox="0 0 \(width) \(height)" role="img" aria-label="\(description)">\
      <image width="\(width)" height="\(height)" href="data:image/png;base64,\(image.base64)"/>\
      <rect class="edge" width="\(width)" height="\(height)"/>\(boxes.map(truth))\(predictions.map(mark))</svg>
      """
  }

  /// A dark line over a light one is visible on any image.
  private func truth(_ box: Objects.Box) -> Markup {
    let rect = Self.rect(box.x1, box.y1, box.x2, box.y2)
    return "<g class=\"truth\"><rect class=\"halo\" \(rect)/><rect \(rect)/><title>the example's box</title></g>"
  }

  private func mark(_ prediction: Prediction) -> Markup {
    let side = Double(max(image.original.width, image.original.height))
    let title: Markup = "<title>\(prediction.name): \(prediction.isRight ? "right" : "wrong")</title>"
    let shape: Markup
    switch prediction.place {
    case .point(let x, let y):
      // A ring, open in the middle and at four sides, where hairs point at the place: a target of any size shows.
      let r = side / 40
      let gap = r * 0.35
      let arc = (r * r - gap * gap).squareRoot()
      let arcs: [Markup] = [(1, 1), (-1, 1), (-1, -1), (1, -1)].map { (h: Double, v: Double) in
        """
        M\(x + h * arc),\(y + v * gap)A\(r),\(r) 0 0 \(h * v > 0 ? 1 : 0) \(x + h * gap),\(y + v * arc)
        """
      }
      let path: Markup = """
        \(arcs)M\(x - r * 1.7),\(y)H\(x - r)M\(x + r),\(y)H\(x + r * 1.7)M\(x),\(y - r * 1.7)V\(y - r)\
        M\(x),\(y + r)V\(y + r * 1.7)
        """
      shape = "<path class=\"halo\" d=\"\(path)\"/><path d=\"\(path)\"/>"
    case .box(let x1, let y1, let x2, let y2):
      let rect = Self.rect(x1, y1, x2, y2)
      shape = "<rect class=\"halo\" \(rect)/><rect class=\"dashed\" \(rect)/>"
    }
    return "<g class=\"found s\(prediction.colour % LineChart.colours)\">\(shape)\(title)</g>"
  }

  /// Corners in any order.
  private static func rect(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) -> Markup {
    "x=\"\(min(x1, x2))\" y=\"\(min(y1, y2))\" width=\"\(abs(x2 - x1))\" height=\"\(abs(y2 - y1))\""
  }
}
