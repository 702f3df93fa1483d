/// Whether numbers are numbers: neither infinite nor not-a-number.
package enum FiniteCheck {
    /// Looks at all of them, without a branch, so that it costs next to nothing.
    package static func isFinite(_ values: UnsafeBufferPointer<Float>) -> Bool {
        var found: UInt32 = 0
        // All bits of the exponent are set; adding one to it then carries into the sign's place.
        for value in values { found |= (value.bitPattern & 0x7F80_0000) &+ 0x0080_0000 }
        return found & 0x8000_0000 == 0
    }
}
