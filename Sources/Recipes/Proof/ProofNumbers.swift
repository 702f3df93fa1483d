import Numerics

/// The numbers under everything: elementary functions over all that they are asked, and Philox in its two ways.
enum ProofNumbers {
    static func add(to proof: inout ProofBytes) {
        // Steps that are no round numbers, so that every term of the series counts.
        let places = (0..<97).map { Double($0) * 0.739 - 35.7 }
        proof.add(places.map(Portable.exp))
        proof.add(places.map { Portable.log(($0 + 36) * ($0 + 36) * 0.31 + 0x1p-40) })
        proof.add(places.map(Portable.sin))
        proof.add(places.map(Portable.cos))
        var stream = RandomKey(seed: 0x5EED_0000_0000_0007, replica: 3, iteration: 3_499, sample: 7,
                               purpose: .slabChoice).stream(2)
        proof.add((0..<5).map { _ in stream.normal() })
        for count in [1, 5_003, 1 << 20] { proof.add(stream.index(below: count)) }
        // Many at once, from the middle of a block on and to no block's end.
        var many = [Float](repeating: 0, count: 1_037)
        many.withUnsafeMutableBufferPointer { stream.fill($0) }
        proof.add(many)
    }
}
