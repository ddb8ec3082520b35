import Testing
@testable import Tensors

@Test func elementWidths() { #expect(ElementType.bfloat16.byteCount == 2) }
