/// A value that is copied by counting one reference, however many it holds; what is changed while somebody else has it
/// too is copied then. For large values of which mostly one field is read.
package struct Shared<Value> {
    private final class Box {
        var value: Value
        init(_ value: Value) { self.value = value }
    }

    private var box: Box

    package init(_ value: Value) { box = Box(value) }

    package var value: Value {
        _read { yield box.value }
        _modify {
            if !isKnownUniquelyReferenced(&box) { box = Box(box.value) }
            yield &box.value
        }
    }
}

/// Nobody changes a box that somebody else has.
extension Shared: @unchecked Sendable where Value: Sendable {}
