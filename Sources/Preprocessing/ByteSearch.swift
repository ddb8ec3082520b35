// A search in linear time: the standard library's is quadratic on texts that repeat themselves.

/// Where the first occurrence of some bytes ends; nil where there is none (Knuth, Morris and Pratt 1977).
func end(of words: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
  guard !words.isEmpty else { return bytes.startIndex }
  // Of each beginning of the words, the longest shorter beginning that it ends with.
  var borders = [Int](repeating: 0, count: words.count)
  var length = 0
  for index in words.indices.dropFirst() {
    while length > 0, words[index] != words[length] { length = borders[length - 1] }
    if words[index] == words[length] { length += 1 }
    borders[index] = length
  }
  length = 0
  for index in bytes.indices {
    while length > 0, bytes[index] != words[length] { length = borders[length - 1] }
    if bytes[index] == words[length] { length += 1 }
    if length == words.count { return index + 1 }
  }
  return nil
}
