import Tensors
public final class Checkpoint: Sendable { public init() {}
  public func tensor(_ name: String, shape: [Int]) throws -> StoredTensor { throw E() }
  public func contains(_ n: String) -> Bool { false }
  public func refuseUnclaimed() throws {}
  struct E: Error {} }
