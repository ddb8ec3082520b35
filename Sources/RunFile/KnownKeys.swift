// Which keys a run file has, and which of them an unknown one was probably meant to be.
import Adapters
import Files
import QwenVL

/// Collects the paths of all keys.
struct KnownKeys: Visitor {
  typealias Failure = Never
  private(set) var fields: [[String]] = []
  private(set) var sections: [[String]] = []
  private var prefix: [String] = []

  init() {
    var run = RunConfiguration(defaultsOf: "")
    for kind in AdapterKind.allCases {
      run.adapter.kind = kind
      run.visit(&self)
    }
  }

  /// The keys of one section, which stands at this path.
  init<S: Section>(of section: S, at path: [String]) {
    var section = section
    prefix = path
    section.visit(&self)
  }

  mutating func section<S: Section>(_ key: String, _ section: inout S) {
    prefix.append(key)
    sections.append(prefix)
    section.visit(&self)
    prefix.removeLast()
  }

  mutating func field<V: Value>(_ key: String, _ value: inout V, _ accepted: Accepted<V>, _ effect: Effect) {
    fields.append(prefix + [key])
  }

  mutating func field<V: Value>(_ key: String, _ value: inout V?, _ accepted: Accepted<V>, _ effect: Effect) {
    fields.append(prefix + [key])
  }

  /// Throws for the first key of the tree that is none of these.
  func check(_ tree: Tree, at path: [String] = []) throws(RunFileError) {
    for entry in tree.entries ?? [] {
      let whole = path + [entry.key]
      if sections.contains(whole) {
        try check(entry.value, at: whole)
      } else if !fields.contains(whole) {
        throw .unknownKey(place: entry.place, key: plain(dotted(whole)), meant: meant(by: whole))
      }
    }
  }

  /// Which key was probably meant, and what there is to say about it.
  private func meant(by path: [String]) -> String {
    guard let peers = path.last.flatMap({ PeersName($0) }) else { return "the nearest is \(dotted(nearest(to: path)))" }
    return "here it is \(peers.key)" + (peers.note.map { ", \($0)" } ?? "")
  }

  /// The key of the fewest edits; being in another section counts as one.
  private func nearest(to path: [String]) -> [String] {
    let section = path.dropLast()
    let ranked = (sections + fields).map { known in
      let edits = editDistance(path.last ?? "", known.last ?? "")
      return (known, edits + (known.dropLast() == section ? 0 : 1))
    }
    return ranked.min { $0.1 < $1.1 }?.0 ?? []
  }
}

/// A key's path as it is written in messages and overrides.
func dotted(_ path: [String]) -> String { path.joined(separator: ".") }
