// What a model's folder is called: on Hugging Face where that can be told, otherwise by its path.
import Files
import Foundation

/// The name of a model, and its revision where it is known.
package struct ModelName: Sendable, Equatable {
  /// `ORG/NAME` of Hugging Face, or the last part of the folder's path.
  package let name: String
  /// A commit of the repository `name`.
  package let revision: String?

  package init(name: String, revision: String? = nil) { (self.name, self.revision) = (name, revision) }

  /// The name of the model in a folder: that of a snapshot in Hugging Face's cache
  /// (`models--ORG--NAME/snapshots/REVISION`), with its revision, also behind a link; `_name_or_path` of config.json
  /// where it is `ORG/NAME` with the folder's own name; otherwise the folder's name.
  ///
  /// `_name_or_path` alone proves nothing: a fine-tuned folder keeps the one of the model that it was made from.
  package init(folder: String) {
    let url = URL(fileURLWithPath: folder).standardizedFileURL
    if let snapshot = Self.snapshot(url) ?? Self.snapshot(url.resolvingSymlinksInPath()) {
      self = snapshot
      return
    }
    let last = url.lastPathComponent
    let stated = Self.stated(in: url.path)
    let isOfFolder = stated?.split(separator: "/").last.map { String($0).hasSameBytes(as: last) } ?? false
    self.init(name: isOfFolder ? stated ?? last : last)
  }

  /// Whether it is a repository's name and not a folder's.
  package var isRepository: Bool { Self.isRepository(name) }

  private static func snapshot(_ url: URL) -> ModelName? {
    let parts = url.pathComponents.suffix(3)
    guard parts.count == 3, let repository = parts.first, repository.hasPrefix("models--"),
      parts[parts.startIndex + 1] == "snapshots", let revision = parts.last
    else { return nil }
    // Names of repositories have no "--" of their own.
    let name = String(repository.dropFirst("models--".count)).replacing("--", with: "/")
    guard isRepository(name) else { return nil }
    let isCommit =
      revision.utf8.count == 40 && revision.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    return ModelName(name: name, revision: isCommit ? revision : nil)
  }

  /// `_name_or_path` of a folder's config.json, where it names a repository.
  private static func stated(in folder: String) -> String? {
    guard let bytes = try? readFile(folder + "/config.json", maximumBytes: 1 << 24),
      case .object(let members)? = try? JSON(parsing: [UInt8](bytes)),
      case .string(let name)? = members.first(where: { $0.key.hasSameBytes(as: "_name_or_path") })?.value
    else { return nil }
    return isRepository(name) ? name : nil
  }

  /// `ORG/NAME` of letters, digits, `-`, `_` and `.`, as Hugging Face allows.
  private static func isRepository(_ name: String) -> Bool {
    let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return parts.count == 2 && name.utf8.count <= 128
      && parts.allSatisfy { part in
        !part.isEmpty && part.first != UInt8(ascii: ".")
          && part.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
              || [45, 46, 95].contains(byte)
          }
      }
  }
}
