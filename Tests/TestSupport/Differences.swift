/// How far two lists are apart at most. What is no number is infinitely far, and so is what has no counterpart, or
/// nothing at all: `max` alone passes over the one, `zip` over the other.
package func largestDifference(
    _ values: some Collection<some BinaryFloatingPoint>, _ reference: some Collection<some BinaryFloatingPoint>
) -> Double {
    guard values.count == reference.count, !values.isEmpty else { return .infinity }
    return zip(values, reference).reduce(0) { worst, pair in
        let difference = abs(Double(pair.0) - Double(pair.1))
        return difference.isNaN ? .infinity : max(worst, difference)
    }
}
