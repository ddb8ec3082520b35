// Which known name an unknown one was probably meant to be, for messages.

/// The name of the fewest edits, if they are few enough for it to be meant: at most half of its letters.
package func nearestName(to name: String, among known: [String]) -> String? {
  let ranked = known.map { (name: $0, edits: editDistance(name, $0)) }.min { $0.edits < $1.edits }
  return ranked.flatMap { $0.edits <= $0.name.unicodeScalars.count / 2 ? $0.name : nil }
}

/// Levenshtein's distance, over the first 64 scalars of each.
package func editDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a.unicodeScalars.prefix(64)), Array(b.unicodeScalars.prefix(64)))
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      (diagonal, row[j + 1]) = (row[j + 1], min(row[j] + 1, row[j + 1] + 1, diagonal + (x == y ? 0 : 1)))
    }
  }
  return row[b.count]
}
