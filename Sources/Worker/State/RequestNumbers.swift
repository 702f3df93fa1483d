/// Numbers requests 1, 2, 3, ... over a worker's whole life, so that an answer from before a reconnection is not taken
/// for another's. Begins again after four thousand million; 0 is left out.
struct RequestNumbers: Sendable {
    private var last: RequestID = 0

    mutating func next() -> RequestID {
        last = last == .max ? 1 : last + 1
        return last
    }
}
