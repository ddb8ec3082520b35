import Collectives
public func withMPI(_ body: (any Communicator) throws -> Void) throws { try body(SingleProcess()) }
