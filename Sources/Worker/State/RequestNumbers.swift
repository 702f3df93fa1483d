/// Numbers requests 1, 2, 3, ... over a worker's whole life, so that an answer from before a reconnection can never be
/// taken for another's.
struct RequestNumbers: Sendable {
    private var last: RequestID = 0

    mutating func next() -> RequestID {
        last += 1
        return last
    }
}
